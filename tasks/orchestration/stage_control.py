"""Control of a running stage: shutdown, cancellation, deadline, and the hang watchdog."""

import logging
import time
from collections.abc import Callable

from pipeline.engines import load_timing
from pipeline.errors import DeadlineError, HandedBackError, StoreError
from tasks.orchestration.resources import Resources
from tasks.worker.shutdown import stopping

log = logging.getLogger(__name__)

JOIN_LIMIT_S = 3600.0
"""Deadline of a join of a job's segments."""
_CHECK_S = 1.0
_CHECK_LATER_S = 15.0
"""Interval of checks while the store does not answer, since each check then takes its full timeout."""


class StageControl:
    """Control that the engine checks every frame or utterance; the store's flag is checked once a second.

    As a context manager it is watched: if the body does not check for too long, the process is killed, unless
    a model is being loaded or downloaded.
    """

    def __init__(self, resources: Resources, job: str, limit_s: float) -> None:
        self.resources, self.job, self.limit_s = resources, job, limit_s
        self.started = self.store_checked = self.touched = self.alive = time.monotonic()
        self.done = self.shared = 0
        self.first_s: float | None = None
        self.waited_s = 0.0
        self.refused: int | None = None
        self.loading: Callable[[], bool] = lambda: False

    def __enter__(self) -> "StageControl":
        self.alive, self.loading = time.monotonic(), load_timing.watched()
        self.resources.hang_watchdog.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.resources.hang_watchdog.discard(self)

    def check(self) -> None:
        """Raise if the stage must stop.

        Raises:
            HandedBackError, CancelledError, DeadlineError: see `pipeline.engines.protocol.Control`.
        """
        if stopping():
            raise HandedBackError
        self.alive = now = time.monotonic()
        took_s = now - self.started - self.waited_s
        if took_s > self.limit_s:
            raise DeadlineError(took_s, self.limit_s)
        if now - self.store_checked >= _CHECK_S:
            self.store_checked = now
            self._check_store(now)

    def frames(self, done: int, batch_size: int = 1) -> None:
        if done and self.first_s is None:
            self.first_s = time.monotonic() - self.started
        self.shared += (done - self.done) * batch_size
        self.done = done

    def waited(self, seconds: float) -> None:
        self.waited_s = seconds

    def graphs_refused(self, count: int) -> None:
        self.refused = count

    def facts(self) -> dict[str, float | int]:
        """Seconds to the first frame, and the mean number of segments in the batch."""
        graphs: dict[str, float | int] = {} if self.refused is None else {"graphs_refused": self.refused}
        if not self.done or self.first_s is None:
            return graphs
        return {"ttfa_s": self.first_s, "batch_size": round(self.shared / self.done), **graphs}

    def _check_store(self, now: float) -> None:
        coordination = self.resources.jobs.coordination
        try:
            coordination.raise_if_cancelled(self.job)
            if now - self.touched >= self.resources.settings.stalled_s / 8:
                self.touched = now
                coordination.touch(self.job)
        except StoreError:
            self.store_checked = time.monotonic() + _CHECK_LATER_S
            log.warning("the store does not answer; the decode continues", extra={"job": self.job})

    def idle_s(self, now: float) -> float:
        """Seconds without a sign of life; 0 while a model is loaded or downloaded."""
        if self.loading():
            self.alive = now
        return now - self.alive

    def stood_still(self, seconds: float) -> None:
        """Exclude time in which the process was stopped, or other work ran, from the segment's time."""
        self.started += seconds
        self.alive += seconds
