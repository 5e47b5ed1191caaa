"""Shutdown of a worker's process: warm with a time limit, or at once."""

import contextlib
import os
import signal
import threading

import psutil

GRACE_S = 60.0
"""A stage that checks its control is requeued within a second; the rest is for what hangs."""

_stopping = threading.Event()


def note_shutdown(**_: object) -> None:
    """Handle `worker_shutting_down`, in the main process, which decodes if the pool has threads."""
    _stopping.set()


def stopping() -> bool:
    """True once this worker is shutting down: running stages requeue their work."""
    return _stopping.is_set()


def end_child(*, exitcode: int, **_: object) -> None:
    """Handle `worker_process_shutdown`, the last act of a child of a prefork pool: end its process.

    billiard lets it report its end and sleep for a second, so that the main process can kill it, which does
    not do so while it shuts down. Only then is the exit code 0: a child that is recycled, or gets a signal,
    ends as billiard intends.
    """
    if exitcode == os.EX_OK:
        os._exit(exitcode)


def shut_down(grace_s: float = GRACE_S) -> None:
    """Shut this process down warmly, as SIGTERM does, and kill it if it still runs after `grace_s`."""
    killer = threading.Timer(grace_s, kill)
    killer.daemon = True
    killer.start()
    os.kill(os.getpid(), signal.SIGTERM)


def kill() -> None:
    """Kill this process with its children; the broker redelivers their messages."""
    process = psutil.Process()
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.kill()
