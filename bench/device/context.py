"""Tools of all device checks: clocks, a full-size model with random weights, decoders with full slots."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from bench.harness import fullsize
from pipeline.engines.vibevoice.checkpoint.architecture import (
    Architecture,
    ConvStackConfig,
    DiffusionHeadConfig,
    GeneratedTokens,
    LanguageConfig,
)
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, CudaGraphs, uncaptured
from pipeline.engines.vibevoice.decoding.frame_decoder import FrameDecoder
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion

PROMPT = 360
"""Positions of a prompt: about 200 words with their labels, and the frames of two voices."""
VOICE_END = 300
GIB = 2**30


@dataclass(slots=True)
class Bench:
    """One run of the checks."""

    tiny: Path
    """A small checkpoint of the real classes."""
    dry: bool
    """Small models on the CPU, to test the checks themselves."""
    seven: bool = False
    """The dimensions of 7B."""
    own_kernels: bool = True
    """Our Triton kernels replace some of torch's."""
    table: list[str] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu" if self.dry else "cuda")

    def synchronize(self) -> None:
        """Wait until the device has finished all submitted work."""
        if not self.dry:
            torch.cuda.synchronize()

    def device_ms(self, work: Callable[[], object], times: int = 20, warm_up: int = 3) -> float:
        """Median milliseconds, measured by the device's events, or by the clock on a CPU."""
        if self.dry:
            return self.wall_ms(work, 2, 1)
        for _ in range(warm_up):
            work()
        took = []
        event: Any = torch.cuda.Event
        for _ in range(times):
            start, end = event(enable_timing=True), event(enable_timing=True)
            start.record()
            work()
            end.record()
            end.synchronize()
            took.append(start.elapsed_time(end))
        return float(sorted(took)[len(took) // 2])

    def wall_ms(self, work: Callable[[], object], times: int = 20, warm_up: int = 3) -> float:
        """Median milliseconds by the clock, including the device's work."""
        for _ in range(warm_up):
            work()
        self.synchronize()
        took = []
        for _ in range(2 if self.dry else times):
            start = time.perf_counter()
            work()
            self.synchronize()
            took.append(1e3 * (time.perf_counter() - start))
        return sorted(took)[len(took) // 2]

    def capture(self) -> Capture:
        """Capture settings of a decoder on this device."""
        return uncaptured if self.dry else CudaGraphs(self.device)

    def fusion(self) -> InductorFusion:
        """Fused kernels; only traced on a machine without a device."""
        return InductorFusion("aot_eager") if self.dry else InductorFusion(own_kernels=self.own_kernels)

    def model(self) -> Model:
        """The full-size model, created on the device."""
        if not self.models:
            self.models.append(Model(Synthetic(self.architecture(), self.device), 4097))
        return self.models[0]

    def architecture(self) -> Architecture:
        """VibeVoice's published dimensions (1.5B, or 7B), or those of the small checkpoint."""
        if self.dry:
            return open_checkpoint(str(self.tiny)).architecture
        return published(seven=self.seven)

    def decoder(
        self, slots: int, *, fused: bool = True, idle: int = 0, captured: bool = True
    ) -> FrameDecoder:
        """A decoder with a segment in every slot except the last `idle`; none ends."""
        loop = FrameDecoder(
            self.model(),
            Limits(slots),
            capture=self.capture() if captured else uncaptured,
            fusion=self.fusion() if fused else None,
        )
        loop.admit({slot: self.request(slot) for slot in range(slots - idle)})
        while loop.prefills:
            loop.step()
        return loop

    def request(self, seed: int, frames: int = 2000, positions: int = PROMPT) -> SegmentRequest:
        """A segment of this many frames."""
        model = self.model()
        generator = torch.Generator().manual_seed(seed)
        hidden = model.embeddings.shape[1]
        positions = 20 if self.dry else positions
        prompt = (0.02 * torch.randn(positions, hidden, generator=generator)).to(model.dtype)
        cut = 7 if self.dry else VOICE_END
        prompt[:cut] = 0.02
        forced = (model.tokens.audio,) * frames
        return SegmentRequest(prompt, (cut,), generator, frames, forced=forced)

    def memory(self) -> dict[str, float]:
        """GiB held by torch, and GiB free on the device."""
        if self.dry:
            return {}
        return {
            "allocated_gib": round(torch.cuda.memory_allocated() / GIB, 2),
            "reserved_gib": round(torch.cuda.memory_reserved() / GIB, 2),
            "free_gib": round(torch.cuda.mem_get_info()[0] / GIB, 2),
        }

    def tidy(self) -> None:
        """Free the memory of the last check."""
        gc.collect()
        if not self.dry:
            torch.cuda.empty_cache()


class Synthetic(Weights):
    """Random weights of an architecture, made on the device on demand: no disk, and under a second."""

    def __init__(self, architecture: Architecture, device: torch.device) -> None:
        # Double precision on a CPU: its kernels of lower precision differ from those of a GPU.
        self.dtype = torch.float64 if device.type == "cpu" else torch.bfloat16
        self.device = device
        whole: Any = SimpleNamespace(
            architecture=architecture, generation={}, feature_extractor={}, is_half_precision=True
        )
        self.checkpoint, self.shapes = whole, architecture.shapes()

    def __call__(self, name: str) -> torch.Tensor:
        shape = self.shapes[name]
        noise = torch.randn(shape, device=self.device).mul_(fullsize.spread(name, shape))
        return noise.add_(fullsize.mean(name)).to(self.dtype)

    def rows(self, name: str, indices: list[int]) -> torch.Tensor:
        return self(name)[: len(indices)]


def published(*, seven: bool) -> Architecture:
    """The dimensions of the published checkpoints."""
    filters: dict[str, Any] = {"channels": 1, "filters": 32, "kernel": 7, "ratios": (2, 2, 4, 5, 5, 8)}
    stack: dict[str, Any] = {**filters, "depths": (3, 3, 3, 3, 3, 3, 8), "expansion": 4, "epsilon": 1e-5}
    small = LanguageConfig(151936, 1536, 8960, 28, 12, 2, 1e-6, 1e6, 65536, True)
    large = LanguageConfig(152064, 3584, 18944, 28, 28, 4, 1e-6, 1e6, 32768, False)
    head = (
        DiffusionHeadConfig(3584, 10752, 4, 64, 1e-5, 256, 1e4)
        if seven
        else DiffusionHeadConfig(1536, 4608, 4, 64, 1e-5, 256, 1e4)
    )
    return Architecture(
        GeneratedTokens(151652, 151653, 151654, 151643),
        large if seven else small,
        head,
        ConvStackConfig("model.audio_tower.encoder.", 64, **stack),
        ConvStackConfig("model.audio_tower.decoder.", 64, upward=True, **stack),
        ConvStackConfig("model.semantic_tokenizer_encoder.", 128, **stack),
    )
