"""Retention of the history: hourly aggregates are permanent, single attempts are deleted after some days.

Aggregates that serve only as long as their attempts are deleted with them (`_AGED`).

All steps are small transactions, so that writers never wait long. An hour is aggregated when it is over, and
again while late rows may arrive. Rows are deleted only after their hour was aggregated.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, case, delete, func, insert, literal, select

from db import rollups
from db.database import writing
from db.schema import (
    BUCKETS_S,
    bucket_column,
    http_request,
    job,
    job_action,
    rollup_hour,
    rollup_memory,
    rollup_process,
    rollup_request,
    rollup_request_cost,
    rollup_worker,
    task_run,
    task_sample,
    worker_proc,
)

HOUR_S, DAY_S = 3600, 86_400
_AGED = (rollup_memory, rollup_process, rollup_request, rollup_request_cost, rollup_worker)
LATE_S = 6 * HOUR_S
"""Time after an hour in which its rows may still arrive: the database was down, or a worker was killed."""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Result of `trim`."""

    hours_summed: int
    attempts_deleted: int
    samples_deleted: int


def trim(
    engine: Engine,
    *,
    days: int = 90,
    sample_days: int = 14,
    step: int = 5_000,
    now: float | None = None,
    each_step: Callable[[int], object] = lambda _rows: None,
) -> Trimmed:
    """Aggregate new hours, then delete old rows.

    Args:
        days: age at which attempts are deleted, and rows of refused requests and of actions.
        sample_days: age at which samples of long attempts are deleted.
        step: maximum number of rows deleted in one transaction.
        each_step: called with the number of deleted rows after each step.
    """
    now = time.time() if now is None else now
    hours = sum_hours(engine, now=now)
    rollups.advance(engine)
    before = int(now) // HOUR_S * HOUR_S - days * DAY_S
    attempts = sum(
        _delete(engine, task_run, task_run.c.id, old, step, each_step)
        for old in (task_run.c.started_epoch < before, _never_began(before))
    )
    old_sample = task_sample.c.sampled_epoch < int(now) - sample_days * DAY_S
    samples = _delete(engine, task_sample, task_sample.c.attempt_uid, old_sample, step, each_step)
    _delete(
        engine, worker_proc, worker_proc.c.proc_uid, worker_proc.c.started_epoch < before, step, each_step
    )
    _delete(engine, job_action, job_action.c.action_uid, job_action.c.acted_epoch < before, step, each_step)
    _delete(
        engine, http_request, http_request.c.task_id, http_request.c.requested_epoch < before, step, each_step
    )
    for each in _AGED:
        _delete(engine, each, each.c.id, each.c.hour_epoch < before, step, each_step)
    refused = (job.c.refused == 1) & (job.c.created_epoch < before)
    _delete(engine, job, job.c.id, refused, step, each_step)
    _give_back(engine)
    return Trimmed(hours, attempts, samples)


def _never_began(before: int) -> Any:
    """Condition for attempts revoked before their start and recorded before a time; no hour counts them."""
    return task_run.c.started_epoch.is_(None) & (task_run.c.recorded_at < datetime.fromtimestamp(before, UTC))


def sum_hours(engine: Engine, *, now: float) -> int:
    """Aggregate each finished hour that is new or may have received late rows; returns their number.

    The hours aggregated last are always repeated, since they may have received rows since.
    """
    current = int(now) // HOUR_S * HOUR_S
    with engine.connect() as connection:
        done = connection.execute(select(func.max(rollup_hour.c.hour_epoch))).scalar_one()
    hours = 0
    hour = _next_hour(engine, 0 if done is None else min(done + HOUR_S, current) - LATE_S)
    while hour is not None and hour < current:
        with writing(engine) as connection:
            _sum_hour(connection, hour)
        hours += 1
        hour = _next_hour(engine, hour + HOUR_S)
    return hours


def _next_hour(engine: Engine, hour: int) -> int | None:
    """First hour, from this one on, in which an attempt started."""
    query = select(func.min(task_run.c.started_epoch)).where(task_run.c.started_epoch >= hour)
    with engine.connect() as connection:
        found = connection.execute(query).scalar_one()
    return None if found is None else int(found) // HOUR_S * HOUR_S


def _sum_hour(connection: Connection, hour: int) -> None:
    of_hour = task_run.c.started_epoch.between(hour, hour + HOUR_S - 1)
    there = connection.execute(select(func.count()).select_from(task_run).where(of_hour)).scalar_one()
    old = rollup_hour.c.hour_epoch == hour
    summed = connection.execute(select(func.sum(rollup_hour.c.n)).where(old)).scalar_one()
    if summed is not None and summed > there:  # rows were deleted since: the aggregate is all that remains
        return
    connection.execute(delete(rollup_hour).where(old))
    values = _sums(hour)
    keys = [values[name] for name in _KEYS[1:]]
    query = select(*(value.label(name) for name, value in values.items())).where(of_hour).group_by(*keys)
    connection.execute(insert(rollup_hour).from_select(list(values), query))


_KEYS = ("hour_epoch", "task_name", "queue", "engine", "device", "app_version")


def _sums(hour: int) -> dict[str, Any]:
    run = task_run.c

    def known(column: Any) -> Any:
        return func.coalesce(column, "")

    def count_of(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    values: dict[str, Any] = {
        "hour_epoch": literal(hour, BigInteger()),
        "task_name": run.task_name,
        **{name: known(run[name]) for name in _KEYS[2:]},
        "n": func.count(),
        "n_not_success": count_of(run.state != "SUCCESS"),
        "n_retry": count_of(run.state == "RETRY"),
        "n_killed": count_of(run.state.in_(("TIMEOUT", "OOM", "LOST"))),
        "run_sum_s": func.sum(run.run_s),
        "run_max_s": func.max(run.run_s),
        "cpu_sum_s": func.sum(run.cpu_user_s + run.cpu_system_s + func.coalesce(run.cpu_children_s, 0)),
        "cpu_wait_sum_s": func.sum(run.cpu_wait_s),
        "n_queue_wait": func.count(run.queue_wait_s),
        "queue_wait_sum_s": func.sum(run.queue_wait_s),
        "queue_wait_max_s": func.max(run.queue_wait_s),
        "rss_peak_max_bytes": func.max(run.rss_peak_bytes),
        "gpu_mem_reserved_peak_max_bytes": func.max(run.gpu_mem_reserved_peak_bytes),
        "gpu_active_sum_s": func.sum(run.gpu_active_s),
        "energy_j_sum": func.sum(
            func.coalesce(run.gpu_energy_j + run.cpu_energy_j, run.gpu_energy_j, run.cpu_energy_j)
        ),
        "audio_sum_s": func.sum(run.audio_s),
        "chars_in_sum": func.sum(run.chars_in),
        "bytes_out_sum": func.sum(run.bytes_out),
    }
    for bound in BUCKETS_S:
        values[bucket_column(bound)] = count_of(run.run_s <= bound)
    return values


def _delete(
    engine: Engine, table: Any, key: Any, old: Any, step: int, each_step: Callable[[int], object]
) -> int:
    total = 0
    while True:
        with writing(engine) as connection:
            chosen = select(key).where(old).limit(step)
            deleted = int(connection.execute(delete(table).where(key.in_(chosen))).rowcount)
            if table is task_run:
                rollups.keep_mark(connection)
        total += deleted
        if deleted:
            each_step(deleted)
        if deleted < step:
            return total


def _give_back(engine: Engine) -> None:
    """Shrink SQLite's file by some pages. PostgreSQL reclaims space by itself."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA incremental_vacuum(2000)").fetchall()
        finally:
            connection.close()
