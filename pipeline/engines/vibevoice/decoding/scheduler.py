"""Scheduler of continuous batching: one decoding thread serves segments of many threads.

A segment's own thread waits here and checks its control; the decoding thread never waits for it. A free slot
takes the longest waiting segment before the next frame. A segment is overtaken a limited number of times, or
a short job would wait for the end of a long one.
"""

import gc
import logging
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from pipeline.engines import load_timing
from pipeline.engines.heap import trim_heap
from pipeline.engines.protocol import Control
from pipeline.engines.vibevoice.decoding.request import SegmentRequest, SlotDecoder, SlotRow
from pipeline.engines.vibevoice.runtime import torch_errors
from pipeline.errors import DeviceLostError, OutOfMemoryError

log = logging.getLogger(__name__)

CHECK_EVERY_S = 0.2
"""Seconds between checks of a waiting segment's control."""
TRIM_EVERY_S = 30.0
"""Seconds between trims of the heap, each of which costs some 20 ms of page faults."""
OVERTAKEN_MAX = 4
"""Most later segments that may overtake a waiting one."""


@dataclass(slots=True, eq=False)
class ScheduledSegment:
    """Segment that waits or is being decoded."""

    make: Callable[[], SegmentRequest]
    """Makes the request. Called again if the device ran out of memory: the segment then starts over."""
    length: int
    """Expected frames."""
    overtaken: int = 0
    """Number of later segments that were admitted first."""
    row: SlotRow | None = None
    frames: int = 0
    batch_size: int = 1
    """Segments in its last step."""
    finished: bool = False
    arrived: float = field(default_factory=load_timing.now)
    load_s: float = 0.0
    """Seconds spent waiting for a decoder to load."""
    spent_s: float = 0.0
    """Seconds of the steps that it was part of; excludes loading, prefill and waiting for a slot."""
    progress: tuple[int, int | None] = (0, None)
    """Steps and prefill passes of the decoder at the last check; `checks` counts those without a change."""
    checks: int = 0
    refusals: int | None = None
    """Parts of the decoder that could not be captured as CUDA graphs; None where nothing is captured."""
    abandoned: bool = False
    error: Exception | None = None


class Scheduler:
    """Decoding thread with one decoder, which is loaded on first use and dropped when idle."""

    def __init__(
        self, make: Callable[[int], SlotDecoder], slots: int, idle_s: float, stall_s: float = 600.0
    ) -> None:
        """
        Args:
            make: loads a decoder with the given number of slots.
            idle_s: seconds without work after which the decoder is dropped.
            stall_s: seconds without a step, a prefill pass or a load after which the device counts as lost.
        """
        self.make, self.slots, self.slots_max = make, slots, slots
        self.idle_s, self.stall_s = idle_s, stall_s
        self.changed = threading.Condition()
        self.waiting: list[ScheduledSegment] = []
        """Waiting segments, in order of arrival."""
        self.active: dict[int, ScheduledSegment] = {}
        self.thread: threading.Thread | None = None
        self.decoder: SlotDecoder | None = None
        self.steps = self.filled = 0
        self.trimmed = time.monotonic()

    def decode(
        self, make: Callable[[], SegmentRequest], length: int, control: Control
    ) -> npt.NDArray[np.floating]:
        """Decode a segment, and block until it is done.

        Args:
            make: makes the request; may be called more than once.
            length: expected frames.
            control: checked and informed several times a second.

        Returns:
            (n,) samples.

        Raises:
            OutOfMemoryError: not even one slot fits the device.
            DeviceLostError: the accelerator reported a fault, or stalled.
            Exception: whatever `control.check` raises; only this segment is abandoned.
        """
        entry = ScheduledSegment(make, length)
        self._enqueue(entry)
        try:
            while not self._wait(entry):
                control.waited(load_timing.now() - entry.arrived - entry.spent_s)
                control.check()
                control.frames(entry.frames, entry.batch_size)
                self._raise_if_stalled(entry)
        except BaseException:
            with self.changed:
                entry.abandoned = True
            raise
        finally:
            load_timing.add(entry.load_s)
        if entry.error is not None:
            raise entry.error
        control.frames(entry.frames, entry.batch_size)
        if entry.refusals is not None:
            control.graphs_refused(entry.refusals)
        if entry.row is None:
            raise RuntimeError("a finished segment has a row")
        return entry.row.samples()

    def _enqueue(self, entry: ScheduledSegment) -> None:
        with self.changed:
            self.waiting.append(entry)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._run, name="vibevoice", daemon=True)
                self.thread.start()
            self.changed.notify_all()

    def _raise_if_stalled(self, entry: ScheduledSegment) -> None:
        """Check that the decoding thread makes progress.

        Checks are counted instead of seconds, so that a process that was stopped and continued does not count
        as stalled.

        Raises:
            DeviceLostError: no progress for `stall_s`.
        """
        # no reference to the decoder may outlive the lock, or it stays in memory while the next one loads
        with self.changed:
            progress = (self.steps, None if self.decoder is None else self.decoder.passes)
        entry.checks = entry.checks + 1 if progress == entry.progress else 0
        entry.progress = progress
        if entry.checks * CHECK_EVERY_S > self.stall_s:
            raise DeviceLostError(f"the device made no progress for {self.stall_s:.0f} s")

    def _wait(self, entry: ScheduledSegment) -> bool:
        """Wait until the segment is finished (True) or the next check is due.

        Frames do not wake the waiting threads: with 64 segments that would take more interpreter time than
        the frame itself.
        """
        with self.changed:
            self.changed.wait_for(lambda: entry.finished, CHECK_EVERY_S)
            return entry.finished

    def _run(self) -> None:
        while self._has_work():
            try:
                self._iterate()
            except (torch.OutOfMemoryError, RuntimeError) as error:
                _clear_frames(error)
                self._recover(error)
            except Exception as error:  # noqa: BLE001  # raised in the segments' own threads
                _clear_frames(error)
                self._fail(error)

    def _has_work(self) -> bool:
        """Wait for work; after `idle_s` without any, drop the decoder and return False."""
        with self.changed:
            if self.changed.wait_for(lambda: self.waiting or self.active, self.idle_s):
                return True
            self.decoder = self.thread = None
            self.slots = self.slots_max
        _release_memory()
        return False

    def _iterate(self) -> None:
        """Release abandoned segments, admit waiting ones, and run one step."""
        if self.decoder is None:
            self.decoder = self._load()
        self._release_abandoned(self.decoder)
        self._admit(self.decoder)
        if self.active:
            began = load_timing.now()
            self.decoder.step()
            self.steps += 1
            self.filled += len(self.active)
            self._collect(self.decoder, load_timing.now() - began)
        if time.monotonic() - self.trimmed > TRIM_EVERY_S:
            self.trimmed = time.monotonic()
            trim_heap()

    def _load(self) -> SlotDecoder:
        """Load a decoder, and charge the time to all waiting segments, even if loading fails."""
        began = load_timing.now()
        try:
            return self.make(self.slots)
        finally:
            load = load_timing.Load(began, load_timing.now())
            with self.changed:
                for entry in self.waiting:
                    entry.load_s += load.since(entry.arrived)

    def _release_abandoned(self, decoder: SlotDecoder) -> None:
        for slot, entry in list(self.active.items()):
            if entry.abandoned:
                decoder.release(slot)
                del self.active[slot]

    def _admit(self, decoder: SlotDecoder) -> None:
        """Fill the free slots; all prompts are prefilled in one batch."""
        admitted: dict[int, ScheduledSegment] = {}
        for slot in decoder.free:
            entry = self._next()
            if entry is None:
                break
            admitted[slot] = self.active[slot] = entry
        if admitted:
            rows = decoder.admit({slot: entry.make() for slot, entry in admitted.items()})
            for slot, row in rows.items():
                admitted[slot].row = row

    def _next(self) -> ScheduledSegment | None:
        """Pop the longest waiting segment, or the first if it has been overtaken often enough."""
        with self.changed:
            self.waiting = [entry for entry in self.waiting if not entry.abandoned]
            if not self.waiting:
                return None
            first = self.waiting[0]
            chosen = (
                first if first.overtaken >= OVERTAKEN_MAX else max(self.waiting, key=lambda one: one.length)
            )
            for entry in self.waiting[: self.waiting.index(chosen)]:
                entry.overtaken += 1
            self.waiting.remove(chosen)
            return chosen

    def _collect(self, decoder: SlotDecoder, step_s: float) -> None:
        with self.changed:
            batch_size, ended = len(self.active), False
            for slot, entry in list(self.active.items()):
                row = decoder.row(slot)
                entry.spent_s += step_s
                entry.frames, entry.batch_size, entry.refusals = row.frames_done, batch_size, decoder.refusals
                if row.done:
                    decoder.release(slot)
                    del self.active[slot]
                    entry.finished = ended = True
            if ended:
                self.changed.notify_all()

    def _recover(self, error: RuntimeError) -> None:
        """Halve the slots and start over if out of memory; fail the segments after any other error."""
        if not torch_errors.is_out_of_memory(error):
            lost = torch_errors.device_is_lost(error)
            self._fail(DeviceLostError(torch_errors.first_line(error)) if lost else error)
        elif self.slots == 1:
            self._fail(
                OutOfMemoryError("out of memory even with one slot: " + torch_errors.first_line(error))
            )
        else:
            self.slots = max(1, self.slots // 2)
            log.warning("out of memory, halving the slots", extra={"slots": self.slots})
            with self.changed:
                for entry in self.active.values():
                    entry.row, entry.overtaken = None, OVERTAKEN_MAX
                self.waiting[:0] = self.active.values()
                self.active.clear()
                self.decoder = None
            _release_memory()

    def _fail(self, error: Exception) -> None:
        """Fail every active segment with the error, or the waiting ones if none is active."""
        with self.changed:
            failed = list(self.active.values()) or self.waiting[:]
            if not self.active:
                self.waiting.clear()
            self.active.clear()
            for entry in failed:
                entry.error, entry.finished = error, True
            self.changed.notify_all()
            self.decoder = None
        _release_memory()


def _clear_frames(error: BaseException) -> None:
    """Drop the local variables of a traceback, such as a decoder: the next one needs that memory."""
    traceback.clear_frames(error.__traceback__)
    if error.__context__ is not None:
        _clear_frames(error.__context__)


def _release_memory() -> None:
    gc.collect()
    trim_heap()
    if torch.cuda.is_available():
        with suppress(torch.AcceleratorError):  # a device that is lost raises here too
            torch.cuda.empty_cache()
