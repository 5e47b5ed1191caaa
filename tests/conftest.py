"""Distribution of tests over processes (`make test`)."""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.scheduler.protocol import Scheduling

TOGETHER = ("db", "pipeline", "tests/db", "tests/deploy", "tests/tasks/flower")
"""Folders whose tests run in one process: they share a slow service, or take no time."""


class InFolders(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Scheduler that keeps the tests of a file, and of some folders, together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((name for name in TOGETHER if PurePosixPath(file).is_relative_to(name)), file)


@pytest.hookimpl(optionalhook=True)  # a run in one process may do without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return InFolders(config, log) if config.getoption("dist") == "loadfile" else None
