"""Engine that writes silence, for benches of everything but the sound.

Workers load it with `VOXCHORD_ENGINES=silence=bench.harness.silence:Silence`. Messages can only name engines.
"""

import time
from collections.abc import Collection, Sequence

import numpy as np

from pipeline.arrays import Arrays
from pipeline.engines.protocol import Control, Options, Profile, Reference, SegmentText, Utterance, Wording
from pipeline.errors import OptionError

SETTING = "silence=bench.harness.silence:Silence"
_RATE_HZ = 8_000
_SECONDS_PER_WORD = 0.02
_TICK_S = 0.02


class Silence:
    """Engine of 20 ms of silence per word, after `wait_ms` per segment."""

    profile = Profile(
        name="silence",
        sample_rate_hz=_RATE_HZ,
        frame_rate_hz=50.0,
        words_min=4,
        words_max=12,
        speakers_max=4,
        languages=("en",),
        reference_needed=False,
        pool="prefork",
        stage_version=1,
        words_per_s=50.0,
        presets=("hush", "still"),
    )

    def options(self, given: Options) -> Options:
        unknown = sorted(set(given) - {"wait_ms"})
        if unknown:
            raise OptionError(unknown[0], "unknown option; silence has wait_ms")
        return {"wait_ms": int(given.get("wait_ms", 0))}

    def revision(self) -> str:
        return "silence 1"

    def wording(self, text: str, kinds: Collection[str] = ()) -> Wording:
        return Wording(text)

    def pronounced(self, written: str, ipa: str) -> None:
        return None

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        words = [len(line.text.split()) for line in segment.lines]
        return Arrays({"ids": np.array(words, np.int32)})

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        frames = str(int(tokens.arrays["ids"].sum()))
        return Arrays(dict(tokens.arrays), {"frames": frames, "frames_max": frames})

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        return Arrays({"voice": np.zeros(1, np.float32)})

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        until = time.monotonic() + float(options["wait_ms"]) / 1000
        while time.monotonic() < until:
            control.check()
            time.sleep(_TICK_S)
        control.check()
        words = semantic.arrays["ids"].tolist()
        samples = [np.zeros(round(count * _SECONDS_PER_WORD * _RATE_HZ), np.float32) for count in words]
        return [Utterance(line, "", part) for line, part in enumerate(samples)]
