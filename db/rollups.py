"""Aggregates of attempts that follow `task_run` by its id, so that late rows are included once.

`rollup_mark` has the id up to which attempts are included; aggregates that came with a later release have a
mark of their own, in a column that earlier releases do not set. A view of each aggregate (`v_outcome`,
`v_take`, …) adds the attempts after the mark, so that an answer is exact at any time. Aggregates of one hour
may be spread over several rows, which add up.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, Engine, TextClause, func, select, text, update

from db import aggregates
from db.database import writing
from db.schema import rollup_mark, task_run

STEP = 50_000
"""Maximum number of attempts that are aggregated in one transaction."""
TAIL_ROWS = 10_000
"""Number of new attempts after which writers aggregate them."""


def advance(engine: Engine, *, step: int = STEP) -> int:
    """Aggregate all attempts that are not included yet; returns the number of their ids."""
    total = 0
    while added := advance_once(engine, step=step):
        total += added
    return total


def advance_once(engine: Engine, *, step: int = STEP, at_least: int = 1) -> int:
    """Aggregate the next attempts in one transaction; returns the number of their ids.

    Args:
        at_least: does nothing if fewer ids are new, such as when another process has just aggregated them.
    """
    if _behind(engine) < at_least:
        return 0
    settled = _settled(engine)
    with writing(engine) as connection:
        marks = _marks(connection, lock=True)
        through = min(marks.values())
        new = min(settled, _newest(connection)) - through
        if new < at_least:
            return 0
        last = min(through + min(new, step), *(mark for mark in marks.values() if mark > through), _NEVER)
        behind = [name for name, mark in marks.items() if mark == through]
        for statement in _additions(behind, through + 1, last):
            connection.execute(statement)
        connection.execute(update(rollup_mark).where(_ROW).values(dict.fromkeys(behind, last)))
        return last - through


def _additions(behind: Iterable[str], first: int, last: int) -> Iterator[TextClause]:
    """Statements that include attempts in the aggregates of some marks."""
    for mark in behind:
        for table in aggregates.TABLES[mark]:
            yield text(aggregates.insertion(table)).bindparams(first=first, last=last)


_ROW = rollup_mark.c.name == "task_run"
_MARKS = tuple(rollup_mark.c[name] for name in aggregates.TABLES)
_NEVER = 2**63 - 1


def _marks(connection: Connection, *, lock: bool = False) -> dict[str, int]:
    """Marks that this release advances, by column."""
    marks = select(*_MARKS).where(_ROW)
    found = connection.execute(marks.with_for_update() if lock else marks).one()
    return {name: int(through) for name, through in found._mapping.items()}


def _behind(engine: Engine) -> int:
    with engine.connect() as connection:
        return _newest(connection) - min(_marks(connection).values())


def _newest(connection: Connection) -> int:
    return int(connection.execute(select(func.max(task_run.c.id))).scalar_one() or 0)


def _settled(engine: Engine) -> int:
    """ID up to which no transaction will insert an attempt any more.

    Ids are assigned before they are visible: a transaction that is still open may have lower ones. On
    PostgreSQL the lock waits for all of them, whatever release they are of, and ends with this transaction;
    later ones get higher ids. SQLite's write transactions exclude each other.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE task_run IN SHARE MODE"))
        return _newest(connection)


def keep_mark(connection: Connection) -> None:
    """Lower the marks to the highest id that is left: SQLite assigns the ids of deleted last rows again."""
    if connection.dialect.name == "sqlite":
        last = select(func.coalesce(func.max(task_run.c.id), 0)).scalar_subquery()
        connection.execute(update(rollup_mark).values({each: func.min(each, last) for each in _MARKS}))
