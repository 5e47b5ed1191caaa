"""Shutdown of a process with its parent, at the end of its standard input."""

import os
import threading
from typing import Any

import click
from celery import bootsteps

from tasks.worker import shutdown

OPTION = click.Option(["--with-starter"], is_flag=True, help="Shut down warmly at the end of standard input.")
_WARM_S = 45.0


class EndWithStarter(bootsteps.Step):
    """Boot step that watches standard input in a thread."""

    def __init__(self, worker: Any, with_starter: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        if with_starter:
            end_with_starter()


def end_with_starter(warm_s: float = _WARM_S) -> None:
    """Shut this process down warmly when its standard input ends, and kill it after `warm_s`.

    A killed parent takes its broker along. A worker whose heartbeat is due then retries it without limit
    (celery/worker/heartbeat.py: `retry=True`) and ignores SIGTERM.
    """
    threading.Thread(target=_watch, args=(warm_s,), name="starter", daemon=True).start()


def _watch(warm_s: float) -> None:
    """Wait for the end of input on the descriptor.

    `sys.stdin` has a lock: a child forked while this thread holds it would wait for ever when it closes its
    own.
    """
    while os.read(0, 4096):
        pass
    shutdown.shut_down(warm_s)
