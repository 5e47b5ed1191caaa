"""The stages that run on a device, with the weights and caches that they hold there."""

import hashlib
import logging
import sys
import threading

import numpy as np
import numpy.typing as npt
import torch
from cachetools import LRUCache

from pipeline.engines.heap import trim_heap
from pipeline.engines.protocol import Control, Reference
from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import Checkpoint
from pipeline.engines.vibevoice.checkpoint.mapped_tensor import TORCH_DTYPES
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import CudaGraphs
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import (
    Limits,
    Precision,
    SegmentInputs,
    SegmentRequest,
    SlotDecoder,
    assemble_prompt,
)
from pipeline.engines.vibevoice.decoding.scheduler import Scheduler
from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.layers.int8_linear import Int8Linear
from pipeline.engines.vibevoice.layers.linear import has_fp16_weight_kernel, make_linear
from pipeline.engines.vibevoice.model import speaker_encoder
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime import torch_errors, torch_internals
from pipeline.engines.vibevoice.runtime.allocator import cap_primitive_caches, retain_freed_blocks
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion
from pipeline.engines.vibevoice.runtime.idle_unload import LazyResource
from pipeline.engines.vibevoice.runtime.thread_teams import run_in_transient_thread
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.errors import EngineError

log = logging.getLogger(__name__)

SLOTS_CUDA, SLOTS_CPU = 64, 8
"""Default limits of slots: throughput grows up to 64 on a GPU and up to 8 on a CPU."""
SWITCH_S = 0.0005
"""Interpreter switch interval, so that the decoding thread gets the GIL in time; Python's default of 5 ms is
longer than a frame.
"""


class Device:
    """Device stages on one accelerator, or the CPU."""

    def __init__(self, checkpoint: Checkpoint, settings: EngineSettings) -> None:
        """
        Raises:
            InternalsError: another release of torch is installed, which lacks what is used of it.
        """
        self.checkpoint, self.settings = checkpoint, settings
        self.device = torch.device(settings.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch_internals.check(compiler=self.device.type == "cuda")
        if self.device.type == "cpu":
            retain_freed_blocks()
            cap_primitive_caches()
            if not settings.own_kernels:
                runtime.switch_off()
        self.lock = threading.Lock()
        self.schedulers: dict[Precision, Scheduler] = {}
        self.encoders: dict[torch.dtype, LazyResource[speaker_encoder.SpeakerEncoder]] = {}
        self.voices: LRUCache[bytes, torch.Tensor] = LRUCache(
            settings.voices_bytes, getsizeof=lambda voice: voice.nbytes
        )

    def dtype(self, name: str) -> torch.dtype:
        """Resolve the name of a type.

        'auto' is bfloat16 if the device supports it natively, else float16 on CUDA and float32 elsewhere.
        """
        if name != "auto":
            return TORCH_DTYPES[name]
        if self.device.type == "cuda":
            able = torch.cuda.is_bf16_supported(including_emulation=False)
            return torch.bfloat16 if able else torch.float16
        able = self.device.type != "cpu" or torch_internals.onednn_supports_bf16()
        return torch.bfloat16 if able else torch.float32

    def precision(self, dtype: str, *, quantized: bool) -> Precision:
        """Resolve the precision of a decoder.

        Args:
            dtype: the name of a type, or 'auto'.
            quantized: use int8 weights.

        Raises:
            EngineError: the device does not support int8 weights.
        """
        found = Precision(self.dtype(dtype), quantized)
        if quantized and self.device.type == "cuda":
            raise EngineError("int8 weights have no fast kernel on CUDA; leave out `quantize`")
        if quantized and found.dtype != torch.bfloat16:
            raise EngineError(f"int8 weights need bfloat16, not {_name(found.dtype)}; leave out `quantize`")
        return found

    def slots(self, precision: Precision) -> int:
        """Segments decoded at once: the setting, or as many as fit beside the speaker stage."""
        settings = self.settings
        if settings.slots is not None:
            return settings.slots
        held_bytes = self.decoder_bytes(precision) + self.speaker_bytes(precision) + settings.prefix_bytes
        return footprint.fitting_slots(
            self.free_bytes(), held_bytes, self.slot_bytes(precision), self.slots_max()
        )

    def slots_max(self) -> int:
        """Limit of slots where their number is not set."""
        return self.settings.slots_max or (SLOTS_CUDA if self.device.type == "cuda" else SLOTS_CPU)

    def decoder_bytes(self, precision: Precision) -> int:
        """Size of the diffusion stage's weights."""
        return footprint.decoder_bytes(
            self.checkpoint.architecture,
            precision.dtype.itemsize,
            quantized=precision.quantized,
            fp16_weights=self._fp16_weights(precision),
        )

    def speaker_bytes(self, precision: Precision) -> int:
        """Size of the speaker stage's weights."""
        return footprint.speaker_bytes(
            self.checkpoint.architecture, precision.dtype.itemsize, fp16_weights=self._fp16_weights(precision)
        )

    def slot_bytes(self, precision: Precision) -> int:
        """Size of one slot's KV caches and streaming state; on an accelerator also audio and workspace."""
        settings, architecture = self.settings, self.checkpoint.architecture
        item_bytes = precision.dtype.itemsize
        caches = footprint.slot_bytes(architecture, settings.positions, settings.frames, item_bytes)
        if self.device.type == "cpu":
            return caches
        return caches + footprint.frame_bytes(architecture, settings.frames, item_bytes)

    def free_bytes(self) -> int:
        """Free memory of the device, or the limit in the settings."""
        if self.settings.memory_bytes is not None:
            return self.settings.memory_bytes
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0]
        return footprint.available_bytes()

    def _fp16_weights(self, precision: Precision) -> bool:
        return self.checkpoint.is_half_precision and has_fp16_weight_kernel(precision.dtype, self.device)

    def embed(self, reference: Reference, dtype: torch.dtype) -> torch.Tensor:
        """Embed a voice, once per recording, even if several threads ask at the same time.

        Returns:
            (frames, hidden).

        Raises:
            VoiceError: there is no recording, or it is silent.
            OutOfMemoryError, DeviceLostError: transient; retry.
        """
        with torch_errors.translate():
            return run_in_transient_thread(lambda: self._embed(reference, dtype))

    def _embed(self, reference: Reference, dtype: torch.dtype) -> torch.Tensor:
        """Embed a recording unless it is cached; the lookup is cheaper than preparing the samples."""
        key = _recording_key(reference, dtype)
        with self._encoder(dtype).use() as encode:
            with self.lock:
                found = self.voices.get(key)
            if found is None:
                feature_extractor, seconds_max = self.checkpoint.feature_extractor, self.settings.reference_s
                found = encode(speaker_encoder.prepare(reference, feature_extractor, seconds_max))
                self._cache_voice(key, found)
        return found

    def _cache_voice(self, key: bytes, voice: torch.Tensor) -> None:
        with self.lock:
            if voice.nbytes <= self.voices.maxsize:
                self.voices[key] = voice

    def speak(self, inputs: SegmentInputs, precision: Precision, control: Control) -> npt.NDArray[np.float32]:
        """Decode a segment, and block until it is done.

        Returns:
            (n,) float32 samples.

        Raises:
            EngineError: the segment does not fit a slot, or was made for another model.
            OutOfMemoryError, DeviceLostError: transient; retry.
        """
        prompt, cuts = run_in_transient_thread(lambda: assemble_prompt(inputs))
        hidden = self.checkpoint.architecture.language.hidden
        if prompt.shape[1] != hidden:
            raise EngineError(f"the segment is for a model of width {prompt.shape[1]}, not {hidden}")
        room = min(self.settings.positions - len(prompt), self.settings.frames)
        if room < inputs.frames:
            raise EngineError(
                f"the segment needs {len(prompt)} positions and about {inputs.frames} frames; a slot has "
                f"{self.settings.positions} positions and {self.settings.frames} frames"
            )

        most = min(inputs.frames_max, room)

        def make() -> SegmentRequest:
            noise = torch.Generator().manual_seed(inputs.seed)
            return SegmentRequest(prompt, cuts, noise, most, inputs.guidance, inputs.steps)

        samples = self.scheduler(precision).decode(make, inputs.frames, control)
        if len(samples) >= most * self.checkpoint.architecture.hop:
            log.warning("segment cut at its frame limit", extra={"frames": most})
        return samples.astype(np.float32, copy=False)

    def _weights(self, dtype: torch.dtype) -> Weights:
        return Weights(self.checkpoint, dtype, self.device)

    def _encoder(self, dtype: torch.dtype) -> LazyResource[speaker_encoder.SpeakerEncoder]:
        with self.lock:
            if dtype not in self.encoders:
                self.encoders[dtype] = LazyResource(
                    lambda: speaker_encoder.SpeakerEncoder(self._weights(dtype)), self.settings.idle_s
                )
            return self.encoders[dtype]

    def scheduler(self, precision: Precision) -> Scheduler:
        """Return the scheduler of that precision, made once."""
        with self.lock:
            if precision not in self.schedulers:
                settings, slots = self.settings, self.slots(precision)
                self.schedulers[precision] = Scheduler(
                    lambda slots: self.decoder(precision, slots), slots, settings.idle_s, settings.stall_s
                )
            return self.schedulers[precision]

    def decoder(self, precision: Precision, slots: int) -> SlotDecoder:
        """Load a decoder."""
        sys.setswitchinterval(SWITCH_S)
        settings = self.settings
        limits = Limits(slots, settings.positions, settings.frames, settings.prefix_bytes)
        linear = Int8Linear if precision.quantized else make_linear
        model = Model(self._weights(precision.dtype), max(settings.positions, settings.frames) + 1, linear)
        trim_heap()  # freed by the conversion of each weight
        if self.device.type == "cpu":
            return Decoder(model, limits)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            return FrameDecoder(
                model,
                limits,
                capture=CudaGraphs(self.device),
                fusion=InductorFusion(own_kernels=settings.own_kernels),
            )
        return FrameDecoder(model, limits)


def _recording_key(reference: Reference, dtype: torch.dtype) -> bytes:
    """Compute the cache key of a recording's embedding."""
    found = hashlib.sha256(f"{dtype} {reference.sample_rate_hz}".encode())
    if reference.samples is not None:
        found.update(reference.samples.tobytes())
    return found.digest()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
