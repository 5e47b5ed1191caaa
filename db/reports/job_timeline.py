"""Timeline of one job: its row, attempts, samples and machines, for the report."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, select

from db.database import reading
from db.schema import job, job_action, task_run, task_sample, worker_proc

Row = dict[str, Any]


@dataclass(frozen=True)
class JobTimeline:
    """One job: its row, its attempts in order of start, and samples of long attempts by attempt.

    Of a restarted job, the last run only.
    """

    job: Row
    attempts: list[Row]
    samples: dict[str, list[Row]]
    machines: list[Row]
    """Rows of `worker_proc` of the processes that worked for it."""
    actions: tuple[Row, ...] = ()
    """Rows of `job_action`, oldest first."""

    @cached_property
    def started(self) -> float:
        """Send time of its first message, or else start of its work; seconds since the epoch."""
        return min(float(row["published"] or row["start"]) for row in self.attempts)

    @cached_property
    def finished(self) -> float:
        return max(float(row["end"]) for row in self.attempts)

    @property
    def span_s(self) -> float:
        return self.finished - self.started

    def by_stage(self) -> dict[str, list[Row]]:
        """Attempts by task, in order of the stages' starts."""
        stages: dict[str, list[Row]] = defaultdict(list)
        for row in self.attempts:
            stages[row["task_name"]].append(row)
        return dict(stages)

    def lanes(self) -> list[tuple[str, list[Row]]]:
        """Lanes of the timeline, one per slot: the slot's name and its consecutive attempts."""
        slots: dict[tuple[str, int], list[list[Row]]] = defaultdict(list)
        for row in self.attempts:
            process = slots[row["worker"] or "?", row["worker_pid"] or 0]
            free = next((lane for lane in process if lane[-1]["end"] <= row["start"] + 0.001), None)
            if free is None:
                process.append([row])
            else:
                free.append(row)
        return [
            (f"{worker} · {pid}" + (f" · {number + 1}" if len(process) > 1 else ""), lane)
            for (worker, pid), process in sorted(slots.items())
            for number, lane in enumerate(process)
        ]

    def made_s(self) -> float:
        """Seconds of audio in its segments, each counted once, without the pauses between them."""
        made = {
            row["segment"]: float(row["audio_s"])
            for row in self.attempts
            if row["state"] == "SUCCESS" and row["segment"] is not None and row["audio_s"]
        }
        return sum(made.values())

    def decoded(self) -> set[int]:
        """Segments that were decoded or tried."""
        return {
            row["segment"]
            for row in self.attempts
            if row["task_name"] == "voxchord.diffusion" and not row["cache_hit"]
        }

    def reused(self) -> int:
        """Number of reused segments, most of which had no message; 0 unless the job succeeded."""
        done = self.job.get("state") == "SUCCEEDED"
        return (self.job.get("segments") or 0) - len(self.decoded()) if done else 0

    def slots(self) -> int:
        """Slots of the workers that did at least a twentieth of the work."""
        slots: dict[str, int] = {}
        work_s: dict[str, float] = defaultdict(float)
        for row in self.attempts:
            slots[row["worker"]] = row["concurrency"] or 1
            work_s[row["worker"]] += row["run_s"] or 0.0
        enough_s = sum(work_s.values()) / 20
        return sum(count for worker, count in slots.items() if work_s[worker] >= enough_s)


def load(engine: Engine, job_id: str) -> JobTimeline | None:
    """Read the timeline of a job's last run; None while no started attempt is recorded."""
    with reading(engine) as connection:
        rows = connection.execute(select(task_run).where(task_run.c.job == job_id)).mappings().all()
        found = connection.execute(select(job).where(job.c.id == job_id)).mappings().first()
        since = _begun(dict(found) if found else {})
        began = (_timed(dict(row)) for row in rows if row["started_at"])
        attempts = sorted((row for row in began if row["end"] >= since), key=_start)
        if not attempts:
            return None
        pids = {row["worker_pid"] for row in attempts}
        workers = {row["worker"] for row in attempts}
        of_workers = select(worker_proc).where(worker_proc.c.worker.in_(workers), worker_proc.c.pid.in_(pids))
        machines = [dict(row) for row in connection.execute(of_workers).mappings()]
        of_job = select(job_action).where(job_action.c.job == job_id).order_by(job_action.c.acted_at)
        actions = tuple(dict(row) for row in connection.execute(of_job).mappings())
        uids = [row["attempt_uid"] for row in attempts if (row["run_s"] or 0) >= 1]
        samples: dict[str, list[Row]] = defaultdict(list)
        for part in _parts(uids, 500):
            query = (
                select(task_sample).where(task_sample.c.attempt_uid.in_(part)).order_by(task_sample.c.at_ms)
            )
            for row in connection.execute(query).mappings():
                samples[row["attempt_uid"]].append(dict(row))
    return JobTimeline(dict(found) if found else {"id": job_id}, attempts, dict(samples), machines, actions)


def _begun(job: Row) -> float:
    """Time of a job's restart, else 0. Attempts of earlier runs ended before it."""
    again = (job.get("run_no") or 1) > 1 and job.get("started_at")
    return float(job["started_at"].timestamp()) if again else 0.0


def _timed(row: Row) -> Row:
    """Add start, end and send time in seconds since the epoch; a retry's send time is its ETA."""
    start = row["started_at"].timestamp()
    published = max((row[name].timestamp() for name in ("published_at", "eta_at") if row[name]), default=None)
    if row["queue_wait_s"] is None:
        published = None
    return row | {"start": start, "end": start + (row["run_s"] or 0.0), "published": published}


def _start(row: Row) -> float:
    return float(row["start"])


def _parts(items: list[str], size: int) -> Iterable[list[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def cpu_s(row: Row) -> float:
    """CPU time of an attempt with its children; what was not measured counts as 0."""
    return sum(row[name] or 0 for name in ("cpu_user_s", "cpu_system_s", "cpu_children_s"))


def quantile(values: list[float], share: float) -> float:
    """Quantile by nearest rank, which is a value that occurred.

    >>> quantile([3.0, 1.0, 2.0], 0.5), quantile([1.0, 2.0, 3.0, 4.0], 0.75)
    (2.0, 3.0)
    """
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
