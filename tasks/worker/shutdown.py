"""The end of a worker, whoever asks for it."""

import logging
import os
import signal
import threading

from celery.signals import worker_shutting_down

log = logging.getLogger(__name__)

_LEAVE_S = 60.0
"""A stage that looks at its control is handed back within a second; its figures take a little more."""


_stopping = threading.Event()


@worker_shutting_down.connect
def _stop(**_: object) -> None:
    """Fires in the worker's main process: the one that decodes, when its pool is threads."""
    _stopping.set()


def stopping() -> bool:
    return _stopping.is_set()


def leave(reason: str) -> None:
    """Have this worker, whose pool is threads, hand back what it holds and end, so that whoever keeps it up
    starts it anew. What then still hangs is ended by force.
    """
    log.critical("%s; this worker ends itself", reason)
    killer = threading.Timer(_LEAVE_S, os.kill, (os.getpid(), signal.SIGKILL))
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)
