"""Tests of the shutdown with the parent, also for processes that ignore SIGTERM."""

import signal
import subprocess
import sys

import psutil

from bench.harness.waiting import until
from tasks.local.processes import ROOT
from tests.processes import ended

_DEAF = """
import os, signal, time
from tasks.worker.parent_watch import end_with_starter
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    end_with_starter(0.2)
    print(child, flush=True)
time.sleep(600)
"""


def test_processes_that_ignore_sigterm_are_killed_with_their_children() -> None:
    deaf = subprocess.Popen(
        [sys.executable, "-c", _DEAF],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with deaf:
        assert deaf.stdin
        assert deaf.stdout
        child = psutil.Process(int(deaf.stdout.readline()))
        deaf.stdin.close()
        assert deaf.wait(30) == -signal.SIGKILL
        until(lambda: ended(child))
