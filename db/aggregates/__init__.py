"""SQL of aggregates that are not sums over single attempts of a view.

`NAME.sql` selects the rows that attempts of a range of ids (`first` to `last`) add to `rollup_NAME`. The view
`v_NAME` adds those of the attempts after the mark.
"""

import re
from pathlib import Path

from sqlalchemy import Table

from db import schema

MARK = "figures_through_id"
"""Column of their mark in `rollup_mark`."""
TABLES = (schema.rollup_memory, schema.rollup_request_cost, schema.rollup_take, schema.rollup_worker)
_BOUND = re.compile(r"/\*:(first|last)\*/ \d+")


def view(table: Table) -> str:
    """Name of the view of an aggregate and of the attempts that it does not include yet.

    >>> view(schema.rollup_take)
    'v_take'
    """
    return "v_" + _name(table)


def view_definition(table: Table) -> str:
    """SELECT statement of an aggregate's view."""
    names = ", ".join(_columns(table))
    bounds = {
        "first": f"((SELECT {MARK} FROM rollup_mark WHERE name = 'task_run') + 1)",  # noqa: S608 - ours
        "last": "(SELECT MAX(id) FROM task_run)",
    }
    added = _BOUND.sub(lambda found: bounds[found[1]], _source(table))
    return f"SELECT {names} FROM {table.name} UNION ALL SELECT {names} FROM (\n{added}\n) added"  # noqa: S608


def insertion(table: Table) -> str:
    """INSERT statement with the parameters `first` and `last`."""
    added = _BOUND.sub(lambda found: f"CAST(:{found[1]} AS BIGINT)", _source(table))
    names = ", ".join(_columns(table))
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM (\n{added}\n) added"  # noqa: S608 - ours


def _name(table: Table) -> str:
    return table.name.removeprefix("rollup_")


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "id"]


def _source(table: Table) -> str:
    path = Path(__file__).parent / f"{_name(table)}.sql"
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).rstrip().rstrip(";")
