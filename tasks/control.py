"""How the world reaches into a running stage: shutdown, cancellation, deadline."""

import threading
import time

from celery.signals import worker_shutting_down

from pipeline.errors import DeadlineError, HandedBackError
from pipeline.jobs import Jobs

_LOOK_S = 1.0

_stopping = threading.Event()


@worker_shutting_down.connect
def _stop(**_: object) -> None:
    """Fires in the worker's main process: the one that decodes, when its pool is threads."""
    _stopping.set()


class StageControl:
    """Looked at by the engine every frame or utterance; the store's flag once a second."""

    def __init__(self, jobs: Jobs, job: str, limit_s: float) -> None:
        self.jobs, self.job, self.limit_s = jobs, job, limit_s
        self.started = self.looked = time.monotonic()
        self.done = 0

    def check(self) -> None:
        """
        Raises:
            HandedBackError, CancelledError, DeadlineError: see `pipeline.engines.protocol.Control`.
        """
        if _stopping.is_set():
            raise HandedBackError
        now = time.monotonic()
        if now - self.started > self.limit_s:
            raise DeadlineError(now - self.started, self.limit_s)
        if now - self.looked >= _LOOK_S:
            self.looked = now
            self.jobs.look(self.job)

    def frames(self, done: int) -> None:
        self.done = done
