"""Queries about jobs, for the command line and Flower."""

from typing import Any

from sqlalchemy import Connection, Engine, case, func, select

from db.database import reading
from db.schema import job, job_action, task_run

Row = dict[str, Any]


def list_jobs(engine: Engine, *, limit: int = 50) -> list[Row]:
    """List the newest jobs, newest first."""
    query = select(job).order_by(job.c.created_epoch.desc(), job.c.created_at.desc(), job.c.id).limit(limit)
    with reading(engine) as connection:
        return _rows(connection, query)


def get_job(engine: Engine, job_id: str) -> Row | None:
    """Read one job; None if the history does not have it."""
    with reading(engine) as connection:
        return _job(connection, job_id)


def find_jobs(engine: Engine, start: str, *, limit: int = 20) -> list[str]:
    """Find job IDs by prefix; an exact match is the only result."""
    with reading(engine) as connection:
        found = [
            str(each)
            for source in (job.c.id, task_run.c.job)
            for each in connection.execute(
                select(source).where(source.startswith(start, autoescape=True)).distinct().limit(limit)
            ).scalars()
        ]
    return [start] if start in found else sorted(set(found))


def attempts(engine: Engine, task_id: str, limit: int) -> list[Row]:
    """Read all columns of the attempts of one task, oldest first."""
    run = task_run.c
    query = select(task_run).where(run.task_id == task_id).order_by(run.started_epoch, run.attempt_uid)
    with reading(engine) as connection:
        return _rows(connection, query.limit(limit))


def count_attempts(engine: Engine, job_id: str) -> int:
    """Count the attempts of a job."""
    with reading(engine) as connection:
        query = select(func.count()).select_from(task_run).where(task_run.c.job == job_id)
        return int(connection.execute(query).scalar_one())


def progress(engine: Engine, job_id: str) -> dict[str, Row]:
    """Progress of a job by task name.

    Each entry has `states` (attempts by state), `segments` (distinct segments that succeeded), `run_s` and
    `audio_s`. Audio is counted once per segment.
    """
    with reading(engine) as connection:
        return _progress(connection, job_id)


def job_and_progress(engine: Engine, job_id: str) -> tuple[Row | None, dict[str, Row]]:
    """Read a job's row and its progress, from one snapshot."""
    with reading(engine) as connection:
        return _job(connection, job_id), _progress(connection, job_id)


def _progress(connection: Connection, job_id: str) -> dict[str, Row]:
    run = task_run.c
    query = (
        select(run.task_name, run.state, func.count().label("n"), func.sum(run.run_s).label("run_s"))
        .where(run.job == job_id)
        .group_by(run.task_name, run.state)
        .order_by(run.task_name, run.state)
    )
    done = {row["task_name"]: row for row in _rows(connection, _done(job_id))}
    result: dict[str, Row] = {}
    for row in _rows(connection, query):
        ended = done.get(row["task_name"], {"segments": 0, "audio_s": None})
        stage = result.setdefault(
            row["task_name"],
            {"states": {}, "segments": ended["segments"], "run_s": 0.0, "audio_s": ended["audio_s"]},
        )
        stage["states"][row["state"]] = row["n"]
        stage["run_s"] += row["run_s"] or 0.0
    return result


def costs(engine: Engine, job_id: str) -> list[Row]:
    """Cost of each stage of a job, most expensive first.

    Seconds are sums over all attempts, including failed ones; `rss_peak_bytes` is the maximum. None means not
    measured.
    """
    run = task_run.c
    query = (
        select(
            run.task_name,
            func.count().label("attempts"),
            func.sum(case((run.state == "SUCCESS", 0), else_=1)).label("not_success"),
            func.sum(run.run_s).label("run_s"),
            func.sum(run.cpu_user_s + run.cpu_system_s + func.coalesce(run.cpu_children_s, 0)).label("cpu_s"),
            func.sum(run.cpu_wait_s).label("cpu_wait_s"),
            func.sum(run.gpu_active_s).label("gpu_active_s"),
            func.sum(run.queue_wait_s).label("queue_wait_s"),
            func.max(run.queue_wait_s).label("queue_wait_max_s"),
            func.max(run.rss_peak_bytes).label("rss_peak_bytes"),
            func.max(run.gpu_mem_reserved_peak_bytes).label("gpu_mem_reserved_peak_bytes"),
            func.sum(run.bytes_out).label("bytes_out"),
        )
        .where(run.job == job_id)
        .group_by(run.task_name)
        .order_by(func.sum(run.run_s).desc(), run.task_name)
    )
    with reading(engine) as connection:
        audio = {row["task_name"]: row["audio_s"] for row in _rows(connection, _done(job_id))}
        return [row | {"audio_s": audio.get(row["task_name"])} for row in _rows(connection, query)]


def _done(job_id: str) -> Any:
    run = task_run.c
    each = (
        select(run.task_name, run.segment, func.max(run.audio_s).label("audio_s"))
        .where(run.job == job_id, run.state == "SUCCESS")
        .group_by(run.task_name, run.segment)
        .subquery()
    )
    return select(
        each.c.task_name,
        func.count(each.c.segment).label("segments"),
        func.sum(each.c.audio_s).label("audio_s"),
    ).group_by(each.c.task_name)


def _job(connection: Connection, job_id: str) -> Row | None:
    found = _rows(connection, select(job).where(job.c.id == job_id))
    return found[0] if found else None


def _rows(connection: Connection, query: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def rows_of(engine: Engine, job_id: str) -> dict[str, list[Row]]:
    """All rows about a job, without unmeasured columns, by table."""
    run = task_run.c
    queries = {
        "job": select(job).where(job.c.id == job_id),
        "job_action": select(job_action.c.action, job_action.c.segment, job_action.c.acted_at).where(
            job_action.c.job == job_id
        ),
        "task_run": select(task_run).where(run.job == job_id).order_by(run.started_epoch, run.attempt_uid),
    }
    with reading(engine) as connection:
        return {
            table: [
                {name: value for name, value in row.items() if value is not None}
                for row in _rows(connection, query)
            ]
            for table, query in queries.items()
        }
