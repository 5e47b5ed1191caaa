"""Tests of the stages of one segment, on a real store."""

from pathlib import Path

import pytest

from bench.harness.silence import Silence
from pipeline import stages
from pipeline.errors import CancelledError, MissingArtifactError
from pipeline.jobs.artifacts import read_samples
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stage_names import SEGMENT_STAGES
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


class Control:
    """Control of a job that may be cancelled."""

    def __init__(self, cancelled: str | None = None) -> None:
        self.cancelled = cancelled

    def check(self) -> None:
        if self.cancelled is not None:
            raise CancelledError(self.cancelled)

    def frames(self, done: int, together: int = 1) -> None:
        pass

    def waited(self, seconds: float) -> None:
        pass

    def graphs_refused(self, count: int) -> None:
        pass


@pytest.fixture
def work(tmp_path: Path) -> SegmentWork:
    jobs, engine = Jobs(Store(str(tmp_path))), Silence()
    options, rest = split_options({}, engine="silence")
    script = parse("Anna: Five words are spoken here.", characters_max=1000)
    request = checked(script, {}, options, rest, engine=engine, registered=Voices(jobs.store))
    plan = jobs.plans.create(request, engine.profile)
    return SegmentWork(jobs.store, plan, jobs.plans.segment(plan.job, 0), engine)


def run_all(work: SegmentWork) -> list[object]:
    facts = [
        stages.text(work),
        stages.semantic(work),
        stages.speaker(work),
        stages.diffusion(work, Control()),
    ]
    return [each["cache_hit"] for each in facts]


def test_every_named_stage_is_a_function() -> None:
    assert all(callable(getattr(stages, name)) for name in SEGMENT_STAGES)


def test_a_second_run_of_every_stage_is_a_cache_hit(work: SegmentWork) -> None:
    assert run_all(work) == [False] * 4
    assert work.finished
    assert run_all(work) == [True] * 4
    assert len(read_samples(work.store, work.segment.key)) == 5 * 160


def test_semantic_needs_the_product_of_text(work: SegmentWork) -> None:
    with pytest.raises(MissingArtifactError, match="text"):
        stages.semantic(work)


def test_diffusion_needs_the_speakers(work: SegmentWork) -> None:
    stages.text(work)
    stages.semantic(work)
    with pytest.raises(MissingArtifactError, match="speakers/"):
        stages.diffusion(work, Control())


def test_cancelled_job_stops_and_stores_no_audio(work: SegmentWork) -> None:
    stages.text(work)
    stages.semantic(work)
    with pytest.raises(CancelledError):
        stages.speaker(work, Control(work.plan.job))
    stages.speaker(work)
    with pytest.raises(CancelledError):
        stages.diffusion(work, Control(work.plan.job))
    assert not work.finished
