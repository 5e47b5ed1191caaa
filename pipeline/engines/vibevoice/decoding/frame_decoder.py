"""Continuous batching on an accelerator: one launch and one synchronisation per frame of all slots.

Rows are controlled on the device (`frame`). The host runs one frame behind: it launches a frame, then reads
the tokens of the frame before. So a finished row occupies its slot for one more frame.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.weights import at_least_float32
from pipeline.engines.vibevoice.decoding import frame
from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, Captured, on_stream, uncaptured
from pipeline.engines.vibevoice.decoding.frame import Frame
from pipeline.engines.vibevoice.decoding.prefill import Prompt, PromptProgress
from pipeline.engines.vibevoice.decoding.prefix_cache import PrefixCache
from pipeline.engines.vibevoice.decoding.prompt_reader import BUCKETS, PromptReader, pinned
from pipeline.engines.vibevoice.decoding.request import Limits, SegmentRequest
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion, NoFusion

STEPS = 10
"""Number of solver steps for which a frame is captured at start."""
GRAPHS_MAX = 2
"""Most captured frames, one per number of solver steps."""


class HostCopy:
    """Asynchronous copy of a device tensor to the host, complete once `wait` returns."""

    def __init__(self, source: torch.Tensor) -> None:
        self.held = torch.empty(source.shape, dtype=source.dtype, pin_memory=source.is_cuda)
        self.held.copy_(source, non_blocking=True)
        self.event: Any = None
        if source.is_cuda:
            event: Any = torch.cuda.Event
            self.event = event(blocking=True)
            self.event.record()

    def wait(self) -> torch.Tensor:
        """Wait for the copy and return it."""
        if self.event is not None:
            self.event.synchronize()
        return self.held


@dataclass(slots=True, eq=False)
class FrameRow:
    """Segment in a slot."""

    request: SegmentRequest
    prefilling: bool = True
    """True until the whole prompt is in the KV cache."""
    tokens: list[int] = field(default_factory=list)
    frames_done: int = 0
    """Frames decoded so far."""
    sound: HostCopy | None = None
    """(frames, hop); None until the segment has ended."""
    done: bool = False

    def samples(self) -> npt.NDArray[np.floating]:
        """Return all samples, (n,), in the precision of the model but at least float32."""
        if self.sound is None:
            raise RuntimeError("no samples: the segment has not ended")
        sound = self.sound.wait()
        found: npt.NDArray[np.floating] = sound.to(at_least_float32(sound.dtype)).flatten().numpy()
        return found


class FrameDecoder:
    """Decoder for accelerators: every frame has the same shapes, and computes all slots."""

    def __init__(
        self,
        model: Model,
        limits: Limits,
        *,
        capture: Capture = uncaptured,
        fusion: InductorFusion | None = None,
    ) -> None:
        """
        Args:
            capture: turns a frame into one launch.
            fusion: compiles regions of the frame; None runs them uncompiled.
        """
        self.model, self.limits, self.capture, self.fusion = model, limits, capture, fusion
        self.tokens, self.dtype, self.device = model.tokens, model.dtype, model.device
        self.rows: list[FrameRow | None] = [None] * limits.slots
        self.prefills: deque[PromptProgress] = deque()
        self.prefilled_positions = 0
        """Positions done of the current piece of the first prompt in `prefills`."""
        self.in_flight: deque[tuple[HostCopy, dict[int, FrameRow]]] = deque()
        self.prefix_cache = PrefixCache(limits.prefix_bytes)
        self.passes = 0
        """Prefill passes so far."""
        with torch.inference_mode(), on_stream(capture):
            self.frame = Frame(model, limits, NoFusion() if fusion is None else fusion)
            self.reader = PromptReader(model.language, self.frame.cache, capture)
            self.frames = Captured(capture, GRAPHS_MAX)
            start = model.embeddings[self.frame.legal[self.tokens.audio_start]]
            self.reader(0, 0, start[None].cpu())
            self.start_state = self.reader.state.clone()
            self.start_pairs = self.frame.cache.copy_out(0, 0, 1)
            self._prepare(STEPS)

    @property
    def active(self) -> list[int]:
        """Slots with a segment."""
        return [slot for slot, row in enumerate(self.rows) if row is not None]

    @property
    def free(self) -> list[int]:
        """Slots without a segment."""
        return [slot for slot, row in enumerate(self.rows) if row is None]

    @property
    def refusals(self) -> int | None:
        """Number of parts that run uncaptured because capturing failed; None where nothing is captured."""
        if self.capture is uncaptured:
            return None
        return self.frames.refusals + self.reader.captured.refusals

    def row(self, slot: int) -> FrameRow:
        """Return the segment in a slot.

        Raises:
            KeyError: the slot is free.
        """
        row = self.rows[slot]
        if row is None:
            raise KeyError(f"slot {slot} is free")
        return row

    @torch.inference_mode()
    def admit(self, requests: Mapping[int, SegmentRequest]) -> dict[int, FrameRow]:
        """Put segments into free slots; their prompts are prefilled between frames.

        Args:
            requests: by slot.
        """
        for slot, request in requests.items():
            with on_stream(self.capture):
                self.frame.cache.clear(slot)
            self.rows[slot] = FrameRow(request)
            self.prefills.append(PromptProgress(slot, Prompt(request.prompt.to(self.dtype), request.cuts)))
        return {slot: self.row(slot) for slot in requests}

    @torch.inference_mode()
    def release(self, slot: int) -> None:
        """Free a slot, finished or not."""
        row, self.rows[slot] = self.rows[slot], None
        if row is None or row.done:
            return
        if self.prefills and self.prefills[0].slot == slot:
            self.prefilled_positions = 0
        self.prefills = deque(one for one in self.prefills if one.slot != slot)
        with on_stream(self.capture):
            self.frame.control[slot, frame.ALIVE] = 0

    @torch.inference_mode()
    def step(self) -> None:
        """Run at most one prefill pass, launch a frame, and read the tokens of the one before.

        A segment whose row is `done` must be released before the next step.
        """
        with on_stream(self.capture):
            if self.prefills:
                self._prefill()
            working = {
                slot: row
                for slot, row in enumerate(self.rows)
                if row is not None and not row.prefilling and row.sound is None
            }
            ended = [row for row in self.rows if row is not None and row.sound is not None]
            if working:
                self._launch(working)
            for row in ended:
                row.done = True
            if len(self.in_flight) > (1 if working else 0):
                self._collect_frame()

    def _prepare(self, steps: int) -> None:
        """Compile and capture a frame before it is needed; without a compiler regions run uncompiled."""
        with self.frame.idle():
            while not self._compiles(steps):
                pass
            self.frames(steps, lambda: self.frame(steps))

    def _compiles(self, steps: int) -> bool:
        """Run a frame to compile its regions; return False if it must run again with fewer compiled."""
        try:
            self.frame(steps)
        except Exception as error:
            if self.fusion is not None and self.fusion.degrade(error):
                return False
            raise
        return True

    def _launch(self, working: dict[int, FrameRow]) -> None:
        steps = max(row.request.steps for row in working.values())
        if steps not in self.frames.replays:
            self._prepare(steps)
        self.frames(steps, lambda: self.frame(steps))
        self.in_flight.append((HostCopy(self.frame.chosen), working))

    def _collect_frame(self) -> None:
        """Read the tokens of the oldest frame in flight."""
        download, rows = self.in_flight.popleft()
        chosen = download.wait().tolist()
        for slot, row in rows.items():
            if chosen[slot] < 0 or row.sound is not None:
                continue
            token = self.tokens.legal[chosen[slot]]
            row.tokens.append(token)
            row.frames_done += token == self.tokens.audio
            if token == self.tokens.end or len(row.tokens) >= self._tokens_max(row.request):
                row.sound = HostCopy(self.frame.sound[slot, : row.frames_done])

    def _prefill(self) -> None:
        """Run one prefill pass; pieces in the prefix cache are copied first."""
        progress = self.prefills[0]
        while not progress.last and (pairs := self.prefix_cache.get(progress.key)) is not None:
            self.frame.cache.copy_in(progress.slot, progress.piece.start, pairs)
            progress.advance()
        piece = progress.piece
        chunk = piece.x[self.prefilled_positions :][: BUCKETS[-1]]
        self.reader(progress.slot, piece.start + self.prefilled_positions, chunk)
        self.passes += 1
        self.prefilled_positions += len(chunk)
        if self.prefilled_positions < len(piece.x):
            return
        self.prefilled_positions = 0
        if not progress.last:
            pairs = self.frame.cache.copy_out(progress.slot, piece.start, piece.end)
            self.prefix_cache.put(progress.key, pairs)
        progress.advance()
        if progress.finished:
            self.prefills.popleft()
            self._start(progress.slot, len(progress.prompt.x))

    def _start(self, slot: int, positions: int) -> None:
        """Activate a segment whose prompt is in the KV cache."""
        row, state, tables = self.row(slot), self.frame, self.frame.tables
        request = row.request
        state.states[slot] = self.reader.state
        state.states[self.limits.slots + slot] = self.start_state
        state.cache.copy_in(slot, 0, self.start_pairs, negative=True)
        state.memory[slot] = 0
        frames = self._tokens_max(request)
        noise = torch.randn(frames, 2, self.model.latent, generator=request.noise)[:, 0]
        forced = torch.full((self.limits.frames,), -1, dtype=torch.int64)
        given = [state.legal[token] for token in request.forced][: self.limits.frames]
        forced[: len(given)] = torch.tensor(given, dtype=torch.int64)
        state.noise[slot, :frames].copy_(pinned(noise, state.noise), non_blocking=True)
        state.forced[slot].copy_(pinned(forced, state.forced), non_blocking=True)
        state.guidance[slot] = request.guidance
        tables.put(slot, self.model.sampler.schedule(request.steps))
        control = torch.zeros(6, dtype=torch.int64)
        control[frame.POSITION], control[frame.TOKENS_MAX], control[frame.ALIVE] = positions, frames, 1
        state.control[slot].copy_(pinned(control, state.control), non_blocking=True)
        row.prefilling = False

    def _tokens_max(self, request: SegmentRequest) -> int:
        """Most tokens of a segment: as asked for, and no more than its slot has room for."""
        return min(request.tokens_max, self.limits.frames)
