"""Runs commands that are named on standard input, each in a fork, with the Python that runs this module."""

import json
import os
import signal
import sys
from pathlib import Path

import cli.main  # noqa: F401 - before all forks
from tests.cli import forked

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
            out, err = Path(folder, "stdout.txt"), Path(folder, "stderr.txt")
            forked.become(arguments, environment, Path(os.devnull), out, err)
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
