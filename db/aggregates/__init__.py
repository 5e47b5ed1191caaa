"""SQL of aggregates that are not sums over single attempts of a view.

`NAME.sql` selects the rows that attempts of a range of ids (`first` to `last`) add to `rollup_NAME`. The view
`v_NAME` adds those of the attempts after the mark.
"""

from pathlib import Path

from sqlalchemy import Table

from db import schema
from db.sql_text import PARAMETER, code

MARK = "figures_through_id"
"""Column of their mark in `rollup_mark`."""
TABLES = (schema.rollup_memory, schema.rollup_request_cost, schema.rollup_take, schema.rollup_worker)


def view(table: Table) -> str:
    """Name of the view of an aggregate and of the attempts that it does not include yet.

    >>> view(schema.rollup_take)
    'v_take'
    """
    return "v_" + _name(table)


def view_definition(table: Table) -> str:
    """SELECT statement of an aggregate's view."""
    names = ", ".join(_columns(table))
    first = f"((SELECT {MARK} FROM rollup_mark WHERE name = 'task_run') + 1)"  # noqa: S608 - ours
    added = _added(table, first=first, last="(SELECT MAX(id) FROM task_run)")
    return f"SELECT {names} FROM {table.name} UNION ALL SELECT {names} FROM (\n{added}\n) added"  # noqa: S608


def insertion(table: Table) -> str:
    """INSERT statement with the parameters `first` and `last`."""
    added = _added(table, first="CAST(:first AS BIGINT)", last="CAST(:last AS BIGINT)")
    names = ", ".join(_columns(table))
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM (\n{added}\n) added"  # noqa: S608 - ours


def _name(table: Table) -> str:
    return table.name.removeprefix("rollup_")


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "id"]


def _added(table: Table, **bounds: str) -> str:
    """SELECT statement of what a range of attempts adds."""
    source = (Path(__file__).parent / f"{_name(table)}.sql").read_text()
    return PARAMETER.sub(lambda found: bounds[found[1]], code(source))
