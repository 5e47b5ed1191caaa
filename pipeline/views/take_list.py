"""List of a segment's takes, for people and clients."""

from dataclasses import dataclass
from typing import Any

from pipeline.checking.records import Checked
from pipeline.engines.protocol import Options
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.takes import BY_VERIFY, Takes


@dataclass(frozen=True, slots=True)
class ListedTake:
    """One take of a segment."""

    take: int
    by: str
    """'verify' or 'hand'."""
    task: str
    """ID of the task that asked for it by hand; empty otherwise."""
    seed: int
    options: Options
    seconds: float | None
    """None if it is not made yet."""
    score: float | None
    findings: tuple[str, ...]
    used: bool
    """True if it is in the newest file, or chosen for it."""


def used_take(jobs: Jobs, takes: Takes) -> int | None:
    """Number of the take in the newest file; None if none is chosen yet."""
    job = takes.plan.job
    picks = jobs.revisions.picks(job, jobs.revisions.latest(job))
    choice = takes.choice()
    return picks.get(takes.segment.index, choice.take if choice else None)


def listed_takes(jobs: Jobs, takes: Takes) -> list[ListedTake]:
    """List the takes of a segment."""
    used = used_take(jobs, takes)
    return [_listed(jobs, takes, number, used) for number in takes.numbers()]


def _listed(jobs: Jobs, takes: Takes, number: int, used: int | None) -> ListedTake:
    request, verdict = takes.stored_request(number), takes.verdict(number)
    audio = jobs.artifacts.audio(takes.segment, number)
    return ListedTake(
        take=number,
        by=request.by if request else BY_VERIFY,
        task=request.task if request else "",
        seed=request.seed if request else takes.segment.seed,
        options=dict(request.options) if request else {},
        seconds=None if audio is None else round(audio.samples / audio.sample_rate_hz, 2),
        score=None if verdict is None else verdict.score,
        findings=_findings(verdict),
        used=number == used,
    )


def _findings(verdict: Checked | None) -> tuple[str, ...]:
    found: Any = () if verdict is None else verdict.findings
    return tuple(f"{each.kind} {each.value:g} (limit {each.limit:g})" for each in found)
