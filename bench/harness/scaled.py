"""VibeVoice with shorter segments, so that a bench of a day's work takes minutes.

Workers load it with `VOXCHORD_ENGINES=scaled=bench.harness.scaled:Scaled`. The planner cuts segments at
`BENCH_SCALE` times the words. A random checkpoint never ends a segment by itself, so the frame plan sets each
length: near the expected one, and sometimes twice as long.
"""

import os
import random
from collections.abc import Sequence
from dataclasses import replace

from pipeline.arrays import Arrays
from pipeline.engines.protocol import Options, Profile
from pipeline.engines.vibevoice.engine import PROFILE, VibeVoice

SETTING = "scaled=bench.harness.scaled:Scaled"
SCALE = "BENCH_SCALE"
RUNAWAY_SHARE = 0.03


class Scaled(VibeVoice):
    """VibeVoice on segments of fewer words."""

    @property
    def profile(self) -> Profile:
        scale = float(os.environ[SCALE])
        words = (round(scale * PROFILE.words_min), round(scale * PROFILE.words_max))
        return replace(PROFILE, name="scaled", words_min=words[0], words_max=words[1])

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        made = super().semantic(tokens, options)
        length = turns_out(int(made.meta["frames"]), tokens.arrays["ids"].tolist())
        return Arrays(made.arrays, {**made.meta, "frames_max": str(length)})


def turns_out(expected: int, ids: Sequence[int]) -> int:
    """Number of frames of a segment with those IDs."""
    dice = random.Random(repr(ids))
    return 2 * expected if dice.random() < RUNAWAY_SHARE else max(4, round(expected * dice.gauss(1, 0.1)))
