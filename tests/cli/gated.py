"""Engine whose decodes wait until a file is in the state folder, however long a command takes."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.harness.silence import Silence
from pipeline.arrays import Arrays
from pipeline.engines.protocol import Control, Options, Utterance

SETTING = "gated=tests.cli.gated:Gated"
GATE = "gate"


class Gated(Silence):
    profile = replace(Silence.profile, name="gated")

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        gate = Path(os.environ["VOXCHORD_STATE"]) / GATE
        while not gate.exists():
            control.check()
            time.sleep(0.02)
        return super().diffusion(semantic, speakers, seed, options, control)
