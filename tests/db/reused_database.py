"""PostgreSQL database that tests use one after the other: to create one takes a quarter of a CPU second."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from bench.harness.services import Postgres

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_SHAPE = """
SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
    SELECT format('%s %s %s %s', relname, attrelid, attname, atttypid) AS part
    FROM pg_attribute JOIN pg_class AS relation ON relation.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
    UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
) AS parts
"""
"""Hash of columns with their types and relations, triggers and functions."""
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
_RESTART_SEQUENCES = """
SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence JOIN pg_class ON oid = seqrelid
WHERE relnamespace = 'public'::regnamespace
"""

Connection = psycopg.Connection[tuple[Any, ...]]


class ReusedDatabase:
    """Copy of a database that gets its rows back after each test, or is replaced if its schema changed."""

    def __init__(self, server: Postgres, template: str) -> None:
        self._server, self._template = server, template
        self.url = ""
        self._renew()

    def restore(self) -> None:
        """End all connections, and bring back the rows and sequences of the template."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_END_OTHERS)
            if _shape(connection) == self._found:
                self._restore_rows(connection)
                return
        self._renew()

    def _renew(self) -> None:
        self.url = self._server.new_database(self._template)
        with psycopg.connect(self.url, autocommit=True) as connection:
            self._tables = [name for (name,) in connection.execute(_TABLES)]
            self._found = _shape(connection)
            self._rows = {table: _rows(connection, table) for table in self._filled(connection)}

    def _restore_rows(self, connection: Connection) -> None:
        changed = [
            table
            for table in self._filled(connection) | self._rows.keys()
            if table not in self._rows or _rows(connection, table) != self._rows[table]
        ]
        if changed:
            names = sql.SQL(", ").join(map(sql.Identifier, changed))
            connection.execute(sql.SQL("TRUNCATE {}").format(names))
        for table in self._rows.keys() & changed:
            _insert(connection, table, self._rows[table])
        connection.execute(_RESTART_SEQUENCES)

    def _filled(self, connection: Connection) -> set[str]:
        """Tables with rows."""
        one = sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})")
        each = [one.format(sql.Literal(name), sql.Identifier(name)) for name in self._tables]
        return {name for (name,) in connection.execute(sql.SQL(" UNION ALL ").join(each))}


def _shape(connection: Connection) -> Any:
    return connection.execute(_SHAPE).fetchone()


def _rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    return sorted(connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))), key=repr)


def _insert(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    values = sql.SQL(", ").join(sql.Placeholder() * len(rows[0]))
    with connection.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), values), rows)
