"""Full verification through the stages: a bad take is decoded again, and its words have recognised times."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline import stages
from pipeline.arrays import Arrays
from pipeline.checking.checkers import Checkers
from pipeline.engines.hibari.engine import Hibari
from pipeline.engines.protocol import Control, Options, Uncontrolled, Utterance
from pipeline.finalize import finish
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

pytestmark = pytest.mark.listen

SCRIPT = (
    "Ann: Good evening, and welcome back to the garden hour. Tonight we talk about roses.\n"
    "Ben: Thank you for having me. I brought twelve of them from the hill behind my house."
)


class Confused(Hibari):
    """hibari as one that cannot tell lines apart and exchanges the speakers of every segment's first take."""

    profile = replace(Hibari.profile, takes=({},))

    def __init__(self) -> None:
        self.seed: int | None = None

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        exchanged = speakers[::-1] if seed == self.seed else speakers
        parts = super().diffusion(semantic, exchanged, seed, options, control)
        if len(speakers) == 1:
            return parts
        samples = np.concatenate([part.samples for part in parts])
        return [Utterance(0, " ".join(part.text for part in parts), samples, lines=2)]


def test_a_take_of_exchanged_speakers_is_replaced(tmp_path: Path) -> None:
    jobs, engine, check = Jobs(Store(str(tmp_path))), Confused(), Checkers().of("full")
    own, rest = split_options({"verify": "full"}, engine="hibari")
    request = checked(
        parse(SCRIPT),
        {},
        own,
        rest,
        engine=engine,
        registered=Voices(jobs.store),
        checker=check.identity(),
    )
    plan = jobs.plans.create(request, engine.profile)
    (segment,) = jobs.plans.segments(plan)
    engine.seed = segment.seed
    work = SegmentWork(jobs.store, plan, segment, engine)
    stages.prepare(work)
    for _ in range(2):
        stages.diffusion(work, Uncontrolled())
        stages.verify(work, check)
    assert work.next_take() is None
    manifest = finish(jobs, plan, engine.profile, Uncontrolled())
    assert (manifest["verify"]["takes_made"], manifest["verify"]["replaced"]) == (1, 1)
    assert {finding["kind"] for finding in manifest["verify"]["findings"]} == {"speaker"}
    words = json.loads(jobs.store.objects.read(manifest["words"]["name"]) or b"")
    assert " ".join(word["word"] for word in words).startswith("Good evening, and welcome")
    assert {word["speaker"] for word in words} == {"Ann", "Ben"}
    assert sum(word["confidence"] is not None for word in words) > 0.9 * len(words)
    starts = [word["start_s"] for word in words]
    assert starts == sorted(starts)
