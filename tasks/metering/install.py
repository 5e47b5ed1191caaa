"""Installation of metering and history in a worker, through Celery's signals.

In every worker's main process one thread writes spooled rows to the database and sweeps attempts that were
killed. Children only append lines to the spool.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from billiard.exceptions import WorkerLostError
from celery import signals
from celery.exceptions import Terminated, TimeLimitExceeded
from celery.worker.request import Request

from db.ingest.spool import Spool
from db.ingest.writer import Writer
from pipeline import clock
from tasks.metering import instruments
from tasks.metering.crash_sweeper import Sweeper, Verdict
from tasks.metering.request_identity import make_uid, stamp_published, stamp_received
from tasks.metering.settings import MeterSettings

_VERDICTS_MAX = 10_000


class Verdicts:
    """Reasons of tasks' deaths by task ID, as the main process learns them."""

    def __init__(self) -> None:
        self._by_task: OrderedDict[str, Verdict] = OrderedDict()

    def add(self, task_id: str, verdict: Verdict) -> None:
        self._by_task.setdefault(task_id, verdict)
        while len(self._by_task) > _VERDICTS_MAX:
            self._by_task.popitem(last=False)

    def take(self, task_id: str) -> Verdict | None:
        """Remove and return the reason of a task; None if it is unknown."""
        return self._by_task.pop(task_id, None)


verdicts = Verdicts()


class MeteredRequest(Request):
    """Celery's request in the main process, which records why a child died."""

    def on_timeout(self, soft: bool, timeout: float) -> None:
        if not soft:
            verdicts.add(self.id, Verdict("TIMEOUT", TimeLimitExceeded.__name__, 9))
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError):
            verdicts.add(self.id, Verdict("LOST", WorkerLostError.__name__, _signal_in(str(error))))
        elif isinstance(error, Terminated):
            verdicts.add(self.id, Verdict("REVOKED", Terminated.__name__, _signal_in(f"signal {error}")))
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)


def _signal_in(message: str) -> int | None:
    found = re.search(r"signal (\d+)", message)
    return int(found[1]) if found else None


@dataclass(slots=True)
class _Running:
    writer: Writer
    sweeper: Sweeper
    spool: Spool


class History:
    """Writer and sweeper of the main process. A program without a worker may start one itself.

    Args:
        url: returns the database URL; called when the worker starts.
    """

    def __init__(self, settings: MeterSettings, url: Callable[[], str]) -> None:
        self._settings, self._url = settings, url
        self._running: _Running | None = None
        self.on_written: Callable[[str, Sequence[dict[str, Any]]], object] | None = None
        """Called with inserted rows; set before the worker starts."""

    def start(self) -> None:
        """Start writing, including the spools of earlier processes."""
        if self._running is not None:
            return
        spool = Spool(self._settings.spool)
        sweeper = Sweeper(self._settings, spool, pid=os.getpid(), find_verdict=verdicts.take)
        writer = Writer(self._url(), self._settings.spool, chores=[sweeper.sweep], on_written=self.on_written)
        self._running = _Running(writer, sweeper, spool)
        writer.start()

    def stop(self) -> None:
        """Write all spooled rows and stop. Rows that cannot be written wait for the next start."""
        running, self._running = self._running, None
        if running is not None:
            running.sweeper.sweep(final=True)
            running.spool.close()
            instruments.Instruments.rest()
            running.writer.stop()


def install(settings: MeterSettings, url: Callable[[], str]) -> History:
    """Connect metering and history to Celery's signals, for every process that imports the app."""
    history = History(settings, url)
    instruments.configure(settings)
    signals.before_task_publish.connect(stamp_published, weak=False)
    signals.task_received.connect(stamp_received, weak=False)
    signals.task_revoked.connect(_note_revoked(history), weak=False)

    def describe(sender: Any = None, **_: Any) -> None:
        pool = sender.pool_cls.__module__.rpartition(".")[2]
        instruments.describe_worker(
            sender.hostname, {"thread": "threads"}.get(pool, pool), sender.concurrency
        )

    def start(**_: Any) -> None:
        history.start()

    def stop(**_: Any) -> None:
        history.stop()

    signals.worker_init.connect(describe, weak=False)
    signals.worker_ready.connect(start, weak=False)
    signals.worker_shutdown.connect(stop, weak=False)
    return history


def _note_revoked(history: History) -> Callable[..., None]:
    def note_revoked(request: Any = None, terminated: bool = False, signum: Any = None, **_: Any) -> None:
        """Note why a running task will be killed; record one that never started without a start time."""
        if terminated:
            verdicts.add(request.id, Verdict("REVOKED", Terminated.__name__, _signal_in(f"signal {signum}")))
        if terminated or history._running is None:
            return
        now = clock.now()
        history._running.spool.append(
            "task_run",
            {
                "attempt_uid": make_uid(now),
                "task_id": request.id,
                "root_id": request.root_id,
                "task_name": request.task,
                "state": "REVOKED",
                "attempt": request.retries,
                "recorded_at": now,
            },
        )

    return note_revoked
