"""Engine whose device is lost permanently in the first decoding process."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.harness.silence import Silence
from pipeline.arrays import Arrays
from pipeline.engines.protocol import Control, Options, Utterance
from pipeline.errors import DeviceLostError

SETTING = "lost=tests.faults.lost:Lost"


class Lost(Silence):
    """Engine of silence with a thread pool."""

    profile = replace(Silence.profile, name="lost", pool="threads")

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        first = Path(os.environ["VOXCHORD_STATE"]) / "first"
        try:
            with first.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            pass
        if first.read_text() in ("", str(os.getpid())):
            raise DeviceLostError("an illegal memory access was encountered")
        return super().diffusion(semantic, speakers, seed, options, control)
