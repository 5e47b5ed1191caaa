"""A process that a command started ends with it: at the end of its standard input it shuts down warmly."""

import os
import signal
import threading
import time
from typing import Any

import click
from celery import bootsteps

OPTION = click.Option(["--with-starter"], is_flag=True, help="Shut down warmly at the end of standard input.")
_WARM_S = 45.0


class EndWithStarter(bootsteps.Step):
    """Watches standard input from a thread."""

    def __init__(self, worker: Any, with_starter: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        if with_starter:
            end_with_starter()


def end_with_starter(warm_s: float = _WARM_S) -> None:
    """End this process when its standard input ends, as SIGTERM ends it, and after so long for certain.

    A starter that was killed takes its broker along, and a worker whose heartbeat was due just then sends it
    again and again without end (celery/worker/heartbeat.py: `retry=True`, no limit), deaf to SIGTERM.
    """
    threading.Thread(target=_watch, args=(warm_s,), name="starter", daemon=True).start()


def _watch(warm_s: float) -> None:
    """Reads the descriptor itself: `sys.stdin` has a lock, and a child that is forked while this thread holds
    it would wait for it for ever when it closes its own.
    """
    while os.read(0, 4096):
        pass
    own = os.getpid()
    os.kill(own, signal.SIGTERM)
    time.sleep(warm_s)
    if os.getpgrp() == own:
        os.killpg(own, signal.SIGKILL)  # the pool's processes with it
    os.kill(own, signal.SIGKILL)
