"""Distribution of tests over the processes of `make test`, and the number of random inputs.

Tests that share a service run in one process, so that it starts once; the groups that take longest go first.
xdist's own groups (`--dist loadgroup`, xdist 3.8.0) have no effect with pytest 9.2, which ignores the names
that xdist appends to the IDs of tests.
"""

import fcntl
import gc
import os
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist import is_xdist_worker
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.scheduler.protocol import Scheduling

if TYPE_CHECKING:
    from tests.cli.running import Running

FAULTS = "tests/faults"
GROUPS: Mapping[str, tuple[str, ...]] = {
    "fleet": tuple(
        f"{FAULTS}/test_{name}.py"
        for name in ("holes", "canvas", "reconcile", "revocation", "messages", "retry")
    ),
    "service": tuple(
        f"tests/tasks/test_{name}.py" for name in ("render", "refusals", "dialects", "diff", "verify")
    ),
    "metering": ("tests/tasks/metering",),
    "cli": ("tests/cli", *(f"tests/books/test_{name}.py" for name in ("render", "feed", "handover"))),
    "db": ("tests/db",),
    "flower": ("tests/tasks/flower",),
    "web": ("tests/web",),
    "s3": (
        "tests/pipeline/store",
        "tests/pipeline/planning/test_casting.py",
        "tests/pipeline/jobs/test_garbage.py",
    ),
    "decoding": ("tests/pipeline/engines/vibevoice/decoding",),
    "deploy": ("tests/deploy",),
}
"""Files and folders of each group, the longest group first. Any other file is a group of its own."""
SPREAD = (f"{FAULTS}/test_local.py", f"{FAULTS}/test_fleets.py")
"""Tests that share nothing and take long: each is a group of its own."""


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Running]":
    """A service that the tests of the group `cli` share."""
    from tests.cli.running import running

    with running(tmp_path_factory.mktemp("running") / "state") as found:
        yield found


def pytest_configure() -> None:
    """Set the number of inputs of a property: few; many by `--hypothesis-profile full` (`make slow-test`)."""
    settings.register_profile("few", max_examples=20)
    settings.register_profile("full", max_examples=150)
    settings.load_profile("few")


class Groups(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Scheduler that keeps the tests of a group together."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, nor later of what they allocate: it lives to the end."""
    root = session.config.rootpath
    expensive = is_xdist_worker(session) and not sys.dont_write_bytecode and not is_compiled(root / "tests")
    gc.disable()
    try:
        with one_first(root) if expensive else nullcontext():
            return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for examples in docstrings only where there are some, since every function is looked at."""
    found = yield
    if file_path.suffix == ".py" and ">>> " not in file_path.read_text():
        return [one for one in found if type(one) is pytest.Module]
    return found


@pytest.hookimpl(optionalhook=True)  # a run in one process may do without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return Groups(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank_of(item.nodeid))


def group_of(nodeid: str) -> str:
    """Name of a test's group: a key of `GROUPS`, the test's file, or the test itself."""
    file = nodeid.partition("::")[0]
    return nodeid if _is_spread(file) else _group_of_file(file)


def rank_of(nodeid: str) -> int:
    """Position of a test's group in the order of starts."""
    group = group_of(nodeid)
    return list(GROUPS).index(group) if group in GROUPS else len(GROUPS)


def is_compiled(folder: Path) -> bool:
    """Tell whether pytest has compiled most tests of a folder before, with its own assertions."""
    compiled = sum(1 for _ in folder.rglob("__pycache__/test_*-pytest-*.pyc"))
    return compiled >= sum(1 for _ in folder.rglob("test_*.py")) / 2


@contextmanager
def one_first(folder: Path) -> Iterator[None]:
    """Let one process go first, which compiles for all; the others then go together."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


@cache
def _is_spread(file: str) -> bool:
    return _is_within(file, SPREAD)


@cache
def _group_of_file(file: str) -> str:
    return next((name for name, paths in GROUPS.items() if _is_within(file, paths)), file)


def _is_within(file: str, paths: tuple[str, ...]) -> bool:
    return any(PurePosixPath(file).is_relative_to(path) for path in paths)
