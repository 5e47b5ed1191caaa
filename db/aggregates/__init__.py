"""SQL of the aggregates that follow `task_run` by its id.

`NAME.sql` selects what attempts of a range of ids (`first` to `last`) add to `rollup_NAME`. Rows of one key
add up: names of columns tell keys, sums, maxima and minima apart. The view `v_NAME` has the rows of the table
and those of the attempts after the mark.
"""

from pathlib import Path

from sqlalchemy import Table

from db import schema
from db.sql_text import PARAMETER, code

TABLES = {
    "through_id": (schema.rollup_outcome, schema.rollup_process, schema.rollup_request),
    "figures_through_id": (
        *(schema.rollup_memory, schema.rollup_request_cost, schema.rollup_take, schema.rollup_worker),
    ),
}
"""Tables by the column of their mark in `rollup_mark`."""
_MEASURES = {"n", "first_epoch", "last_epoch"}


def view(table: Table) -> str:
    """Name of the view of an aggregate and of the attempts that it does not include yet.

    >>> view(schema.rollup_take)
    'v_take'
    """
    return "v_" + _name(table)


def view_definition(table: Table, mark: str) -> str:
    """SELECT statement of an aggregate's view."""
    names = ", ".join(_columns(table))
    first = f"((SELECT {mark} FROM rollup_mark WHERE name = 'task_run') + 1)"  # noqa: S608 - ours
    added = _added(table, first=first, last="(SELECT MAX(id) FROM task_run)")
    return f"SELECT {names} FROM {table.name} UNION ALL SELECT {names} FROM (\n{added}\n) added"  # noqa: S608


def insertion(table: Table) -> str:
    """INSERT statement with the parameters `first` and `last`."""
    names = _columns(table)
    keys = ", ".join(name for name in names if not _is_measure(name))
    totals = ", ".join(_total(name) if _is_measure(name) else name for name in names)
    added = _added(table, first="CAST(:first AS BIGINT)", last="CAST(:last AS BIGINT)")
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - ours
        f"SELECT {totals} FROM (\n{added}\n) added GROUP BY {keys}"
    )


def _name(table: Table) -> str:
    return table.name.removeprefix("rollup_")


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "id"]


def _is_measure(name: str) -> bool:
    return name in _MEASURES or name.startswith("n_") or "_sum" in name or "_max" in name or "_min" in name


def _total(name: str) -> str:
    if "_max" in name or name == "last_epoch":
        return f"MAX({name})"
    return f"MIN({name})" if "_min" in name or name == "first_epoch" else f"SUM({name})"


def _added(table: Table, **bounds: str) -> str:
    """SELECT statement of what a range of attempts adds."""
    source = (Path(__file__).parent / f"{_name(table)}.sql").read_text()
    return PARAMETER.sub(lambda found: bounds[found[1]], code(source))
