"""Aggregates of attempts that follow `task_run` by its id, so that late rows are included once.

`rollup_mark` has the id up to which attempts are included; aggregates that came with a later release have a
mark of their own, in a column that earlier releases do not set. A view of each aggregate (`v_outcome`,
`v_take`, …) adds the attempts after the mark, so that an answer is exact at any time. Aggregates of one hour
may be spread over several rows, which add up.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, Engine, Table, column, func, insert, select, table, text, update

from db import aggregates
from db.database import writing
from db.schema import rollup_mark, rollup_outcome, rollup_process, rollup_request, task_run

STEP = 50_000
"""Maximum number of attempts that are aggregated in one transaction."""
TAIL_ROWS = 10_000
"""Number of new attempts after which writers aggregate them."""
_VIEWS = {
    rollup_outcome: "v_outcome_row",
    rollup_process: "v_process_row",
    rollup_request: "v_request_row",
}
_MEASURES = {"n", "first_epoch", "last_epoch"}


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


def _additions(behind: Iterable[str], first: int, last: int) -> list[Any]:
    """Statements that include attempts in the aggregates of some marks."""
    found: list[Any] = []
    if "through_id" in behind:
        found += [_add(target, view, first, last) for target, view in _VIEWS.items()]
    if aggregates.MARK in behind:
        bounds = {"first": first, "last": last}
        found += [text(aggregates.insertion(each)).bindparams(**bounds) for each in aggregates.TABLES]
    return found


_ROW = rollup_mark.c.name == "task_run"
_MARKS = (rollup_mark.c.through_id, rollup_mark.c[aggregates.MARK])
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


def _add(target: Table, view: str, first: int, last: int) -> Any:
    names = [each.name for each in target.columns if each.name != "id"]
    rows = table(view, column("id"), *(column(name) for name in names))
    values = {name: _total(name)(rows.c[name]) for name in names if _is_measure(name)}
    keys = [rows.c[name] for name in names if name not in values]
    query = (
        select(*(values[name].label(name) if name in values else rows.c[name] for name in names))
        .where(rows.c.id.between(first, last))
        .group_by(*keys)
    )
    return insert(target).from_select(names, query)


def _is_measure(name: str) -> bool:
    return name in _MEASURES or name.startswith("n_") or "_sum" in name or "_max" in name or "_min" in name


def _total(name: str) -> Callable[..., Any]:
    if "_max" in name or name == "last_epoch":
        return func.max
    return func.min if "_min" in name or name == "first_epoch" else func.sum


def keep_mark(connection: Connection) -> None:
    """Lower the marks to the highest id that is left: SQLite assigns the ids of deleted last rows again."""
    if connection.dialect.name == "sqlite":
        last = select(func.coalesce(func.max(task_run.c.id), 0)).scalar_subquery()
        connection.execute(update(rollup_mark).values({each: func.min(each, last) for each in _MARKS}))
