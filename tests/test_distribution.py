"""Tests of the distribution of tests over processes."""

import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest

from tests.conftest import GROUPS, group_of, is_compiled, one_first, rank_of

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/tasks/flower/test_launch.py::test_a", "flower"),
        ("tests/faults/test_canvas.py::test_a", "fleet"),
        ("tests/pipeline/jobs/test_jobs.py::test_a", "tests/pipeline/jobs/test_jobs.py"),
        ("tests/pipeline/store/test_remote.py::test_a", "s3"),
        ("tests/cli/commands/test_jobs.py::test_a", "cli"),
    ],
)
def test_tests_that_share_a_service_are_a_group(nodeid: str, group: str) -> None:
    assert group_of(nodeid) == group


def test_the_longest_groups_go_first() -> None:
    assert [rank_of(f"{paths[0]}::test_a") for paths in GROUPS.values()] == list(range(len(GROUPS)))
    assert rank_of("tests/test_layout.py::test_a") == len(GROUPS)


def test_all_paths_of_groups_exist() -> None:
    assert all((ROOT / path).exists() for paths in GROUPS.values() for path in paths)


def test_a_group_runs_in_one_process(tmp_path: Path) -> None:
    """Two files of a few tests each, in two processes."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    files = ["test_one.py", "test_two.py"]
    for file in files:
        (tmp_path / file).write_text("".join(f"def test_{n}(): pass\n" for n in range(8)))
    command = [sys.executable, "-m", "pytest", "-v", "-n", "2", "--dist", "loadfile", *files]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    ended = subprocess.run(
        command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=120, check=True
    )
    workers = defaultdict(set)
    for line in ended.stdout.splitlines():
        if line.startswith("[gw"):
            worker, *_, nodeid = line.split()[:1] + line.split("PASSED ")[1:]
            workers[nodeid.partition("::")[0]].add(worker)
    assert {file: len(found) for file, found in workers.items()} == dict.fromkeys(files, 1)


def test_one_process_compiles_the_tests_before_the_others_collect_them(tmp_path: Path) -> None:
    together = threading.Barrier(2)

    def collect() -> None:
        with one_first(tmp_path):
            together.wait(timeout=60)

    others = [threading.Thread(target=collect, daemon=True) for _ in range(2)]
    with one_first(tmp_path):
        for other in others:
            other.start()
        others[0].join(timeout=0.2)
        assert together.n_waiting == 0, "the others wait for the first"
    for other in others:
        other.join(timeout=60)
        assert not other.is_alive(), "they go together"
    assert not together.broken


def test_tests_count_as_compiled_if_most_are(tmp_path: Path) -> None:
    cache = tmp_path / "below" / "__pycache__"
    cache.mkdir(parents=True)
    for name in ("one", "two", "three"):
        (tmp_path / "below" / f"test_{name}.py").touch()
        (cache / f"test_{name}.cpython-311.pyc").touch()
    assert not is_compiled(tmp_path), "compiled without pytest's assertions"
    (cache / "test_one.cpython-311-pytest-9.2.0.pyc").touch()
    assert not is_compiled(tmp_path)
    (cache / "test_two.cpython-311-pytest-9.2.0.pyc").touch()
    assert is_compiled(tmp_path)
