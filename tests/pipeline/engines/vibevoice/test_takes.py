"""Tests of takes that are decoded in parts, by the stages and the real classes."""

from pathlib import Path

import pytest

from bench.harness.recordings import recording
from pipeline import stages
from pipeline.engines.protocol import PARTS, Uncontrolled
from pipeline.engines.vibevoice.engine import PROFILE, VibeVoice
from pipeline.jobs.artifacts import read_audio, read_samples
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.takes import TakeRequest
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.pipeline.engines.vibevoice.stages import OPTIONS, SETTINGS

SCRIPT = "Ann: One is here. Two is here.\nBen: Three is here.\nAnn: Four is here.\nBen: Five is here."


class Progress(Uncontrolled):
    def __init__(self) -> None:
        self.reports: list[int] = []

    def frames(self, done: int, batch_size: int = 1) -> None:
        self.reports.append(done)


@pytest.fixture
def work(talkative: Path, tmp_path: Path) -> SegmentWork:
    """A planned segment whose stages before diffusion are done."""
    engine, store = VibeVoice(str(talkative), SETTINGS), Store(str(tmp_path))
    registered = Voices(store)
    for seed, name in enumerate(("ann", "ben")):
        registered.add(name, recording(seed + 1))
    options, rest = split_options({**OPTIONS, "verify": "off"}, engine="vibevoice")
    given = {"Ann": "ann", "Ben": "ben"}
    request = checked(parse(SCRIPT), given, options, rest, engine=engine, registered=registered)
    jobs = Jobs(store)
    plan = jobs.plans.create(request, PROFILE)
    work = SegmentWork(store, plan, jobs.plans.segment(plan.job, 0), engine, take=3)
    stages.prepare(work)
    return work


@pytest.mark.slow
def test_a_take_in_smaller_segments_has_all_lines_under_the_same_key(work: SegmentWork) -> None:
    progress = Progress()
    request = work.takes.request(3, PROFILE)
    assert request.options == {PARTS: 2}, "the third take's change"
    stages.diffusion(work, progress)
    audio = read_audio(work.store, work.segment.key, 3)
    assert audio is not None
    assert [(span.line, span.lines) for span in audio.spans] == [(0, 1), (1, 3)]
    assert [span.text for span in audio.spans] == [
        "One is here. Two is here.",
        "Three is here. Four is here. Five is here.",
    ]
    assert sum(span.samples for span in audio.spans) == audio.samples
    assert progress.reports == sorted(progress.reports), "frames of both parts are counted on"
    assert work.takes.has_audio(3)
    assert not work.takes.has_audio(0)


@pytest.mark.slow
def test_a_take_in_parts_repeats(work: SegmentWork) -> None:
    request = TakeRequest(5, {PARTS: 2}, "hand")
    for take in (100, 101):
        work.takes.ask(take, request)
        stages.diffusion(SegmentWork(work.store, work.plan, work.segment, work.engine, take), Uncontrolled())
    first, second = (read_samples(work.store, work.segment.key, take) for take in (100, 101))
    assert len(first)
    assert (first == second).all()
