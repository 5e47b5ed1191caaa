"""The stages that run on a device, with what they hold there."""

import hashlib
import logging
import sys
import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.protocol import Control, Reference
from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.files import Checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import CudaGraphs
from pipeline.engines.vibevoice.decoding.decoder import Decoder
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import (
    Limits,
    Precision,
    Request,
    SlotDecoder,
    Spoken,
    assemble,
)
from pipeline.engines.vibevoice.decoding.scheduler import Scheduler
from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.layers.int8_linear import Int8Linear
from pipeline.engines.vibevoice.layers.linear import has_fp16_weight_kernel, make_linear
from pipeline.engines.vibevoice.model import speaker_encoder
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime import torch_errors
from pipeline.engines.vibevoice.runtime.allocator import cap_primitive_caches, retain_freed_blocks, trim_heap
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion
from pipeline.engines.vibevoice.runtime.idle_unload import LazyResource
from pipeline.engines.vibevoice.runtime.thread_teams import run_in_transient_thread
from pipeline.engines.vibevoice.settings import Settings
from pipeline.errors import EngineError

log = logging.getLogger(__name__)

SLOTS_CUDA, SLOTS_CPU = 64, 8
"""Most slots that are taken unasked: a GPU gains up to 64, a CPU nothing past 8."""
SWITCH_S = 0.0005
"""How long another thread may keep the interpreter while the decoding thread wants it; Python's own 5 ms are
longer than a frame.
"""


class Device:
    """One accelerator, or the CPU."""

    def __init__(self, checkpoint: Checkpoint, settings: Settings) -> None:
        self.checkpoint, self.settings = checkpoint, settings
        self.device = torch.device(settings.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if self.device.type == "cpu":
            retain_freed_blocks()
            cap_primitive_caches()
            if not settings.own_kernels:
                runtime.switch_off()
        self.lock = threading.Lock()
        self.schedulers: dict[Precision, Scheduler] = {}
        self.encoders: dict[torch.dtype, LazyResource[speaker_encoder.SpeakerEncoder]] = {}
        self.voices: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def dtype(self, name: str) -> torch.dtype:
        """The type of that name; 'auto' is bfloat16 where the device computes in it, else float16 on CUDA
        (where bfloat16 is emulated) and float32 elsewhere.
        """
        if name != "auto":
            found: torch.dtype = getattr(torch, name)
            return found
        if self.device.type == "cuda":
            able = torch.cuda.is_bf16_supported(including_emulation=False)
            return torch.bfloat16 if able else torch.float16
        able = self.device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return torch.bfloat16 if able else torch.float32

    def precision(self, dtype: str, *, quantized: bool) -> Precision:
        """
        Raises:
            EngineError: the device doesn't compute in bfloat16, and eight-bit weights are asked for.
        """
        found = Precision(self.dtype(dtype), quantized)
        if quantized and self.device.type == "cuda":
            raise EngineError("eight-bit weights have no fast kernel on CUDA; leave out `quantize`")
        if quantized and found.dtype != torch.bfloat16:
            raise EngineError("eight-bit weights compute in bfloat16, which this device has not")
        return found

    def slots(self, precision: Precision) -> int:
        """Segments decoded at once: as set, or as many as fit beside the speaker stage."""
        settings = self.settings
        if settings.slots is not None:
            return settings.slots
        held_bytes = self.decoder_bytes(precision) + self.speaker_bytes(precision) + settings.prefix_bytes
        return footprint.fitting_slots(
            self.free_bytes(), held_bytes, self.slot_bytes(precision), self.slots_max()
        )

    def slots_max(self) -> int:
        """Most slots where as many as fit are taken."""
        return self.settings.slots_max or (SLOTS_CUDA if self.device.type == "cuda" else SLOTS_CPU)

    def decoder_bytes(self, precision: Precision) -> int:
        """Weights of the diffusion stage."""
        return footprint.decoder_bytes(
            self.checkpoint.architecture,
            precision.dtype.itemsize,
            quantized=precision.quantized,
            fp16_weights=self._fp16_weights(precision),
        )

    def speaker_bytes(self, precision: Precision) -> int:
        """Weights of the speaker stage."""
        return footprint.speaker_bytes(
            self.checkpoint.architecture, precision.dtype.itemsize, fp16_weights=self._fp16_weights(precision)
        )

    def slot_bytes(self, precision: Precision) -> int:
        """Caches of one slot, and on an accelerator what its frames are kept and computed in."""
        settings, architecture = self.settings, self.checkpoint.architecture
        item_bytes = precision.dtype.itemsize
        caches = footprint.slot_bytes(architecture, settings.positions, settings.frames, item_bytes)
        if self.device.type == "cpu":
            return caches
        return caches + footprint.frame_bytes(architecture, settings.frames, item_bytes)

    def free_bytes(self) -> int:
        """What the device can give, or what the settings allow."""
        if self.settings.memory_bytes is not None:
            return self.settings.memory_bytes
        if self.device.type == "cuda":
            return torch.cuda.mem_get_info(self.device)[0]
        return footprint.available_bytes()

    def _fp16_weights(self, precision: Precision) -> bool:
        return self.checkpoint.half and has_fp16_weight_kernel(precision.dtype, self.device)

    def embed(self, reference: Reference, dtype: torch.dtype) -> torch.Tensor:
        """(frames, hidden) of a voice; once for each recording, however many ask at the same time.

        Raises:
            VoiceError: there is no recording, or nothing is heard in it.
            OutOfMemoryError, DeviceLostError: worth another try.
        """
        with torch_errors.translate():
            return run_in_transient_thread(lambda: self._embed(reference, dtype))

    def _embed(self, reference: Reference, dtype: torch.dtype) -> torch.Tensor:
        """Embed a recording that was not embedded before; preparing one takes longer than recognising it."""
        key = _recording_key(reference, dtype)
        with self._encoder(dtype).use() as encode:
            found = self.voices.get(key)
            if found is None:
                hearing, seconds_max = self.checkpoint.hearing, self.settings.reference_s
                found = encode(speaker_encoder.prepare(reference, hearing, seconds_max))
            self._keep(key, found)
        return found

    def _keep(self, key: bytes, voice: torch.Tensor) -> None:
        with self.lock:
            self.voices[key] = voice
            self.voices.move_to_end(key)
            while sum(voice.nbytes for voice in self.voices.values()) > self.settings.voices_bytes:
                self.voices.popitem(last=False)

    def speak(self, spoken: Spoken, precision: Precision, control: Control) -> npt.NDArray[np.float32]:
        """(n,) samples; blocks until they are there.

        Raises:
            EngineError: the segment is too long for a slot.
        """
        prompt, cuts = run_in_transient_thread(lambda: assemble(spoken))
        hidden = self.checkpoint.architecture.language.hidden
        if prompt.shape[1] != hidden:
            raise EngineError(f"the segment was made for a model of width {prompt.shape[1]}, not {hidden}")
        room = min(self.settings.positions - len(prompt), self.settings.frames)
        if room < spoken.frames:
            raise EngineError(
                f"the segment needs {len(prompt)} positions and about {spoken.frames} frames; a slot has "
                f"{self.settings.positions} positions and {self.settings.frames} frames"
            )

        most = min(spoken.frames_max, room)

        def make() -> Request:
            noise = torch.Generator().manual_seed(spoken.seed)
            return Request(prompt, cuts, noise, most, spoken.guidance, spoken.steps)

        samples = self.scheduler(precision).decode(make, spoken.frames, control)
        if len(samples) >= most * self.checkpoint.architecture.hop:
            log.warning("segment cut at its most frames", extra={"frames": most})
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
        """The one that decodes in that precision."""
        with self.lock:
            if precision not in self.schedulers:
                settings, slots = self.settings, self.slots(precision)
                self.schedulers[precision] = Scheduler(
                    lambda slots: self.decoder(precision, slots), slots, settings.idle_s, settings.still_s
                )
            return self.schedulers[precision]

    def decoder(self, precision: Precision, slots: int) -> SlotDecoder:
        """Load the parts that speak."""
        sys.setswitchinterval(SWITCH_S)
        settings = self.settings
        limits = Limits(slots, settings.positions, settings.frames, settings.prefix_bytes)
        linear = Int8Linear if precision.quantized else make_linear
        model = Model(self._weights(precision.dtype), max(settings.positions, settings.frames) + 1, linear)
        trim_heap()  # what the conversion of each weight has left
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
    """Key of a recording's embedding."""
    found = hashlib.sha256(f"{dtype} {reference.sample_rate_hz}".encode())
    if reference.samples is not None:
        found.update(reference.samples.tobytes())
    return found.digest()
