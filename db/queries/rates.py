"""Rates of past attempts, from which the duration of further work is estimated."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, Text, cast, func, select

from db.database import reading
from db.queries import catalog
from db.schema import job, task_run

DAYS = 30
_JOBS = 200
"""Newest jobs whose processes are counted."""
_DIFFUSION = "voxchord.diffusion"


@dataclass(frozen=True, slots=True)
class Rates:
    """Work of an engine per second of its audio, over all attempts, failed ones included."""

    busy_s_per_audio_s: Mapping[str, float]
    """Seconds for which a process or a device was busy, by task name."""
    audio_s: float
    """Audio on which the rates are based."""
    processes: int
    """Most processes that decoded segments of one of the newest jobs."""

    def work_s(self, audio_s: float, tasks: frozenset[str]) -> float | None:
        """Seconds of work of some tasks; None if the history has not seen each of them."""
        if not tasks <= self.busy_s_per_audio_s.keys():
            return None
        return audio_s * sum(self.busy_s_per_audio_s[task] for task in tasks)


def rates(engine: Engine, name: str, *, days: int = DAYS) -> Rates | None:
    """Rates of an engine, by its name; None if the history has no audio of it."""
    rows = [row for row in catalog.run(engine, "sizing", days=days).records() if row["engine"] == name]
    audio_h = sum(row["audio_h"] for row in rows if row["task_name"] == _DIFFUSION)
    if not audio_h:
        return None
    busy_s: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        busy_s[row["task_name"]] += row["busy_s_per_audio_h"] * row["audio_h"]
    per_s = {task: seconds / (3600 * audio_h) for task, seconds in busy_s.items()}
    return Rates(per_s, 3600 * audio_h, _processes(engine, name, days))


def _processes(engine: Engine, name: str, days: int) -> int:
    run = task_run.c
    newest = select(func.max(run.started_epoch)).scalar_subquery()
    jobs = select(job.c.id).order_by(job.c.created_epoch.desc(), job.c.id.desc()).limit(_JOBS)
    process = func.coalesce(run.host, "") + "/" + func.coalesce(run.worker, "") + "/"
    per_job = (
        select(func.count(func.distinct(process + cast(run.worker_pid, Text))).label("n"))
        .where(
            run.task_name == _DIFFUSION,
            run.engine == name,
            run.state == "SUCCESS",
            func.coalesce(run.cache_hit, 0) == 0,
            run.started_epoch >= newest - days * 86400,
            run.job.in_(jobs),
        )
        .group_by(run.job)
        .subquery()
    )
    with reading(engine) as connection:
        return int(connection.execute(select(func.max(per_job.c.n))).scalar() or 1)
