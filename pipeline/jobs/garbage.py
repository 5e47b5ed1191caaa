"""Garbage collector of the store: by age, then by size; artifacts of open jobs remain."""

import time
from dataclasses import dataclass

from pipeline.errors import MissingArtifactError, StoreError
from pipeline.jobs.artifacts import speaker_name, stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.store.local import SCRATCH

_NEVER_COLLECTED = (
    *("voices/", "open/", "delivered/"),
    *("outbox/", "outbox-sending/", "handover/", "handover-sending/"),
)
"""Folders that are never collected: recordings, open jobs, hashes of delivered files, what is to be sent."""
_YOUNG_S = 3600.0
"""Minimum age for removal by size; younger artifacts may belong to a job that is being planned or restarted.
"""
_CACHED_S = 3.0


@dataclass(frozen=True, slots=True)
class CollectedGarbage:
    """Totals of a collection."""

    removed: int
    freed_bytes: int
    left_bytes: int


def collect(
    jobs: Jobs, *, older_than_s: float, keep_bytes: int | None = None, dry_run: bool = False
) -> CollectedGarbage:
    """Remove artifacts older than `older_than_s`, then the oldest until `keep_bytes` is left.

    Files of closed jobs, segments and speakers are removed by their own age. Temporary files are removed by
    age only, since young ones may be in use. A job may be restarted meanwhile, so it is checked again before
    a file of it is removed; a removed segment is synthesised again.
    """
    now = time.time()
    used, reopened = in_use(jobs), _ReopenedJobs(jobs)
    objects = sorted(jobs.store.objects.names(), key=lambda entry: entry[1])
    left = sum(size for _, _, size in objects)
    removed = freed = 0
    for name, modified, size in objects:
        old = now - modified > older_than_s
        over = keep_bytes is not None and left > keep_bytes and now - modified > _YOUNG_S
        over = over and not name.startswith(f"{SCRATCH}/")
        if (
            not (old or over)
            or name.startswith(_NEVER_COLLECTED)
            or _covered(name, used)
            or reopened.has(name)
        ):
            continue
        if not dry_run:
            jobs.store.objects.delete(name)
        removed, freed, left = removed + 1, freed + size, left - size
    if not dry_run:
        jobs.store.objects.tidy()
    return CollectedGarbage(removed, freed, left)


def in_use(jobs: Jobs) -> set[str]:
    """Names that open jobs use: folders of jobs and segments, and speakers.

    Raises:
        StoreError: the plan of an open job is damaged.
    """
    used: set[str] = set()
    for job in jobs.plans.ids():
        if jobs.outcomes.closed(job):
            continue
        try:
            plan = jobs.plans.need(job)
            segments = {stage_name(segment.key, "").rstrip("/") for segment in jobs.plans.segments(plan)}
        except MissingArtifactError:
            raise StoreError(
                f"the plan of open job {job} is damaged; render its script again or cancel the job first"
            ) from None
        used.add(f"jobs/{job}")
        used |= segments
        used.update(speaker_name(plan, speaker) for speaker in plan.speakers)
    return used


class _ReopenedJobs:
    """Checks if a job has been reopened, at most every few seconds per job."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._asked: dict[str, tuple[float, bool]] = {}

    def has(self, name: str) -> bool:
        """True if a name in the store belongs to a reopened job."""
        folder, _, rest = name.partition("/")
        if folder != "jobs":
            return False
        job, now = rest.partition("/")[0], time.monotonic()
        asked, found = self._asked.get(job, (-_CACHED_S, False))
        if now - asked >= _CACHED_S:
            found = self._jobs.coordination.is_open(job)
            self._asked[job] = now, found
        return found


def _covered(name: str, used: set[str]) -> bool:
    """True if a name, or a folder above it, is in use."""
    parts = name.split("/")
    return any("/".join(parts[:end]) in used for end in range(1, len(parts) + 1))
