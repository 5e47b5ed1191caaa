"""VibeVoice as an engine. Importing this module does not import torch; the device stages do on first use."""

import threading
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Arrays
from pipeline.engines.load_timing import loading
from pipeline.engines.protocol import (
    PARTS,
    Control,
    Options,
    Profile,
    Reference,
    SegmentText,
    Utterance,
    Wording,
)
from pipeline.engines.vibevoice import frame_plan
from pipeline.engines.vibevoice import options as rules
from pipeline.engines.vibevoice.checkpoint.files import Checkpoint, open_checkpoint
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.engines.vibevoice.text import embedding_table
from pipeline.errors import EngineError
from pipeline.normalization.normalizer import normalized
from pipeline.script.plain import character_name
from pipeline.script.words import count_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from pipeline.engines.vibevoice.decoding.request import SegmentInputs
    from pipeline.engines.vibevoice.device import Device

DEFAULT_MODEL = "vibevoice/VibeVoice-1.5B-hf"
PROFILE = Profile(
    name="vibevoice",
    sample_rate_hz=24_000,
    frame_rate_hz=7.5,
    words_min=150,
    words_max=250,
    speakers_max=4,
    languages=("en", "zh"),
    reference_needed=True,
    pool="threads",
    stage_version=1,
    words_per_s=7.5 / frame_plan.FRAMES_PER_WORD,
    separates_lines=False,
    normalizes=True,
    requires=("torch", "tokenizers", "llvmlite"),
    takes=({}, {"guidance": 1.6}, {PARTS: 2}, {"guidance": 1.6, "steps": 20, PARTS: 2}),
    take_options=("guidance", "steps", PARTS),
)


class VibeVoice:
    """The four stages over one checkpoint. Thread-safe."""

    def __init__(
        self,
        model: str | None = None,
        settings: EngineSettings | None = None,
        slots: int | None = None,
        own_kernels: bool | None = None,
    ) -> None:
        """
        Args:
            model: a folder, or an ID on the hub; see `checkpoint.source`.
            slots, own_kernels: override the settings.
        """
        self.model, self.settings = model or DEFAULT_MODEL, settings or EngineSettings()
        if slots is not None:
            self.settings = replace(self.settings, slots=slots)
        if own_kernels is not None:
            self.settings = replace(self.settings, own_kernels=own_kernels)
        self.lock = threading.RLock()

    @property
    def profile(self) -> Profile:
        return PROFILE

    @property
    def slots(self) -> int:
        """Segments decoded at once on this machine, in the default precision."""
        return self.device.slots(self.device.precision("auto", quantized=False))

    def wording(self, text: str, kinds: Collection[str] = ()) -> Wording:
        """Refuse control tokens, and symbols that the model has never heard; it knows all other text.

        Args:
            kinds: kinds of `pipeline.normalization` that are written in words.
        """
        found = [token for token in self.control_tokens if token in text]
        symbols = dict.fromkeys(c for c in text if c != "°" and unicodedata.category(c) == "So")
        return Wording(
            normalized(text, kinds),
            (
                *(f"{token} is a control token of the model; remove it" for token in found),
                *(f"has {character_name(symbol)}; write it in words" for symbol in symbols),
            ),
            unspeakable=tuple(symbols),
        )

    def pronounced(self, written: str, ipa: str) -> None:
        """Return None: the model reads no IPA."""

    def options(self, given: Options) -> Options:
        return rules.canonical(given)

    def revision(self) -> str:
        return self.checkpoint.revision()

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint.

        Raises:
            EngineError: there is none, or it is incomplete or of another model.
        """
        with loading():
            return open_checkpoint(self.model).check()

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        with loading():
            from pipeline.engines.vibevoice.text.prompt import load_tokenizer

            return load_tokenizer(self.checkpoint.folder)

    @cached_property
    def control_tokens(self) -> tuple[str, ...]:
        tokenizer = self.tokenizer
        from pipeline.engines.vibevoice.text.prompt import control_tokens

        return control_tokens(tokenizer)

    @property
    def device(self) -> "Device":
        """The device stages, made once; threads that ask meanwhile wait for torch to be imported."""
        if "_device" in vars(self):
            return self._device
        with loading(), self.lock:
            return self._device

    @cached_property
    def _device(self) -> "Device":
        from pipeline.engines.vibevoice.device import Device

        return Device(self.checkpoint, self.settings)

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        """Tokenize the prompt.

        Returns:
            `ids` (n,) int32, with one placeholder per voice.

        Raises:
            EngineError: a line has a control token.
        """
        texts = [line.text for line in segment.lines]
        for reason in (reason for text in texts for reason in self.wording(text).problems):
            raise EngineError(reason)
        tokenizer = self.tokenizer
        from pipeline.engines.vibevoice.text import prompt

        return Arrays(
            {"ids": prompt.encode(tokenizer, segment)},
            {"words": str(sum(map(count_words, texts))), "lines": str(len(texts)), "text": " ".join(texts)},
        )

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        """Embed the prompt, and plan its frames.

        Returns:
            `vectors` (n, hidden), rows of the embedding table; `voices` (speakers,) int32, positions of the
            placeholders.
        """
        ids = np.asarray(tokens.arrays["ids"], np.int32)
        vectors, kind = embedding_table.rows(self.checkpoint, ids)
        frames, frames_max = frame_plan.frames(float(tokens.meta["words"]))
        places = np.flatnonzero(ids == self.checkpoint.architecture.tokens.audio).astype(np.int32)
        lines = {name: tokens.meta[name] for name in ("lines", "text")}
        return Arrays(
            {"vectors": vectors, "voices": places},
            {**lines, "kind": kind, "frames": str(frames), "frames_max": str(frames_max)},
        )

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        """Embed a reference recording.

        Returns:
            `voice` (frames, hidden).
        """
        device = self.device
        from pipeline.engines.vibevoice.runtime import tensor_arrays

        voice, kind = tensor_arrays.pack(device.embed(reference, device.dtype(str(options["dtype"]))))
        return Arrays({"voice": voice}, {"kind": kind})

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        """Decode a segment to one utterance with all lines: the model does not mark where a line ends."""
        device = self.device
        from pipeline.engines.vibevoice.runtime.thread_teams import run_in_transient_thread

        inputs = run_in_transient_thread(lambda: _segment_inputs(semantic, speakers, seed, options))
        precision = device.precision(str(options["dtype"]), quantized=bool(options["quantize"]))
        samples = device.speak(inputs, precision, control)
        if not samples.size:
            raise EngineError("the model ended the segment before its first frame; try another seed")
        return [Utterance(0, semantic.meta["text"], samples, lines=int(semantic.meta["lines"]))]


def _segment_inputs(
    semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options
) -> "SegmentInputs":
    """Convert the results of the earlier stages to tensors.

    Raises:
        EngineError: the numbers of speakers and embeddings differ.
    """
    from pipeline.engines.vibevoice.decoding.request import SegmentInputs
    from pipeline.engines.vibevoice.runtime.tensor_arrays import unpack

    places = tuple(int(place) for place in np.asarray(semantic.arrays["voices"]))
    if len(places) != len(speakers):
        raise EngineError(f"the segment has {len(places)} speakers, but {len(speakers)} speaker embeddings")
    return SegmentInputs(
        words=unpack(semantic.arrays["vectors"], semantic.meta["kind"]),
        places=places,
        voices=tuple(unpack(one.arrays["voice"], one.meta["kind"]) for one in speakers),
        frames=int(semantic.meta["frames"]),
        frames_max=int(semantic.meta["frames_max"]),
        seed=seed,
        guidance=float(options["guidance"]),
        steps=int(options["steps"]),
    )
