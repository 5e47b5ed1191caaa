"""Fixtures: a test that takes `url` runs on real SQLite and on real PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bench.harness.services import Postgres, postgres
from db.database import open_database, parse_url
from tests.db.reused_database import ReusedDatabase


@pytest.fixture(scope="package")
def postgres_server() -> Iterator[Postgres]:
    with postgres(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """History without tables, or with those of this release for a test that takes `engine`."""
    migrated = "engine" in request.fixturenames
    if request.param == "sqlite":
        if migrated:
            shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "history.db")
        yield f"sqlite:///{tmp_path}/history.db"
    elif migrated:
        database: ReusedDatabase = request.getfixturevalue("reused_database")
        yield database.url
        database.restore()
    else:
        server: Postgres = request.getfixturevalue("postgres_server")
        yield server.new_database()


@pytest.fixture(scope="package")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SQLite file with the tables of this release and no rows."""
    path = tmp_path_factory.mktemp("migrated") / "history.db"
    open_database(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(scope="package")
def migrated_database(postgres_server: Postgres) -> str:
    """Name of a PostgreSQL database with the tables of this release and no rows."""
    url = postgres_server.new_database()
    open_database(url).dispose()
    return str(parse_url(url).database)


@pytest.fixture(scope="package")
def reused_database(postgres_server: Postgres, migrated_database: str) -> ReusedDatabase:
    return ReusedDatabase(postgres_server, migrated_database)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Empty history, copied: migrations have tests of their own, which take `url`."""
    engine = open_database(url)
    yield engine
    engine.dispose()
