"""Machines whose clocks are wrong take no work from live workers, and measure the same times."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from tests.faults import mischief
from tests.faults.conftest import SETTINGS

pytestmark = pytest.mark.slow
SKEWS_S = {"intake": 3600.0, "cpu": -3600.0, "gpu0": -600.0, "gpu1": 600.0}
TURNS = 10


@pytest.fixture(scope="module")
def skewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("skewed"), settings=SETTINGS, skews_s=SKEWS_S) as fleet:
        fleet.start()
        fleet.ready()
        yield fleet


@pytest.fixture(scope="module")
def manifest(skewed: Fleet) -> dict[str, object]:
    """Manifest of a job whose segments are decoded longer than the visibility timeout lets a dead worker."""
    script = "\n".join(f"Ada: wait1.5 is the number {number} of these." for number in range(TURNS))
    found: dict[str, object] = skewed.send(script).get(timeout=90)
    return found


def test_workers_take_nothing_from_each_other(skewed: Fleet, manifest: dict[str, object]) -> None:
    decoded = [deed for deed in mischief.deeds(skewed.folder / "state") if deed.startswith("decode")]
    assert len(decoded) == len(set(decoded)) == manifest["segments"]
    for name in ("intake", "cpu", "gpu0", "gpu1"):
        assert b"sent again" not in skewed.log(name)


def test_times_are_those_of_one_clock(skewed: Fleet, manifest: dict[str, object]) -> None:
    assert isinstance(manifest["speed"], float)
    assert manifest["speed"] > 0.05
    file = skewed.folder / "state" / "history.db"
    until(lambda: len(rows(file)) >= 4 * int(str(manifest["segments"])) + 1)
    for row in rows(file):
        assert row["clock_skew"] == 0, json.dumps(row)
        assert 0 <= row["queue_wait_s"] < 60, json.dumps(row)
        assert row["redelivered"] == 0, json.dumps(row)
    begun, ended, now = times(file)
    assert begun <= ended < begun + 90
    assert abs(now - ended) < 90


def rows(file: Path) -> list[dict[str, float]]:
    """Attempts at the stages: the root's sender, another app, has no send time."""
    with sqlite3.connect(file) as history:
        history.row_factory = sqlite3.Row
        found = history.execute(
            "SELECT task_name, clock_skew, queue_wait_s, redelivered FROM task_run "
            "WHERE task_name NOT IN ('voxchord.render', 'voxchord.reconcile')"
        ).fetchall()
    return [dict(row) for row in found]


def times(file: Path) -> tuple[float, float, float]:
    """Start of the first attempt, end of the last, and the present."""
    with sqlite3.connect(file) as history:
        query = "SELECT MIN(started_epoch), MAX(finished_epoch), unixepoch() FROM task_run"
        begun, ended, now = history.execute(query).fetchone()
    return begun, ended, now
