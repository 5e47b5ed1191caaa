"""Runs commands that are named on standard input, each in a fork, with the Python that runs this module."""

import json
import os
import signal
import sys
from pathlib import Path

import cli.main  # noqa: F401 - before all forks
from bench.harness import forked

TIMEOUT_S = 60


def serve() -> None:
    """Read arguments, environment and folder of a command from each line; write its exit code.

    Its output is in the folder.
    """
    for line in sys.stdin:
        arguments, environment, folder = json.loads(line)
        child = os.fork()
        if not child:
            signal.alarm(TIMEOUT_S)
            made = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            out, err = (os.open(Path(folder, name), made) for name in ("stdout.txt", "stderr.txt"))
            forked.become(["voxchord", *arguments], environment, os.open(os.devnull, os.O_RDONLY), out, err)
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
