"""Shutdown of a worker."""

import logging
import os
import signal
import threading

log = logging.getLogger(__name__)

_LEAVE_S = 60.0
"""Grace before SIGKILL: a stage that checks its control is requeued within a second."""


_stopping = threading.Event()


def note_shutdown(**_: object) -> None:
    """Handle `worker_shutting_down`, in the main process, which decodes if the pool has threads."""
    _stopping.set()


def stopping() -> bool:
    return _stopping.is_set()


def leave(reason: str) -> None:
    """Shut down this worker with its thread pool; it requeues its work, and its supervisor restarts it.

    A process that still hangs after the grace period is killed.
    """
    log.critical("%s; shutting down this worker", reason)
    killer = threading.Timer(_LEAVE_S, os.kill, (os.getpid(), signal.SIGKILL))
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)
