"""Live display of a job: waiting, running and finished segments per stage, audio, speed, time left."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from celery import states
from celery.events.state import State
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from cli.broker_retry import BrokerRetry
from cli.errors import JobFailed, err
from db.queries.jobs import job_and_progress
from pipeline.errors import PipelineError
from pipeline.stage_names import JOB_STAGES
from tasks.broker.queues import INTAKE
from tasks.message_headers import subject_in_headers
from tasks.orchestration.store_outage import PAUSED

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult
    from sqlalchemy import Engine

_REFRESH_S = 0.4
_LOST_S = 20.0
"""Age at which a pending request may be lost; an intake worker accepts requests within a second."""
_NOBODY_S = 180.0


def watch(
    app: "Celery",
    result: "AsyncResult[Any]",
    history: "Engine | None",
    ask: Callable[[], "AsyncResult[Any]"],
    *,
    check: Callable[[], None],
    quiet: bool,
) -> dict[str, Any]:
    """Wait for a job and show its progress; returns its manifest. Works without the history.

    Args:
        ask: sends the request again.
        check: raises if the embedded service has ended.

    Raises:
        PipelineError: the request was refused.
        JobFailed: the job ended without a file.
    """
    retry = BrokerRetry(app)
    awaited = Awaited(result, ask, lambda: waiting(app), retry)
    if quiet:
        while not awaited.ready():
            check()
            time.sleep(_REFRESH_S)
        return outcome(result)
    with live(app, history, str(result.id), retry) as display, Live(console=err, transient=True) as screen:
        while not awaited.ready():
            check()
            screen.update(display.picture())
            time.sleep(_REFRESH_S)
    return outcome(result)


class Awaited:
    """A request that is sent again while no worker accepts it, since a failed broker may have lost it.

    If messages wait in the intake queue, nothing was lost: no intake worker is running, or not yet.
    """

    def __init__(
        self,
        result: "AsyncResult[Any]",
        ask: Callable[[], "AsyncResult[Any]"],
        waiting: Callable[[], int],
        retry: BrokerRetry,
        *,
        lost_s: float = _LOST_S,
        nobody_s: float = _NOBODY_S,
    ) -> None:
        self.result, self.ask, self.waiting, self.retry = result, ask, waiting, retry
        self.lost_s, self.nobody_s = lost_s, nobody_s
        self.since = self.pending_since = time.monotonic()
        self.warned = False
        self.pause = ""

    def ready(self) -> bool:
        state = self.retry.call(lambda: self.result.state)
        now = time.monotonic()
        if state != states.PENDING:
            self.since = self.pending_since = now
        elif now - self.since > self.lost_s:
            if self.retry.call(self.waiting) == 0:
                self.retry.call(self.ask)
            self.since = now
        if now - self.pending_since > self.nobody_s and not self.warned:
            self.warned = True
            err.print(
                "no worker has accepted the script; check that one is running (`worker --intake`). Waiting.",
                style="yellow",
            )
        if state == PAUSED:
            self._report_pause()
        return state in states.READY_STATES

    def _report_pause(self) -> None:
        """Print why the job is paused, once for each reason."""
        about = self.retry.call(lambda: self.result.info)
        reason = str(about.get("reason", "")) if isinstance(about, dict) else ""
        if reason and reason != self.pause:
            self.pause = reason
            err.print(
                f"paused: {escape(reason)}; mend the store, and the job continues. Waiting.",
                style="yellow",
                soft_wrap=True,
            )


def waiting(app: "Celery") -> int:
    """Number of messages in the intake queue."""
    from tasks.broker.transport import counts

    with app.connection_for_read() as connection:
        return sum(counts(connection, INTAKE).values())


def outcome(result: "AsyncResult[Any]") -> dict[str, Any]:
    """Manifest of a finished job.

    Raises:
        PipelineError: the request was refused.
        JobFailed: any other failure, as text.
    """
    try:
        manifest: dict[str, Any] = result.get()
    except PipelineError:
        raise
    except Exception as error:
        # any exception of the worker ends the job, and its class may not exist here
        raise JobFailed(f"{type(error).__name__}: {error}") from error
    return manifest


class Display:
    """State of a job: finished work from the history, running work from the workers' events."""

    def __init__(self, history: "Engine | None", root: str, retry: BrokerRetry) -> None:
        self.history, self.root, self.retry = history, root, retry
        self.state: Any = State()
        self.started = time.monotonic()
        self.job: str | None = None
        self.audio_at_start: float | None = None

    def picture(self) -> RenderableType:
        if self.retry.away_since is not None:
            return Group(self._progress(), Text("the broker does not answer; waiting", style="yellow"))
        return self._progress()

    def _progress(self) -> RenderableType:
        running = self._running()
        try:
            row, done = self._recorded()
        except SQLAlchemyError:
            return self._unrecorded(running)
        if not row:
            return Text("planning …") if self.history is not None else self._unrecorded(running)
        table = Table.grid(padding=(0, 2))
        table.add_row("", "waiting", "running", "done", "")
        for stage in JOB_STAGES:
            total = 1 if stage == "stitch" else row["segments"] or 0
            finished = min(total, done.get(f"voxchord.{stage}", {}).get("segments") or 0)
            active = running[stage]
            waiting = max(0, total - finished - active)
            bar = ProgressBar(total=max(1, total), completed=finished, width=30)
            table.add_row(stage, str(waiting), str(active), str(finished), bar)
        return Group(table, Text(self._pace(row, done)))

    def _recorded(self) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """The job's row and its progress, from the history."""
        if self.history is None or self.job is None:
            return None, {}
        return job_and_progress(self.history, self.job)

    @staticmethod
    def _unrecorded(running: Counter[str]) -> RenderableType:
        now = ", ".join(f"{running[stage]} {stage}" for stage in JOB_STAGES if running[stage])
        return Text(f"the history does not answer; the job continues (running: {now or 'nothing yet'})")

    def _running(self) -> Counter[str]:
        running: Counter[str] = Counter()
        for task in list(self.state.tasks.values()):
            if self.root not in (task.root_id, task.uuid):
                continue
            subject = subject_in_headers(vars(task))
            if subject:
                self.job = subject.job
            if task.state == "STARTED" and task.name:
                running[task.name.removeprefix("voxchord.")] += 1
        return running

    def _pace(self, row: dict[str, Any], done: dict[str, Any]) -> str:
        diffusion = done.get("voxchord.diffusion", {})
        audio_s, segments = diffusion.get("audio_s") or 0.0, diffusion.get("segments") or 0
        if self.audio_at_start is None:
            self.audio_at_start = audio_s
        elapsed = time.monotonic() - self.started
        speed = (audio_s - self.audio_at_start) / elapsed
        words = f"{audio_s:.0f} s of audio, {speed:.1f} times real time"
        if segments and speed and row["segments"]:
            left_s = (row["segments"] - segments) * audio_s / segments / speed
            words += f", {left_s:.0f} s left"
        return words


@contextlib.contextmanager
def live(app: "Celery", history: "Engine | None", root: str, retry: BrokerRetry) -> Iterator[Display]:
    """Display that receives the workers' events in a thread."""
    display = Display(history, root, retry)
    ended = threading.Event()

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": display.state.event})
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    receiver.capture(limit=None, timeout=1, wakeup=False)

    def follow() -> None:
        while not ended.is_set():
            with contextlib.suppress(*retry.errors):
                listen()
            ended.wait(_REFRESH_S)

    threading.Thread(target=follow, name="events", daemon=True).start()
    try:
        yield display
    finally:
        ended.set()
