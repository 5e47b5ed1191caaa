"""Continuous batching on an accelerator: one launch and one wait for a frame of all slots.

What a row does is decided on the device (`frame`). The host is a frame behind: it launches a frame, then
takes note of the one before: which token each row took. A row that has ended costs its slot one more frame.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines.vibevoice.checkpoint.weights import wide
from pipeline.engines.vibevoice.decoding import frame
from pipeline.engines.vibevoice.decoding.cuda_graphs import Capture, Captured, on_stream, uncaptured
from pipeline.engines.vibevoice.decoding.frame import Frame
from pipeline.engines.vibevoice.decoding.prefill import Prompt, Reading
from pipeline.engines.vibevoice.decoding.prefix_cache import Prefixes
from pipeline.engines.vibevoice.decoding.prompt_reader import BUCKETS, PromptReader, pinned
from pipeline.engines.vibevoice.decoding.request import Limits, Request
from pipeline.engines.vibevoice.model.model import Model
from pipeline.engines.vibevoice.runtime.fusion import InductorFusion, NoFusion

STEPS = 10
"""Solver steps that are captured before the first segment comes."""
GRAPHS_MAX = 2
"""Frames of different numbers of solver steps that stay captured."""


class Download:
    """A copy of a device's tensor to the host, under way until `wait` returns."""

    def __init__(self, source: torch.Tensor) -> None:
        self.held = torch.empty(source.shape, dtype=source.dtype, pin_memory=source.is_cuda)
        self.held.copy_(source, non_blocking=True)
        self.event: Any = None
        if source.is_cuda:
            event: Any = torch.cuda.Event
            self.event = event(blocking=True)
            self.event.record()

    def wait(self) -> torch.Tensor:
        """The copy, complete."""
        if self.event is not None:
            self.event.synchronize()
        return self.held


@dataclass(slots=True, eq=False)
class FrameRow:
    """A segment in a slot."""

    request: Request
    reading: bool = True
    """Its prompt is not read yet."""
    tokens: list[int] = field(default_factory=list)
    spoken: int = 0
    """Frames so far."""
    sound: Download | None = None
    """(frames, hop), from when it has ended."""
    done: bool = False

    def samples(self) -> npt.NDArray[np.floating]:
        """All that was spoken, (n,), in the precision of the model but at least float32."""
        if self.sound is None:
            raise RuntimeError("a segment that has not ended has no samples yet")
        sound = self.sound.wait()
        found: npt.NDArray[np.floating] = sound.to(wide(sound.dtype)).flatten().numpy()
        return found


class FrameDecoder:
    """The slots of one accelerator."""

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
            capture: how a frame is made one launch.
            fusion: compiles regions of the frame; None runs them as they are.
        """
        self.model, self.limits, self.capture, self.fusion = model, limits, capture, fusion
        self.tokens, self.dtype, self.device = model.tokens, model.dtype, model.device
        self.rows: list[FrameRow | None] = [None] * limits.slots
        self.readings: deque[Reading] = deque()
        self.read_positions = 0
        """Of the first reading's piece, those that were read."""
        self.flights: deque[tuple[Download, dict[int, FrameRow]]] = deque()
        self.prefixes = Prefixes(limits.prefix_bytes)
        self.passes = 0
        """Passes over prompts so far."""
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
        """The slots that hold a segment."""
        return [slot for slot, row in enumerate(self.rows) if row is not None]

    @property
    def free(self) -> list[int]:
        return [slot for slot, row in enumerate(self.rows) if row is None]

    @property
    def refusals(self) -> int | None:
        """How much could not be captured and runs kernel by kernel; None where nothing is captured."""
        if self.capture is uncaptured:
            return None
        return self.frames.refusals + self.reader.captured.refusals

    def row(self, slot: int) -> FrameRow:
        """The segment in that slot."""
        row = self.rows[slot]
        if row is None:
            raise KeyError(f"slot {slot} is free")
        return row

    @torch.inference_mode()
    def admit(self, requests: Mapping[int, Request]) -> dict[int, FrameRow]:
        """Put segments into free slots; their prompts are read between frames."""
        for slot, request in requests.items():
            with on_stream(self.capture):
                self.frame.cache.clear(slot)
            self.rows[slot] = FrameRow(request)
            self.readings.append(Reading(slot, Prompt(request.prompt.to(self.dtype), request.cuts)))
        return {slot: self.row(slot) for slot in requests}

    @torch.inference_mode()
    def release(self, slot: int) -> None:
        """Free a slot, whatever its segment's state."""
        row, self.rows[slot] = self.rows[slot], None
        if row is None or row.done:
            return
        if self.readings and self.readings[0].slot == slot:
            self.read_positions = 0
        self.readings = deque(one for one in self.readings if one.slot != slot)
        with on_stream(self.capture):
            self.frame.control[slot, frame.ALIVE] = 0

    @torch.inference_mode()
    def step(self) -> None:
        """Read at most one piece of a prompt, launch a frame, and take note of the one before.

        A segment whose row is `done` needs no further step and must be released before the next.
        """
        with on_stream(self.capture):
            if self.readings:
                self._read()
            working = {
                slot: row
                for slot, row in enumerate(self.rows)
                if row is not None and not row.reading and row.sound is None
            }
            ended = [row for row in self.rows if row is not None and row.sound is not None]
            if working:
                self._launch(working)
            for row in ended:
                row.done = True
            if len(self.flights) > (1 if working else 0):
                self._land()

    def _prepare(self, steps: int) -> None:
        """Compile and capture a frame before it is needed; without a compiler regions run as they are."""
        with self.frame.idle():
            while not self._compiles(steps):
                pass
            self.frames(steps, lambda: self.frame(steps))

    def _compiles(self, steps: int) -> bool:
        """Run a frame, so that all is compiled; False if less must be compiled and it is to be run again."""
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
        self.flights.append((Download(self.frame.chosen), working))

    def _land(self) -> None:
        """Take note of the oldest frame under way."""
        download, rows = self.flights.popleft()
        chosen = download.wait().tolist()
        for slot, row in rows.items():
            if chosen[slot] < 0 or row.sound is not None:
                continue
            token = self.tokens.legal[chosen[slot]]
            row.tokens.append(token)
            row.spoken += token == self.tokens.audio
            if token == self.tokens.end or len(row.tokens) >= self._tokens_max(row.request):
                row.sound = Download(self.frame.sound[slot, : row.spoken])

    def _read(self) -> None:
        """At most one pass over a prompt; a voice that was read before is copied."""
        reading = self.readings[0]
        while not reading.last and (pairs := self.prefixes.get(reading.key)) is not None:
            self.frame.cache.copy_in(reading.slot, reading.piece.start, pairs)
            reading.advance()
        piece = reading.piece
        chunk = piece.x[self.read_positions :][: BUCKETS[-1]]
        self.reader(reading.slot, piece.start + self.read_positions, chunk)
        self.passes += 1
        self.read_positions += len(chunk)
        if self.read_positions < len(piece.x):
            return
        self.read_positions = 0
        if not reading.last:
            pairs = self.frame.cache.copy_out(reading.slot, piece.start, piece.end)
            self.prefixes.put(reading.key, pairs)
        reading.advance()
        if reading.finished:
            self.readings.popleft()
            self._begin(reading.slot, len(reading.prompt.x))

    def _begin(self, slot: int, positions: int) -> None:
        """Put a segment whose prompt is read to work."""
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
        row.reading = False

    def _tokens_max(self, request: Request) -> int:
        """Most tokens of a segment: as asked for, and no more than its slot has room for."""
        return min(request.tokens_max, self.limits.frames)
