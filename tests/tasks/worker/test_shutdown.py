"""Tests of the shutdown of a worker's processes."""

import os
import signal

import pytest
from billiard.pool import EX_OK, EX_RECYCLE
from celery.concurrency.prefork import process_destructor

from bench.harness.forked import FORKS
from tasks.make_app import make_app
from tasks.settings import Settings

GOES_ON = 3


def _end(code: int) -> None:
    make_app(Settings(), "memory://")
    process_destructor(os.getpid(), code)
    os._exit(GOES_ON)


@pytest.mark.parametrize(
    ("code", "expected"), [(EX_OK, EX_OK), (EX_RECYCLE, GOES_ON), (-(256 - signal.SIGTERM), GOES_ON)]
)
def test_a_child_ends_at_once_only_with_its_pool(code: int, expected: int) -> None:
    child = FORKS.Process(target=_end, args=(code,))
    child.start()
    child.join(60)
    assert child.exitcode == expected
