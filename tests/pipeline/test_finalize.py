"""Tests of finalisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bench.harness.controls import Free
from bench.harness.silence import Silence
from pipeline.finalize import finish
from pipeline.jobs.artifacts import put_audio
from pipeline.jobs.jobs import Jobs
from pipeline.planning.records import SegmentAudio
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


def test_slow_stores_are_not_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, engine, seen = Jobs(Store(str(tmp_path))), Silence(), []
    own, rest = split_options({}, engine="silence")
    plan = jobs.plans.create(
        checked(parse("Anna: Words."), {}, own, rest, engine=engine, registered=Voices(jobs.store)),
        engine.profile,
    )
    rate = engine.profile.sample_rate_hz
    for segment in jobs.plans.segments(plan):
        put_audio(jobs.store, segment.key, np.zeros(rate, np.float32), SegmentAudio(rate, rate, ()))
    taken = jobs.store.objects.put_file

    def put_file(path: Path, name: str) -> None:
        seen.append("stored")
        taken(path, name)

    @contextmanager
    def watch() -> Iterator[None]:
        seen.append("watched")
        yield
        seen.append("joined")

    monkeypatch.setattr(jobs.store.objects, "put_file", put_file)
    finish(jobs, plan, engine.profile, Free(), watched=watch())
    assert seen == ["watched", "joined", "stored"]
