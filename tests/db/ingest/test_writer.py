import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from bench.harness.rows import attempt
from bench.harness.services import Postgres
from bench.harness.waiting import until
from db.database import open_database, writing
from db.ingest import rows, spool
from db.ingest.spool import Spool
from db.ingest.writer import Writer
from db.schema import job, task_run


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(task_run)).scalar_one())


@contextmanager
def running(url: str, folder: Path) -> Iterator[Writer]:
    writer = Writer(url, folder, longest_pause_s=0.2)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def test_rows_are_stored_as_spooled(url: str, engine: Engine, tmp_path: Path) -> None:
    row = attempt(labels={"book": "Ulysses"}, cold_start=True, rss_peak_bytes=3 << 40, voice="ünï\x00code")
    Spool(tmp_path / "spool").append("task_run", row)
    with running(url, tmp_path / "spool"):
        until(lambda: count(engine) == 1)
    with engine.connect() as connection:
        found = connection.execute(select(task_run)).mappings().one()
    assert found["attempt_uid"] == row["attempt_uid"]
    assert found["started_at"].timestamp() == row["started_at"]
    assert found["labels"] == {"book": "Ulysses"}
    assert found["cold_start"] == 1
    assert found["rss_peak_bytes"] == 3 << 40
    assert found["voice"] == "ünïcode"
    assert found["gpu_energy_j"] is None
    assert found["spooled"] == 1


def test_rows_spooled_before_the_start_are_written(url: str, engine: Engine, tmp_path: Path) -> None:
    earlier = Spool(tmp_path)
    for _ in range(3):
        earlier.append("task_run", attempt())
    earlier.close()
    with running(url, tmp_path):
        pass
    assert count(engine) == 3
    assert spool.files(tmp_path) == []


def test_repeated_rows_are_stored_once(url: str, engine: Engine, tmp_path: Path) -> None:
    row = attempt()
    rows = Spool(tmp_path)
    rows.append("task_run", row)
    rows.append("task_run", row)
    with running(url, tmp_path):
        until(lambda: count(engine) == 1)
        rows.append("task_run", row)
        rows.append("task_run", attempt())
        until(lambda: count(engine) == 2)
    assert count(engine) == 2


def test_invalid_rows_do_not_block_others(url: str, engine: Engine, tmp_path: Path) -> None:
    rows = Spool(tmp_path)
    rows.append("task_run", attempt())
    rows.append("task_run", attempt(run_s="quick"))
    rows.append("task_run", {"attempt_uid": "no name or state"})
    rows.append("no such table", {})
    rows.append("task_run", attempt(unknown_field=1, io_rchar=2**70))
    rows.append("task_run", attempt(started_at=1e300))
    foreign = b'{"t":"task_run","r":7}\n{"t":"job","r":["a"]}\n7\n' + b"[" * 100_000 + b"\n"
    (tmp_path / f"0{spool.SUFFIX}").write_bytes(foreign)
    rows.append("task_run", attempt(unknown_field=1))
    with running(url, tmp_path) as writer:
        until(lambda: count(engine) == 2)
    assert writer.refused == 9


def test_unpaired_surrogates_are_replaced(url: str, engine: Engine, tmp_path: Path) -> None:
    rows = Spool(tmp_path)
    rows.append("task_run", attempt(host="h\ud83d", labels={"\udc00": "\ud83d"}))
    rows.append("task_run", attempt())
    with running(url, tmp_path):
        until(lambda: count(engine) == 2)
    with engine.connect() as connection:
        found = connection.execute(select(task_run.c.host).order_by(task_run.c.id)).scalars()
        assert list(found) == ["h?", None]


def test_torn_last_lines_of_dead_processes_are_skipped(url: str, engine: Engine, tmp_path: Path) -> None:
    rows = Spool(tmp_path)
    rows.append("task_run", attempt())
    rows.close()
    (path,) = spool.files(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"t":"task_run","r":{"attempt_')
    with running(url, tmp_path):
        until(lambda: spool.files(tmp_path) == [])
    assert count(engine) == 1


def test_writers_of_several_workers_share_a_folder(url: str, engine: Engine, tmp_path: Path) -> None:
    code = """
import sys, uuid
from pathlib import Path
from db.ingest.spool import Spool
rows = Spool(Path(sys.argv[1]), rotate_bytes=20_000)
for n in range(500):
    rows.append("task_run", {"attempt_uid": str(uuid.uuid4()), "task_name": "t", "state": "SUCCESS"})
"""
    with running(url, tmp_path), running(url, tmp_path):
        children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
        assert [child.wait(60) for child in children] == [0] * 4
        until(lambda: spool.files(tmp_path) == [])
    assert count(engine) == 2000


def test_threads_share_a_spool(url: str, engine: Engine, tmp_path: Path) -> None:
    rows = Spool(tmp_path, rotate_bytes=5_000)

    def fill() -> None:
        for _ in range(50):
            rows.append("task_run", attempt())

    threads = [threading.Thread(target=fill) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with running(url, tmp_path):
        until(lambda: count(engine) == 400)
    assert rows.dropped == 0


def test_full_spools_drop_their_oldest_rows_and_count_them(tmp_path: Path) -> None:
    rows = Spool(tmp_path, rotate_bytes=10_000, max_bytes=30_000)
    for _ in range(300):
        rows.append("task_run", attempt())
    retained = sum(len(path.read_bytes().splitlines()) for path in spool.files(tmp_path))
    assert spool.pending_bytes(tmp_path) < 45_000
    assert spool.dropped(tmp_path) > 0
    assert retained + spool.dropped(tmp_path) == 300


def test_unwritable_spools_raise_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    rows = Spool(tmp_path / "file" / "spool")
    rows.append("task_run", attempt())
    assert rows.dropped == 1


def test_the_spool_is_private(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").append("task_run", attempt())
    (path,) = spool.files(tmp_path / "spool")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_rows_survive_a_restart_of_postgresql(postgres_server: Postgres, tmp_path: Path) -> None:
    url = postgres_server.new_database()
    rows = Spool(tmp_path)
    with running(url, tmp_path):
        rows.append("task_run", attempt())
        until(lambda: spool.pending_bytes(tmp_path) == 0)
        postgres_server.stop()
        try:
            for _ in range(20):
                rows.append("task_run", attempt())
            time.sleep(0.5)  # long enough for several tries that fail
            assert spool.pending_bytes(tmp_path) > 0
        finally:
            postgres_server.start()
        until(lambda: spool.pending_bytes(tmp_path) == 0)
    engine = open_database(url)
    assert count(engine) == 21
    engine.dispose()


def test_rows_survive_a_locked_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/history.db"
    engine = open_database(url)
    other = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    rows = Spool(tmp_path)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO column_doc VALUES ('a', 'b', 'c')")
    with running(url, tmp_path):
        for _ in range(10):
            rows.append("task_run", attempt())
        time.sleep(6)  # longer than the writer waits for a lock
        assert count(engine) == 0
        other.execute("COMMIT")
        until(lambda: count(engine) == 10)
    other.close()
    engine.dispose()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            [{"state": "SUCCEEDED", "updated_epoch_ms": 2}, {"state": "RUNNING", "updated_epoch_ms": 3}],
            "SUCCEEDED",
        ),
        (
            [{"state": "FAILED", "updated_epoch_ms": 2}, {"state": "SUCCEEDED", "updated_epoch_ms": 3}],
            "SUCCEEDED",
        ),
        (
            [
                {"state": "FAILED", "updated_epoch_ms": 2, "error": "no"},
                {"state": "RUNNING", "updated_epoch_ms": 1, "run_no": 2},
            ],
            "RUNNING",
        ),
        (
            [
                {"state": "RUNNING", "updated_epoch_ms": 1, "run_no": 2},
                {"state": "FAILED", "updated_epoch_ms": 9, "error": "no"},
            ],
            "RUNNING",
        ),
    ],
    ids=["ended stays", "later end wins", "begun again", "late from the run before"],
)
def test_jobs_are_merged(
    url: str, engine: Engine, tmp_path: Path, facts: list[dict[str, Any]], expected: str
) -> None:
    rows = Spool(tmp_path)
    for fact in facts:
        rows.append("job", {"id": "j", **fact})
    with running(url, tmp_path):
        until(lambda: spool.pending_bytes(tmp_path) == 0)
    with engine.connect() as connection:
        assert connection.execute(select(job.c.state)).scalar_one() == expected


def test_missing_values_of_a_job_change_nothing(url: str, engine: Engine, tmp_path: Path) -> None:
    rows = Spool(tmp_path)
    rows.append("job", {"id": "j", "state": "SUCCEEDED", "audio_s": 60.0, "updated_epoch_ms": 5})
    rows.append("job", {"id": "j", "state": "RUNNING", "segments": 7, "audio_s": 1.0, "updated_epoch_ms": 3})
    rows.append("job", {"id": "j", "state": "SUCCEEDED", "speed": 20.0, "updated_epoch_ms": 6})
    with running(url, tmp_path):
        until(lambda: spool.pending_bytes(tmp_path) == 0)
    with engine.connect() as connection:
        found = connection.execute(select(job)).mappings().one()
    assert (found["segments"], found["audio_s"], found["speed"]) == (7, 60.0, 20.0)
    assert found["updated_epoch_ms"] == 6


@pytest.mark.parametrize("replacement", ["nothing", "an empty file", "a file without tables"])
def test_rows_go_to_the_file_that_has_the_historys_name(replacement: str, tmp_path: Path) -> None:
    file, folder = tmp_path / "history.db", tmp_path / "spool"
    url, rows = f"sqlite:///{file}", Spool(folder)
    with running(url, folder):
        rows.append("task_run", attempt())
        until(lambda: spool.pending_bytes(folder) == 0)
        for each in tmp_path.glob("history.db*"):
            each.unlink()
        if replacement == "an empty file":
            file.touch()
        elif replacement == "a file without tables":
            sqlite3.connect(file).execute("CREATE TABLE other (name TEXT)").connection.close()
        for _ in range(50):
            rows.append("task_run", attempt())
        until(lambda: spool.pending_bytes(folder) == 0)
    engine = open_database(url)
    assert count(engine) == 50
    engine.dispose()
    if replacement == "nothing":
        assert file.stat().st_mode & 0o077 == 0


def test_tables_that_are_dropped_are_made_anew(tmp_path: Path) -> None:
    file, folder = tmp_path / "history.db", tmp_path / "spool"
    url, rows = f"sqlite:///{file}", Spool(folder)
    with running(url, folder):
        rows.append("task_run", attempt())
        until(lambda: spool.pending_bytes(folder) == 0)
        _drop_everything(file)
        for _ in range(5):
            rows.append("task_run", attempt())
        until(lambda: spool.pending_bytes(folder) == 0)
    engine = open_database(url)
    assert count(engine) == 5
    engine.dispose()


def _drop_everything(file: Path) -> None:
    other = sqlite3.connect(file, timeout=5)
    for kind in ("view", "table"):
        names = other.execute(
            "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%'", (kind,)
        )
        for (name,) in names.fetchall():
            other.execute(f"DROP {kind} IF EXISTS {name}")
    other.commit()
    other.close()


def test_rows_that_a_later_schema_refuses_wait_for_the_upgrade(
    url: str, engine: Engine, tmp_path: Path
) -> None:
    _refuse_rows(engine)
    rows = Spool(tmp_path / "spool")
    with running(url, tmp_path / "spool") as writer:
        rows.append("task_run", attempt())
        time.sleep(0.5)  # long enough for several tries that fail
        assert spool.pending_bytes(tmp_path / "spool") > 0
        assert writer.refused == 0
    with writing(engine) as connection:  # the upgrade, whose writers would fill the column
        connection.execute(
            text("DROP TRIGGER moon_is_new" + (" ON task_run" if _is_postgresql(engine) else ""))
        )
    with running(url, tmp_path / "spool"):
        until(lambda: count(engine) == 1)


def _is_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def _refuse_rows(engine: Engine) -> None:
    """Refuse every row, as a constraint of a later schema would."""
    with writing(engine) as connection:
        if _is_postgresql(engine):
            connection.exec_driver_sql(
                "CREATE FUNCTION moon() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE integrity_constraint_violation; END $$"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER moon_is_new BEFORE INSERT ON task_run FOR EACH ROW EXECUTE FUNCTION moon()"
            )
        else:
            connection.exec_driver_sql(
                "CREATE TRIGGER moon_is_new BEFORE INSERT ON task_run BEGIN SELECT RAISE(ABORT, 'moon'); END"
            )
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_refused_requests_are_bounded(engine: Engine) -> None:
    def refused(number: int) -> dict[str, Any]:
        return {"id": f"r{number:06d}", "state": "FAILED", "refused": 1, "created_epoch": number}

    found = [rows.parse(json.dumps({"t": "job", "r": refused(n)}).encode())[1] for n in range(1100)]
    another = rows.parse(b'{"t": "job", "r": {"id": "j", "state": "FAILED", "created_epoch": 0}}')[1]
    with writing(engine) as connection:
        rows.insert(connection, "job", [another, *found[:600]])
        rows.insert(connection, "job", found[600:])
    with engine.connect() as connection:
        ids = connection.execute(select(job.c.id).order_by(job.c.id)).scalars().all()
    assert ids == ["j", *(f"r{number:06d}" for number in range(100, 1100))]
