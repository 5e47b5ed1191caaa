"""The store's garbage collector: by age, then by size, and never what an open job uses."""

import time
from dataclasses import dataclass

from pipeline.errors import MissingArtifactError, StoreError
from pipeline.jobs import Jobs, speaker_name, stage_name
from pipeline.objects import SCRATCH

_KEPT = ("voices/", "open/")
"""Registered recordings are the users', not ours to drop; and the list of open jobs says what is in use."""


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
    process was writing when it died goes by age alone: the young may be in the making.
    """
    now = time.time()
    used = in_use(jobs)
    objects = sorted(jobs.store.objects.names(), key=lambda entry: entry[1])
    left = sum(size for _, _, size in objects)
    removed = freed = 0
    for name, modified, size in objects:
        old = now - modified > older_than_s
        over = keep_bytes is not None and left > keep_bytes and not name.startswith(f"{SCRATCH}/")
        if not (old or over) or name.startswith(_KEPT) or _covered(name, used):
            continue
        if not dry_run:
            jobs.store.objects.delete(name)
        removed, freed, left = removed + 1, freed + size, left - size
    return Swept(removed, freed, left)


def in_use(jobs: Jobs) -> set[str]:
    """Where everything lies that open jobs use: folders of jobs and segments, names of speakers.

    Raises:
        StoreError: an open job's plan is damaged, so nobody knows what it uses.
    """
    used: set[str] = set()
    for job in jobs.ids():
        if jobs.closed(job):
            continue
        try:
            plan = jobs.need(job)
        except MissingArtifactError:
            raise StoreError(
                f"the plan of open job {job} is damaged, so what it uses is unknown; render its script again "
                f"or cancel it first"
            ) from None
        used.add(f"jobs/{job}")
        used.update(stage_name(segment.key, "").rstrip("/") for segment in jobs.segments(plan))
        used.update(speaker_name(plan, speaker) for speaker in plan.speakers)
    return used


def _covered(name: str, used: set[str]) -> bool:
    """Whether a name, or a folder above it, is in use."""
    parts = name.split("/")
    return any("/".join(parts[:end]) in used for end in range(1, len(parts) + 1))
