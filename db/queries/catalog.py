"""Catalog of the named queries in `db/queries/*.sql`.

The files run unchanged: `psql -f db/queries/speed.sql`, `sqlite3 history.db < db/queries/speed.sql`. Each
parameter is a comment before its default, `/*:days*/ 30`. Edit the default, or pass the parameter to `run`,
which binds it. Files in `db/queries/postgresql` give the same answers with SQL that SQLite does not have.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from db.sql_text import PARAMETER, code

_FOLDER = Path(__file__).parent

_LARGE_READ = {
    "postgresql": ["SET LOCAL work_mem = '256MB'"],
    "sqlite": ["PRAGMA cache_size = -262144"],
}
_AS_BEFORE = {"postgresql": [], "sqlite": ["PRAGMA cache_size = -16384"]}


class QueryError(Exception):
    """Unknown query or parameter, or an invalid value."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a query."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def names() -> list[str]:
    """Names of all queries."""
    return sorted(path.stem for path in _FOLDER.glob("*.sql"))


def source(name: str, dialect: str = "") -> str:
    """SQL text of a query; of a dialect that has a faster one with the same answer, that one.

    Raises:
        QueryError: unknown query; lists all names.
    """
    if name not in names():
        raise QueryError(f"unknown query {name!r}; available: {', '.join(names())}")
    special = _FOLDER / dialect / f"{name}.sql"
    return (special if special.exists() else _FOLDER / f"{name}.sql").read_text()


def about(name: str) -> str:
    """Description of a query and its parameters: the comment at its top."""
    lines = source(name).splitlines()
    return "\n".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))


def parameters(name: str) -> dict[str, Any]:
    """Parameters of a query and their defaults.

    >>> parameters("speed")
    {'days': 30}
    """
    return {found[1]: _value(found[2]) for found in PARAMETER.finditer(source(name))}


def run(engine: Engine, name: str, **given: Any) -> Answer:
    """Run a query.

    Args:
        given: values of parameters; text is converted to the type of the default.

    Raises:
        QueryError: unknown query or parameter, or a value of the wrong type.
    """
    defaults = parameters(name)
    unknown = given.keys() - defaults.keys()
    if unknown:
        raise QueryError(
            f"unknown parameter {', '.join(sorted(unknown))}; {name} has {', '.join(defaults) or 'none'}"
        )
    bound = {parameter: _like(defaults[parameter], parameter, value) for parameter, value in given.items()}
    statement = PARAMETER.sub(
        lambda found: f":{found[1]}" if found[1] in bound else found[2],
        code(source(name, engine.dialect.name)),
    )
    with _reading(engine) as connection:
        result = connection.execute(text(statement), bound)
        return Answer(list(result.keys()), [tuple(map(_plain, row)) for row in result])


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection for one large read that may sort in memory."""
    with engine.connect() as connection:
        for setting in _LARGE_READ[connection.dialect.name]:
            connection.exec_driver_sql(setting)
        yield connection
        connection.rollback()
        for setting in _AS_BEFORE[connection.dialect.name]:
            connection.exec_driver_sql(setting)


def _plain(value: Any) -> Any:
    """Convert decimals, PostgreSQL's sums of integers, to int or float."""
    if not isinstance(value, Decimal):
        return value
    return (
        int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    )


def _value(literal: str) -> Any:
    if literal == "NULL":
        return None
    if literal.startswith("'"):
        return literal[1:-1].replace("''", "'")
    return float(literal) if "." in literal else int(literal)


def _like(default: Any, parameter: str, value: Any) -> Any:
    kind = str if default is None else type(default)
    try:
        number = float(value) if kind is int else kind(value)
        return int(number) if kind is int and number == int(number) else number
    except (ValueError, OverflowError):  # infinity is not an integer
        raise QueryError(f"parameter {parameter} must be a number, not {value!r}") from None
