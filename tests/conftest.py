"""Distribution of tests over the processes of `make test`.

Tests that share a service run in one process, so that it starts once; the groups that take longest go first.
A mark `xdist_group` on a test or a file has precedence.
"""

from pathlib import PurePosixPath

import pytest

TOGETHER = (
    "tests/faults/test_holes.py",
    "tests/tasks/metering",
    "tests/tasks/flower",
    "tests/pipeline/engines/vibevoice/decoding",
    "tests/db",
    "tests/deploy",
)
"""Folders and files that are a group, the longest first. Any other file is one."""
SPREAD = ("tests/cli/commands", "tests/faults/test_local.py", "tests/faults/test_fleets.py")
"""Tests that share nothing and take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = group_of(item.nodeid)
        if item.get_closest_marker("xdist_group") is None and group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: rank_of(item.nodeid))


def group_of(nodeid: str) -> str | None:
    file = nodeid.partition("::")[0]
    if _within(file, SPREAD) is not None:
        return None
    group = _within(file, TOGETHER)
    return file if group is None else group


def rank_of(nodeid: str) -> int:
    group = _within(nodeid.partition("::")[0], TOGETHER)
    return len(TOGETHER) if group is None else TOGETHER.index(group)


def _within(file: str, folders: tuple[str, ...]) -> str | None:
    return next((each for each in folders if PurePosixPath(file).is_relative_to(each)), None)
