"""HTML page of the attempts of one task: every measured column with its description."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from db.reports.html import render
from db.schema import task_run

Row = dict[str, Any]


def page(task_id: str, rows: Sequence[Row]) -> str:
    """Render one line per column and one column per attempt, without unmeasured columns."""
    lines = [
        {
            "name": column.name,
            "cells": [_text(row[column.name]) for row in rows],
            "description": column.comment or "",
        }
        for column in task_run.columns
        if any(row[column.name] is not None for row in rows)
    ]
    return render("attempts.html", title=f"Task {task_id}", attempts=len(rows), lines=lines)


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


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(_iso(value))


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
