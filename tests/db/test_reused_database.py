"""Tests of the database that tests of PostgreSQL use one after the other."""

import psycopg
import pytest

from bench.harness.services import Postgres
from db.database import parse_url
from tests.db.reused_database import ReusedDatabase


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> ReusedDatabase:
    template = postgres_server.new_database()
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute("CREATE TABLE mark (through INTEGER)")
        connection.execute("INSERT INTO mark VALUES (0)")
        connection.execute("CREATE TABLE task (id SERIAL, name TEXT)")
    return ReusedDatabase(postgres_server, str(parse_url(template).database))


def test_rows_and_sequences_are_restored(database: ReusedDatabase) -> None:
    url = database.url
    left = psycopg.connect(url)
    left.execute("LOCK TABLE mark")
    with psycopg.connect(url) as connection:
        for _ in range(2):
            connection.execute("INSERT INTO task (name) VALUES ('text')")
    left.execute("UPDATE mark SET through = 2")
    left.commit()
    left.execute("LOCK TABLE task")
    database.restore()
    assert database.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT through FROM mark").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM task").fetchall() == [(0,)]
        assert connection.execute("INSERT INTO task (name) VALUES ('') RETURNING id").fetchall() == [(1,)]
    left.close()


@pytest.mark.parametrize(
    "change",
    ["DROP TABLE task", "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
)
def test_databases_with_another_schema_are_replaced(database: ReusedDatabase, change: str) -> None:
    url = database.url
    with psycopg.connect(url) as connection:
        connection.execute(change.encode())
    database.restore()
    assert database.url != url
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT * FROM task").fetchall() == []
