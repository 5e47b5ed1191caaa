"""Which tests stay together where several processes share them (`make test`)."""

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.scheduler.protocol import Scheduling

TOGETHER = ("db", "pipeline", "tests/db", "tests/deploy", "tests/tasks/flower")
"""Folders whose tests share a service that takes seconds to start, or take no time themselves."""


class InFolders(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests share what it starts, and some folders' tests do."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((name for name in TOGETHER if PurePosixPath(file).is_relative_to(name)), file)


@pytest.hookimpl(optionalhook=True)  # a run in one process may do without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return InFolders(config, log) if config.getoption("dist") == "loadfile" else None
