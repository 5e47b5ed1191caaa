"""Tests of finalisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bench.harness.silence import Silence
from pipeline.engines.protocol import Uncontrolled
from pipeline.finalize import finish, join_so_far
from pipeline.jobs.artifacts import put_audio
from pipeline.jobs.jobs import Jobs
from pipeline.planning.records import SegmentAudio, Span
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
    finish(jobs, plan, engine.profile, Uncontrolled(), watched=watch())
    assert seen == ["watched", "joined", "stored"]


def test_the_finished_start_is_joined_while_the_rest_is_made(tmp_path: Path) -> None:
    jobs, engine = Jobs(Store(str(tmp_path))), Silence()
    own, rest = split_options({}, engine="silence")
    script = parse("\n".join(f"Anna: Line {n} has as many as nine words in all." for n in range(6)))
    plan = jobs.plans.create(
        checked(script, {}, own, rest, engine=engine, registered=Voices(jobs.store)), engine.profile
    )
    rate, out = engine.profile.sample_rate_hz, tmp_path / "start.flac"
    assert plan.segments > 3
    assert join_so_far(jobs, plan, Uncontrolled(), out) is None
    tone = (0.1 * np.sin(np.arange(rate))).astype(np.float32)
    for index in (0, 1, 3):
        segment = jobs.plans.segment(plan.job, index)
        span = Span(0, rate, 0, len(segment.lines), segment.lines[0].text, -20.0, 0.1)
        put_audio(jobs.store, segment.key, tone, SegmentAudio(rate, rate, (span,)))
    joined = join_so_far(jobs, plan, Uncontrolled(), out)
    assert joined is not None
    assert 2 <= joined.duration_s < 3, "the third segment is missing, so the fourth waits"
    assert out.stat().st_size == joined.bytes
