"""A process that a command started ends with it: at the end of its standard input it shuts down warmly."""

import os
import signal
import threading
from typing import Any

import click
from celery import bootsteps

OPTION = click.Option(["--with-starter"], is_flag=True, help="Shut down warmly at the end of standard input.")


class EndWithStarter(bootsteps.Step):
    """Watches standard input from a thread."""

    def __init__(self, worker: Any, with_starter: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        if with_starter:
            end_with_starter()


def end_with_starter() -> None:
    """End this process when its standard input ends, as SIGTERM ends it."""
    threading.Thread(target=_watch, name="starter", daemon=True).start()


def _watch() -> None:
    """Reads the descriptor itself: `sys.stdin` has a lock, and a child that is forked while this thread holds
    it would wait for it for ever when it closes its own.
    """
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
