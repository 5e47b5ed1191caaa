"""Tests of the shutdown of a worker's processes."""

import os

from celery.concurrency.prefork import process_destructor

from bench.harness.forked import FORKS
from tasks.make_app import make_app
from tasks.settings import Settings

CODE = 7


def _end() -> None:
    make_app(Settings(), "memory://")
    process_destructor(os.getpid(), CODE)
    raise AssertionError("the process still runs")


def test_a_child_of_a_pool_ends_with_its_last_act() -> None:
    child = FORKS.Process(target=_end)
    child.start()
    child.join(60)
    assert child.exitcode == CODE
