import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import OperationalError, StatementError

from bench.harness.rows import attempt
from bench.harness.services import Postgres
from db import database
from db.database import DatabaseUrlError, open_database, parse_url, writing
from db.queries import catalog
from db.schema import column_doc, metadata, task_run


def test_migrations_yield_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    return config


def test_numbers_of_files_are_the_revisions(engine: Engine) -> None:
    revisions = [each.revision for each in ScriptDirectory.from_config(migrations()).walk_revisions()]
    assert list(database.known_revisions()) == revisions
    assert database.revision(engine) == revisions[0]


def test_histories_without_tables_have_no_revision(url: str) -> None:
    engine = open_database(url, migrate=False)
    assert database.revision(engine) is None
    engine.dispose()


def test_alembic_is_not_imported_without_need(migrated_file: Path) -> None:
    code = "import sys, db.database as d; d.open_database(sys.argv[1]); assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{migrated_file}"], check=True)


def at_version(url: str, version: str, statement: str) -> None:
    """Database of an earlier schema version."""
    engine, config = open_database(url, migrate=False), migrations()
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        upgrade(config, version)
        connection.execute(text(statement))
    engine.dispose()


def test_schemas_of_later_releases_are_used_unchanged(url: str) -> None:
    at_version(url, "head", "UPDATE alembic_version SET version_num = '9999'")
    engine = open_database(url)
    with writing(engine) as connection:
        connection.execute(task_run.insert(), {"attempt_uid": "1", "task_name": "t", "state": "SUCCESS"})
        assert MigrationContext.configure(connection).get_current_revision() == "9999"
    engine.dispose()


def test_attempts_without_times_get_the_migration_time(url: str) -> None:
    at_version(
        url, "0002", "INSERT INTO task_run (attempt_uid, task_name, state) VALUES ('1', 't', 'REVOKED')"
    )
    begun = datetime.now(UTC)
    engine = open_database(url)
    with engine.connect() as connection:
        recorded_at = connection.execute(select(task_run.c.recorded_at)).scalar_one()
    assert begun < recorded_at < datetime.now(UTC)
    engine.dispose()


def test_share_of_time_is_migrated(url: str) -> None:
    at_version(
        url,
        "0001",
        """
        INSERT INTO task_run
            (attempt_uid, task_name, state, run_s, cpu_scope, gpu_active_s, gpu_util_mean_pct)
        VALUES ('1', 't', 'SUCCESS', 8, 'process', 4, 50), ('2', 't', 'SUCCESS', 8, 'share', 1, 50),
            ('3', 't', 'SUCCESS', 8, 'share', NULL, NULL), ('4', 't', 'LOST', 8, NULL, NULL, NULL)
        """,
    )
    engine = open_database(url)
    with engine.connect() as connection:
        found = connection.execute(select(task_run.c.share_s).order_by(task_run.c.attempt_uid)).scalars()
        assert list(found) == [8, 2, None, None]
    engine.dispose()


def test_every_column_has_a_description(engine: Engine) -> None:
    with engine.connect() as connection:
        documented = {
            (row.table_name, row.column_name): row.doc for row in connection.execute(select(column_doc))
        }
    for table in metadata.sorted_tables:
        for column in table.columns:
            assert len(documented[table.name, column.name]) > 3
            if engine.dialect.name == "postgresql":
                (found,) = [c for c in inspect(engine).get_columns(table.name) if c["name"] == column.name]
                assert found["comment"] == documented[table.name, column.name]


def test_every_view_can_be_read(engine: Engine) -> None:
    names = inspect(engine).get_view_names()
    assert set(names) == {
        *("v_task_run", "v_daily", "v_job"),
        *("v_outcome_row", "v_outcome", "v_process_row", "v_process", "v_request_row", "v_request"),
        *("v_memory", "v_request_cost", "v_take", "v_worker"),
    }
    with engine.connect() as connection:
        for name in names:
            assert connection.execute(text(f"SELECT * FROM {name}")).all() == []  # noqa: S608 - names from the schema


def test_times_round_trip(engine: Engine) -> None:
    noon = datetime(2026, 5, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    row = attempt() | {"started_at": noon, "finished_at": noon.timestamp() + 1}
    with writing(engine) as connection:
        connection.execute(task_run.insert(), row)
        found = connection.execute(select(task_run.c.started_at, task_run.c.finished_at)).one()
    assert found.started_at == noon
    assert found.started_at.utcoffset() == timedelta(0)
    assert found.finished_at == datetime(2026, 5, 1, 10, 0, 1, tzinfo=UTC)


def test_times_without_a_zone_are_refused(engine: Engine) -> None:
    row = attempt() | {"started_at": datetime(2026, 5, 1, 12, 0)}
    with pytest.raises(StatementError, match="no time zone"), writing(engine) as connection:
        connection.execute(task_run.insert(), row)


def test_many_processes_create_the_tables_at_once(url: str) -> None:
    code = "import sys; from db.database import open_database; open_database(sys.argv[1]).dispose()"
    started = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0], errors
    engine = open_database(url, migrate=False)
    assert "task_run" in inspect(engine).get_table_names()
    engine.dispose()


def test_the_sqlite_file_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/new folder/history.db")
    assert (tmp_path / "new folder" / "history.db").stat().st_mode & 0o777 == 0o600
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["mysql://me:pa55word@host/db", "postgresql://me:pa55word@host:port/db", "pa55word"]
)
def test_invalid_urls_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as caught:
        parse_url(url)
    assert "pa55word" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_unreachable_databases_raise_without_their_password(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OperationalError) as caught:
        open_database("postgresql://me:pa55word@127.0.0.1:1/db")
    assert "pa55word" not in f"{caught.value!r} {caught.value} {caplog.text}"


def test_in_memory_databases_are_refused() -> None:
    with pytest.raises(DatabaseUrlError, match="needs a file"):
        parse_url("sqlite://")


def test_readers_and_migrations_do_not_wait_for_long_locks(postgres_server: Postgres) -> None:
    url = postgres_server.new_database()
    engine, other = open_database(url), open_database(url)
    with other.connect() as holder:
        holder.execute(text("LOCK TABLE task_run, job, job_action, alembic_version IN ACCESS EXCLUSIVE MODE"))
        begun = time.monotonic()
        with pytest.raises(OperationalError):
            open_database(url, timeout_s=0.3)
        reader = open_database(url, migrate=False, timeout_s=0.3)
        for name in catalog.names():
            with pytest.raises(OperationalError):
                catalog.run(reader, name)
        assert time.monotonic() - begun < 60
    reader.dispose()
    engine.dispose()
    other.dispose()


def test_statements_of_postgresql_are_limited(postgres_server: Postgres) -> None:
    engine = open_database(postgres_server.new_database(), timeout_s=2.5)
    with engine.connect() as connection:
        limits = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "statement_timeout")
        ]
    assert limits == ["2500ms", "30s"]
    engine.dispose()
