"""Tests of the stages of one segment, on a real store."""

from pathlib import Path

import pytest

from bench.harness.silence import Silence
from pipeline import stages
from pipeline.arrays import Arrays
from pipeline.engines.protocol import Options, Reference, Uncontrolled
from pipeline.errors import CancelledError, MissingArtifactError, VoiceError
from pipeline.jobs.artifacts import read_samples
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stage_names import SEGMENT_STAGES
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


class Control(Uncontrolled):
    """Control of a job that may be cancelled."""

    def __init__(self, cancelled: str | None = None) -> None:
        self.cancelled = cancelled

    def check(self) -> None:
        if self.cancelled is not None:
            raise CancelledError(self.cancelled)


class Choosy(Silence):
    """Engine that can use no voice."""

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        raise VoiceError("its recording", "too short")


def planned(store: Store, script: str, engine: Silence) -> list[SegmentWork]:
    """Plan a script; returns the work of its segments."""
    jobs = Jobs(store)
    options, rest = split_options({}, engine="silence")
    read = parse(script, characters_max=1000)
    request = checked(read, {}, options, rest, engine=engine, registered=Voices(store))
    plan = jobs.plans.create(request, engine.profile)
    return [SegmentWork(store, plan, segment, engine) for segment in jobs.plans.segments(plan)]


@pytest.fixture
def work(tmp_path: Path) -> SegmentWork:
    (only,) = planned(Store(str(tmp_path)), "Anna: Five words are spoken here.", Silence())
    return only


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


def test_facts_are_those_of_the_words_and_the_samples(work: SegmentWork) -> None:
    assert stages.text(work) == {"chars_in": 27, "cache_hit": False, "tokens_in": 1}
    assert stages.semantic(work) == {"cache_hit": False, "tokens_in": 1}
    stages.speaker(work)
    assert stages.diffusion(work, Control()) == {
        "cache_hit": False,
        "audio_s": pytest.approx(0.1),
        "sample_rate": 8000,
        "bytes_out": 4 * 5 * 160,
        "take": 0,
    }


def test_a_voice_is_embedded_once_for_all_segments(tmp_path: Path) -> None:
    line = "Anna: Ten words are spoken in this line of her."
    works = planned(Store(str(tmp_path)), f"{line}\n{line} Again.\n{line} Once more.", Silence())
    assert len(works) > 1
    assert [stages.speaker(each)["cache_hit"] for each in works] == [False] + [True] * (len(works) - 1)


def test_an_unusable_voice_is_named_by_its_speaker(tmp_path: Path) -> None:
    (work,) = planned(Store(str(tmp_path)), "Anna: Five words are spoken here.", Choosy())
    with pytest.raises(VoiceError, match="voice 'Anna': too short"):
        stages.speaker(work)


def test_a_damaged_product_counts_as_missing(work: SegmentWork) -> None:
    run_all(work)
    work.store.objects.replace(work.name("spans"), b"half")
    work.store.objects.replace(work.name("text"), b"half")
    assert not work.finished
    assert run_all(work)[0] is False
    assert work.finished
