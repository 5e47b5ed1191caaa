"""HTML page of the attempts of one task: every measured column with its description."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any

from db.reports.job_page import STYLE
from db.schema import task_run

Row = dict[str, Any]

_OWN_STYLE = """
td:last-child { text-align: left; color: var(--faint); white-space: normal; min-width: 260px; }
"""


def page(task_id: str, rows: Sequence[Row]) -> str:
    """Render one line per column and one column per attempt, without unmeasured columns."""
    heads = "".join(f"<th>attempt {number}</th>" for number in range(1, len(rows) + 1))
    lines = "".join(_line(column, rows) for column in task_run.columns if _held(column.name, rows))
    title = f"Task {task_id}"
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}{_OWN_STYLE}</style></head>\n<body>"
        f"<h1>{escape(title)}</h1><p class='faint'>Rows of task_run, without unmeasured columns.</p>"
        f"<div class='wide'><table><tr><th>column</th>{heads}<th></th></tr>{lines}</table></div>"
        "</body></html>\n"
    )


def plain(rows: Sequence[Row]) -> list[Row]:
    """Rows for JSON: times as ISO 8601, without unmeasured columns."""
    return [
        {
            name: _iso(value)
            for name, value in row.items()
            if value is not None and not isinstance(value, bytes)
        }
        for row in rows
    ]


def _held(name: str, rows: Sequence[Row]) -> bool:
    return any(row[name] is not None for row in rows)


def _line(column: Any, rows: Sequence[Row]) -> str:
    cells = "".join(f"<td>{escape(_text(row[column.name]))}</td>" for row in rows)
    return f"<tr><td>{column.name}</td>{cells}<td>{escape(column.comment or '')}</td></tr>"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(_iso(value))


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
