"""Segments of many threads, decoded by one: continuous batching.

A segment's own thread waits here and looks at its control every frame; the decoding thread never waits for
it. A slot that falls free takes, before the next frame, the longest segment that waits; but none is passed
over for ever, or a short job would wait for the end of a long one.
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
from pipeline.engines.protocol import Control
from pipeline.engines.vibevoice.decoding.request import Request, SlotDecoder, SlotRow
from pipeline.engines.vibevoice.runtime import allocator, torch_errors
from pipeline.errors import DeviceLostError, OutOfMemoryError

log = logging.getLogger(__name__)

LOOK_S = 0.2
"""How often a segment that waits, or whose frame takes long, looks at its control."""
TIDY_S = 30.0
"""How often the holes between blocks are given back; the pages that are needed again cost some 20 ms."""
PASSED_MAX = 4
"""So many later segments go before one that waits; then it is its turn."""


@dataclass(slots=True, eq=False)
class Entry:
    """A segment on its way through."""

    make: Callable[[], Request]
    """Makes the request anew: it is decoded from its start again if the device ran out of memory."""
    length: int
    """Its expected frames."""
    passed: int = 0
    """How many segments that came later went before it."""
    row: SlotRow | None = None
    frames: int = 0
    together: int = 1
    """Segments at work in its last step."""
    finished: bool = False
    came: float = field(default_factory=load_timing.now)
    load_s: float = 0.0
    """How long it waited for a decoder to be loaded."""
    spent_s: float = 0.0
    """Time of the steps that it was part of. All else, a load, prompts, others before it, is not its own."""
    pulse: tuple[int, int | None] = (0, None)
    """Steps and passes over prompts at its last look; `looks` were made since they changed."""
    looks: int = 0
    refusals: int | None = None
    """Parts of its decoder that could not be captured as CUDA graphs."""
    given_up: bool = False
    error: Exception | None = None


class Scheduler:
    """One decoder, made on first use and dropped when idle."""

    def __init__(
        self, make: Callable[[int], SlotDecoder], slots: int, idle_s: float, still_s: float = 600.0
    ) -> None:
        """
        Args:
            make: loads a decoder with that many slots.
            idle_s: after so long without work all that it holds is dropped.
            still_s: after so long without a step, a pass over prompts or a load the device counts as lost.
        """
        self.make, self.slots, self.slots_most = make, slots, slots
        self.idle_s, self.still_s = idle_s, still_s
        self.changed = threading.Condition()
        self.waiting: list[Entry] = []
        """In the order in which they came."""
        self.active: dict[int, Entry] = {}
        self.thread: threading.Thread | None = None
        self.decoder: SlotDecoder | None = None
        self.steps = self.filled = 0
        self.tidied = time.monotonic()

    def decode(self, make: Callable[[], Request], length: int, control: Control) -> npt.NDArray[np.floating]:
        """Block until that segment is spoken; returns its samples, (n,).

        Args:
            length: its expected frames.

        Raises:
            OutOfMemoryError: not even one slot fits the device.
            DeviceLostError: the accelerator reported a fault, or hangs.
            Exception: what `control.check` raised; only this segment leaves.
        """
        entry = Entry(make, length)
        self._enter(entry)
        try:
            while not self._wait(entry):
                control.waited(load_timing.now() - entry.came - entry.spent_s)
                control.check()
                control.frames(entry.frames, entry.together)
                self._feel(entry)
        except BaseException:
            with self.changed:
                entry.given_up = True
            raise
        finally:
            load_timing.add(entry.load_s)
        if entry.error is not None:
            raise entry.error
        control.frames(entry.frames, entry.together)
        if entry.refusals is not None:
            control.graphs_refused(entry.refusals)
        if entry.row is None:
            raise RuntimeError("a finished segment has a row")
        return entry.row.samples()

    def _enter(self, entry: Entry) -> None:
        with self.changed:
            self.waiting.append(entry)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._run, name="vibevoice", daemon=True)
                self.thread.start()
            self.changed.notify_all()

    def _feel(self, entry: Entry) -> None:
        """Whether the decoding thread still moves. Looks are counted and not seconds, so that a process that
        was stopped and continued isn't taken for one that hangs.

        Raises:
            DeviceLostError: it has not for `still_s`.
        """
        with self.changed:  # where it is let go of too: nobody may hold it while the next is loaded
            pulse = (self.steps, None if self.decoder is None else self.decoder.passes)
        entry.looks = entry.looks + 1 if pulse == entry.pulse else 0
        entry.pulse = pulse
        if entry.looks * LOOK_S > self.still_s:
            raise DeviceLostError(f"the device has done nothing for {self.still_s:.0f} s")

    def _wait(self, entry: Entry) -> bool:
        """Wait until the entry is finished (True) or it is time to look. Frames wake nobody: with 64 segments
        that would cost more of the interpreter than the frame itself.
        """
        with self.changed:
            self.changed.wait_for(lambda: entry.finished, LOOK_S)
            return entry.finished

    def _run(self) -> None:
        while self._has_work():
            try:
                self._turn()
            except (torch.OutOfMemoryError, RuntimeError) as error:
                _let_go(error)
                self._recover(error)
            except Exception as error:  # noqa: BLE001  # the segments' own threads raise it
                _let_go(error)
                self._fail(error)

    def _has_work(self) -> bool:
        """Wait for work; False, and nothing is held any more, if there is none for long."""
        with self.changed:
            if self.changed.wait_for(lambda: self.waiting or self.active, self.idle_s):
                return True
            self.decoder = self.thread = None
            self.slots = self.slots_most
        _give_back()
        return False

    def _turn(self) -> None:
        """Let segments leave, let others in, and make one step."""
        if self.decoder is None:
            self.decoder = self._load()
        self._dismiss(self.decoder)
        self._admit(self.decoder)
        if self.active:
            began = load_timing.now()
            self.decoder.step()
            self.steps += 1
            self.filled += len(self.active)
            self._collect(self.decoder, load_timing.now() - began)
        if time.monotonic() - self.tidied > TIDY_S:
            self.tidied = time.monotonic()
            allocator.trim_heap()

    def _load(self) -> SlotDecoder:
        """A decoder; all that wait have waited for it, also if it can't be had."""
        began = load_timing.now()
        try:
            return self.make(self.slots)
        finally:
            load = load_timing.Load(began, load_timing.now())
            with self.changed:
                for entry in self.waiting:
                    entry.load_s += load.since(entry.came)

    def _dismiss(self, decoder: SlotDecoder) -> None:
        for slot, entry in list(self.active.items()):
            if entry.given_up:
                decoder.release(slot)
                del self.active[slot]

    def _admit(self, decoder: SlotDecoder) -> None:
        """Fill the free slots, all prompts in one go."""
        came: dict[int, Entry] = {}
        for slot in decoder.free:
            entry = self._next()
            if entry is None:
                break
            came[slot] = self.active[slot] = entry
        if came:
            rows = decoder.admit({slot: entry.make() for slot, entry in came.items()})
            for slot, row in rows.items():
                came[slot].row = row

    def _next(self) -> Entry | None:
        """Of those that wait the longest, unless the first of them has been passed over often enough."""
        with self.changed:
            self.waiting = [entry for entry in self.waiting if not entry.given_up]
            if not self.waiting:
                return None
            first = self.waiting[0]
            chosen = first if first.passed >= PASSED_MAX else max(self.waiting, key=lambda one: one.length)
            for entry in self.waiting[: self.waiting.index(chosen)]:
                entry.passed += 1
            self.waiting.remove(chosen)
            return chosen

    def _collect(self, decoder: SlotDecoder, step_s: float) -> None:
        with self.changed:
            together, ended = len(self.active), False
            for slot, entry in list(self.active.items()):
                row = decoder.row(slot)
                entry.spent_s += step_s
                entry.frames, entry.together, entry.refusals = row.spoken, together, decoder.refusals
                if row.done:
                    decoder.release(slot)
                    del self.active[slot]
                    entry.finished = ended = True
            if ended:
                self.changed.notify_all()

    def _recover(self, error: RuntimeError) -> None:
        """Out of memory: half the slots, and the segments start again. Any other error fails them."""
        if not torch_errors.is_out_of_memory(error):
            lost = torch_errors.device_is_lost(error)
            self._fail(DeviceLostError(torch_errors.first_line(error)) if lost else error)
        elif self.slots == 1:
            self._fail(
                OutOfMemoryError("the device has no room for one slot: " + torch_errors.first_line(error))
            )
        else:
            self.slots = max(1, self.slots // 2)
            log.warning("out of memory", extra={"slots": self.slots})
            with self.changed:
                for entry in self.active.values():
                    entry.row, entry.passed = None, PASSED_MAX
                self.waiting[:0] = self.active.values()
                self.active.clear()
                self.decoder = None
            _give_back()

    def _fail(self, error: Exception) -> None:
        """Every segment at work fails with that error; without any, those that wait for the decoder."""
        with self.changed:
            failed = list(self.active.values()) or self.waiting[:]
            if not self.active:
                self.waiting.clear()
            self.active.clear()
            for entry in failed:
                entry.error, entry.finished = error, True
            self.changed.notify_all()
            self.decoder = None
        _give_back()


def _let_go(error: BaseException) -> None:
    """Of what the frames of its traceback hold, such as a decoder: the next one needs that memory."""
    traceback.clear_frames(error.__traceback__)
    if error.__context__ is not None:
        _let_go(error.__context__)


def _give_back() -> None:
    gc.collect()
    allocator.trim_heap()
    if torch.cuda.is_available():
        with suppress(torch.AcceleratorError):  # a device that is lost raises here too
            torch.cuda.empty_cache()
