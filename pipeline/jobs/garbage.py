"""The store's garbage collector: by age, then by size, and never what an open job uses."""

import time
from dataclasses import dataclass

from pipeline.errors import MissingArtifactError, StoreError
from pipeline.jobs.artifacts import speaker_name, stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.store.local import SCRATCH

_KEPT = ("voices/", "open/")
"""Registered recordings are the users', not ours to drop; and the list of open jobs says what is in use."""
_YOUNG_S = 3600.0
"""What is younger may belong to a job that is planned or taken up just now, and goes for no lack of room."""
_REMEMBERED_S = 3.0


@dataclass(frozen=True, slots=True)
class Swept:
    removed: int
    freed_bytes: int
    left_bytes: int


def collect(
    jobs: Jobs, *, older_than_s: float, keep_bytes: int | None = None, dry_run: bool = False
) -> Swept:
    """Remove artifacts older than so long, then the oldest until no more than `keep_bytes` is left.

    A closed job's files, and what lies under a segment's or a speaker's key, go by their own age. What a
    process was writing when it died goes by age alone: the young may be in the making. A job may be taken up
    again meanwhile, so that each is asked for once more before a file of it goes; a segment is made again.
    """
    now = time.time()
    used, taken_up = in_use(jobs), _TakenUp(jobs)
    objects = sorted(jobs.store.objects.names(), key=lambda entry: entry[1])
    left = sum(size for _, _, size in objects)
    removed = freed = 0
    for name, modified, size in objects:
        old = now - modified > older_than_s
        over = keep_bytes is not None and left > keep_bytes and now - modified > _YOUNG_S
        over = over and not name.startswith(f"{SCRATCH}/")
        if not (old or over) or name.startswith(_KEPT) or _covered(name, used) or taken_up.has(name):
            continue
        if not dry_run:
            jobs.store.objects.delete(name)
        removed, freed, left = removed + 1, freed + size, left - size
    if not dry_run:
        jobs.store.objects.tidy()
    return Swept(removed, freed, left)


def in_use(jobs: Jobs) -> set[str]:
    """Where everything lies that open jobs use: folders of jobs and segments, names of speakers.

    Raises:
        StoreError: an open job's plan is damaged, so nobody knows what it uses.
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
                f"the plan of open job {job} is damaged, so what it uses is unknown; render its script again "
                f"or cancel it first"
            ) from None
        used.add(f"jobs/{job}")
        used |= segments
        used.update(speaker_name(plan, speaker) for speaker in plan.speakers)
    return used


class _TakenUp:
    """Which jobs are open by now; each is asked for every few seconds at most."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._asked: dict[str, tuple[float, bool]] = {}

    def has(self, name: str) -> bool:
        """Whether a name in the store belongs to one."""
        folder, _, rest = name.partition("/")
        if folder != "jobs":
            return False
        job, now = rest.partition("/")[0], time.monotonic()
        asked, found = self._asked.get(job, (-_REMEMBERED_S, False))
        if now - asked >= _REMEMBERED_S:
            found = self._jobs.coordination.is_open(job)
            self._asked[job] = now, found
        return found


def _covered(name: str, used: set[str]) -> bool:
    """Whether a name, or a folder above it, is in use."""
    parts = name.split("/")
    return any("/".join(parts[:end]) in used for end in range(1, len(parts) + 1))
