"""Conversion of spooled lines to table rows."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    SmallInteger,
    Table,
    case,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from db import schema
from db.database import insert_ignore
from db.types import UtcDateTime

_SPOOLED = {
    table.name: table
    for table in (schema.task_run, schema.job, schema.job_action, schema.worker_proc, schema.task_sample)
}


class RowError(ValueError):
    """Invalid line: not JSON, an unknown table, or a value of the wrong type."""


def parse(line: bytes) -> tuple[str, dict[str, Any]]:
    """Parse a line to the table's name and a row with all of its columns.

    Unknown fields are ignored, so that an older writer accepts the rows of a newer task, and vice versa.

    Raises:
        RowError: an invalid line. The message names the field, never its value.
    """
    try:
        record = json.loads(line)
        name, fields = record["t"], record["r"]
        converters = _converters[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RowError("not a row of the history") from None
    if not isinstance(fields, dict):
        raise RowError("not a row of the history")
    row: dict[str, Any] = {}
    for column, convert in converters:
        value = fields.get(column)
        try:
            row[column] = None if value is None else convert(value)
        except (ValueError, TypeError, OverflowError):
            raise RowError(f"{name}.{column} has a value of the wrong type") from None
    return name, row


def insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert new rows, ignore existing ones, and merge jobs."""
    if table == "job":
        for row in rows:
            connection.execute(_merge(connection.dialect.name), {**_JOB_DEFAULTS, **_present(row)})
        if any(row.get("refused") for row in rows):
            connection.execute(_DROP_OLDEST_REFUSED)
        return
    if table == "task_run":
        rows = [{**row, "spooled": 1} for row in rows]
    connection.execute(insert_ignore(_SPOOLED[table], connection.dialect.name), rows)


def _present(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


_JOB_DEFAULTS = {
    **{column.name: None for column in schema.job.columns},
    "state": "RUNNING",
    "run_no": 1,
    "updated_epoch_ms": 0,
}


REFUSED_MAX = 1000
"""Rows of refused requests that are retained, so that a faulty client cannot fill the history."""
_OF_REFUSED = text("refused = 1")  # not a parameter, so that the partial index serves
_NEWEST = schema.job.c.created_epoch.desc(), schema.job.c.id
_DROP_OLDEST_REFUSED = delete(schema.job).where(
    _OF_REFUSED,
    schema.job.c.id.in_(select(schema.job.c.id).where(_OF_REFUSED).order_by(*_NEWEST).offset(REFUSED_MAX)),
)


@cache
def _merge(dialect: str) -> Any:
    """Build the upsert of a job: newer values win, missing ones change nothing, a finished job stays so.

    Newer means a larger `run_no` (the job was restarted) or, within a run, a later `updated_epoch_ms`.
    """
    table = schema.job
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    new = insert.excluded
    again = new.run_no > table.c.run_no
    newer = (new.run_no == table.c.run_no) & (new.updated_epoch_ms >= table.c.updated_epoch_ms)
    back = table.c.state.in_(schema.JOB_END_STATES) & new.state.not_in(schema.JOB_END_STATES)
    merged: dict[str, Any] = {
        column.name: case(
            (again, _restarted(column, new)),
            (newer, func.coalesce(new[column.name], column)),
            else_=func.coalesce(column, new[column.name]),
        )
        for column in table.columns
        if column.name not in {"id", "state", "updated_epoch_ms", "run_no"}
    }
    merged["state"] = case((again, new.state), (newer & ~back, new.state), else_=table.c.state)
    merged["run_no"] = case((again, new.run_no), else_=table.c.run_no)
    merged["updated_epoch_ms"] = case((again | newer, new.updated_epoch_ms), else_=table.c.updated_epoch_ms)
    return insert.on_conflict_do_update(index_elements=["id"], set_=merged)


def _restarted(column: Column[Any], new: Any) -> Any:
    """Value of a column when a job restarts: the request's columns stay, those of its end are replaced."""
    if column.name in {"finished_at", "finished_epoch", "error", "audio_s", "speed", "segments_done"}:
        return new[column.name]
    return func.coalesce(new[column.name], column)


def _to_text(value: Any) -> str:
    """Text that both databases accept: without NUL, and with `?` for unpaired surrogates."""
    return str(value).replace("\x00", "").encode(errors="replace").decode()


def _to_int(value: Any) -> int:
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError(number)
    return number


def _to_small(value: Any) -> int:
    number = int(value)
    if not -(2**31) <= number < 2**31:
        raise OverflowError(number)
    return number


def _to_float(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _same(value: Any) -> Any:
    return value


def _converter(column: Column[Any]) -> Callable[[Any], Any]:
    kinds: tuple[tuple[type, Callable[[Any], Any]], ...] = (
        (UtcDateTime, float),
        (BigInteger, _to_int),
        (SmallInteger, lambda value: int(bool(value))),
        (Integer, _to_small),
        (Float, _to_float),
        (JSON, _same),
    )
    return next((convert for kind, convert in kinds if isinstance(column.type, kind)), _to_text)


def _filled_by_us(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column is not schema.task_run.c.id]


_converters = {
    name: [(column.name, _converter(column)) for column in _filled_by_us(table)]
    for name, table in _SPOOLED.items()
}
