"""The default engine: hibari, a small English voice whose weights are in its wheel.

One voice speaks for all speakers: a speaker is a vocal-tract ratio, a pitch and a pace. Samples made for
24,000·ratio Hz are played at 24,000 Hz, which scales formants and pitch, and the synthesis runs at pace/ratio
so that the timing of the words is unchanged.
"""

import functools
import gc
import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Arrays, Samples
from pipeline.engines.heap import trim_heap
from pipeline.engines.hibari import durations, normalizer
from pipeline.engines.hibari.vocal_tract import (
    OWN_TEXT,
    PACE_MAX,
    PACE_MIN,
    RATIO_MAX,
    RATIO_MIN,
    VocalTract,
    Voiceprint,
    estimate,
    voiceprint,
)
from pipeline.engines.load_timing import loading
from pipeline.engines.protocol import (
    ANY_VOICE,
    Control,
    Options,
    Profile,
    Reference,
    SegmentText,
    Utterance,
    Wording,
)
from pipeline.engines.rates import handed_on, rates_meta, rates_of
from pipeline.errors import EngineError, OptionError

if TYPE_CHECKING:
    import hibari

SAMPLE_RATE_HZ = 24_000
FRAME_RATE_HZ = 80.0
_SPEED_MIN, _SPEED_MAX = 0.5, 2.0
"""Speeds that the model was made for."""
_IDS_MIN = 3
"""Minimum number of IDs: one phoneme between two pads."""
_FRAMES_PER_PHONEME = 5.4
"""Frames per phoneme, measured over 225 sentences of a real script at speed 1."""


PRESETS = {
    "wren": VocalTract(ratio=1.00, pace=1.00, pitch=1.00),
    "heron": VocalTract(ratio=0.76, pace=0.95, pitch=1.00),
    "finch": VocalTract(ratio=1.16, pace=1.08, pitch=1.15),
    "crane": VocalTract(ratio=0.90, pace=1.05, pitch=0.87),
}
"""Presets by name. A GE2E speaker encoder gives a cosine of at most 0.75 between two of them, and of at least
0.94 within one, on the two texts they were chosen with.
"""

VARIATIONS = {
    f"{name}+{number}": VocalTract(
        round(tract.ratio * ratio, 3), round(tract.pace * pace, 3), round(tract.pitch * pitch, 3)
    )
    for number, (ratio, pace, pitch) in ((2, (1.06, 0.94, 0.78)), (3, (0.94, 1.06, 1.28)))
    for name, tract in PRESETS.items()
}
"""Voices for speakers beyond the presets. With them the cosine between two voices is at most 0.93, and within
one at least 0.95, by the same encoder.
"""


def _rates_of(tract: VocalTract) -> tuple[float, float]:
    """Lowest and highest rate at which the model can speak as a vocal tract."""
    usual = tract.pace / tract.ratio
    return round(_SPEED_MIN / usual, 3), round(_SPEED_MAX / usual, 3)


_SLOWEST = VocalTract(RATIO_MAX, PACE_MIN, pitch=1.0)
_FASTEST = VocalTract(RATIO_MIN, PACE_MAX, pitch=1.0)
VOICE_RATES = {name: _rates_of(tract) for name, tract in (PRESETS | VARIATIONS).items()} | {
    ANY_VOICE: (_rates_of(_SLOWEST)[0], _rates_of(_FASTEST)[1])
}
"""Limits of the speaking rate by voice; those that hold for every recording under `ANY_VOICE`."""


class Hibari:
    """hibari-tts behind the engine protocol. Not thread-safe: one segment per process at a time."""

    profile = Profile(
        name="hibari",
        sample_rate_hz=SAMPLE_RATE_HZ,
        frame_rate_hz=FRAME_RATE_HZ,
        words_min=150,
        words_max=250,
        speakers_max=64,
        languages=("en",),
        reference_needed=False,
        pool="prefork",
        stage_version=1,
        words_per_s=2.4,
        presets=tuple(PRESETS),
        variations=tuple(VARIATIONS),
        takes=({},),
        take_options=("pace",),
        rates=(0.6, 1.6),
        voice_rates=VOICE_RATES,
    )

    def options(self, given: Options) -> Options:
        pace = given.get("pace", 1.0)
        unknown = sorted(set(given) - {"pace"})
        if unknown:
            raise OptionError(", ".join(unknown), "unknown option; hibari has pace")
        if isinstance(pace, bool | str) or not 0.7 <= pace <= 1.4:
            raise OptionError("pace", f"{pace!r} is not between 0.7 and 1.4")
        return {"pace": float(pace)}

    def revision(self) -> str:
        """Version of the wheel, which contains the weights."""
        from importlib.metadata import version

        return f"hibari-tts {version('hibari-tts')}"

    def wording(self, text: str, kinds: Collection[str] = ()) -> Wording:
        return normalizer.wording(text, kinds)

    def pronounced(self, written: str, ipa: str) -> Wording:
        return normalizer.pronounced(written, ipa)

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        """Split lines into sentences, each with the number of its line."""
        model = _model()
        sentences = [
            (number, line.slot, sentence)
            for number, line in enumerate(segment.lines)
            for sentence in model.split_sentences(line.text)
        ]
        return Arrays({}, {"sentences": json.dumps(sentences, ensure_ascii=False), **rates_meta(segment)})

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        """Convert sentences to one sequence of phoneme IDs, with the end of each chunk."""
        model = _model()
        sentences = json.loads(tokens.meta["sentences"])
        ids: list[int] = []
        words: list[int] = []
        chunks: list[tuple[int, int]] = []
        rates, length = rates_of(tokens), 0.0
        for number, (line, _, sentence) in enumerate(sentences):
            for chunk_ids, chunk_words in durations.phonemes(model, sentence):
                ids += chunk_ids
                words += chunk_words
                chunks.append((number, len(ids)))
                length += len(chunk_ids) / rates.get(line, 1.0)
        frames = round(length * _FRAMES_PER_PHONEME / float(options["pace"]))
        return Arrays(
            {
                "ids": np.array(ids, np.int16),
                "chunks": np.array(chunks, np.int32).reshape(-1, 2),
                "words": np.array(words, np.int16),
            },
            {
                "sentences": tokens.meta["sentences"],
                "frames": str(frames),
                "frames_max": str(4 * frames + 800),
                **handed_on(tokens),
            },
        )

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        """Estimate the vocal tract: (3,), float64: ratio, pace, pitch."""
        tract = _tract(reference)
        return Arrays({"tract": np.array([tract.ratio, tract.pace, tract.pitch], np.float64)})

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        """Synthesise one utterance per sentence; noise depends only on the seed and the position."""
        sentences = json.loads(semantic.meta["sentences"])
        heard: list[list[Samples]] = [[] for _ in sentences]
        timed: list[dict[int, tuple[int, int]]] = [{} for _ in sentences]
        words, rates = semantic.arrays.get("words"), rates_of(semantic)
        start = frames = 0
        for number, (sentence, end) in enumerate(semantic.arrays["chunks"].tolist()):
            control.check()
            ratio, pace, pitch = speakers[sentences[sentence][1]].arrays["tract"].tolist()
            samples, lengths = _speak(
                semantic.arrays["ids"][start:end].tolist(),
                VocalTract(
                    ratio, pace * float(options["pace"]) * rates.get(sentences[sentence][0], 1.0), pitch
                ),
                np.random.default_rng([seed, number]),
            )
            if words is not None:  # those of an earlier release have none
                count, before = len(sentences[sentence][2].split()), sum(map(len, heard[sentence]))
                timed[sentence] |= durations.word_samples(
                    words[start:end].tolist(), lengths, len(samples), before, count
                )
            heard[sentence].append(samples)
            start = end
            frames += round(len(samples) * FRAME_RATE_HZ / SAMPLE_RATE_HZ)
            control.frames(frames)
        return [
            Utterance(
                line,
                text,
                np.concatenate(parts),
                words=durations.in_order(found, len(text.split())) if found else (),
            )
            for (line, _, text), parts, found in zip(sentences, heard, timed, strict=True)
            if parts
        ]


@functools.cache
def _model() -> "hibari.Hibari":
    """Load the voice once per process, with one thread, since a worker has a process per core.

    Memory that loading freed is returned to the operating system.
    """
    with loading():
        model = durations.load()
        gc.collect()
        gc.freeze()  # excludes a quarter of a million lexicon entries from every full collection
        trim_heap()
    return model


def _tract(reference: Reference) -> VocalTract:
    if reference.preset is not None:
        return PRESETS.get(reference.preset) or VARIATIONS[reference.preset]
    if reference.samples is None or reference.sample_rate_hz is None:
        raise EngineError("a reference is a preset or a recording")
    return estimate(voiceprint(reference.samples, reference.sample_rate_hz), _own_print())


@functools.cache
def _own_print() -> Voiceprint:
    """Measure the model's own voice on a known text."""
    model = _model()
    noise = np.random.default_rng(0)
    own = VocalTract(ratio=1.0, pace=1.0, pitch=1.0)
    parts = [_speak(model.ids(chunk), own, noise)[0] for chunk in model.phonemize(OWN_TEXT)]
    return voiceprint(np.concatenate(parts), SAMPLE_RATE_HZ)


def _speak(
    ids: list[int], tract: VocalTract, noise: np.random.Generator
) -> tuple[Samples, npt.NDArray[np.float32]]:
    """Synthesise one chunk of phoneme IDs.

    Returns:
        (n,) samples at 24 kHz, and the duration of each ID in frames.
    """
    import soxr
    from hibari import dsp

    if len(ids) < _IDS_MIN:
        return np.zeros(0, np.float32), np.zeros(len(ids), np.float32)
    speed = min(_SPEED_MAX, max(_SPEED_MIN, tract.pace / tract.ratio))
    inputs = {"ids": np.array([ids], np.int64), "speed": np.array([speed], np.float32)}
    *outputs, frames = _model().sess.run((*durations.SOUND, durations.FRAMES), inputs)
    *spectra, f0 = (output[0] for output in outputs)
    samples: Samples = dsp.synth(*spectra, f0 * np.float32(tract.pitch), noise)
    if tract.ratio == 1.0:
        return samples, frames
    moved: Samples = soxr.resample(samples, SAMPLE_RATE_HZ * tract.ratio, SAMPLE_RATE_HZ)
    return moved, frames
