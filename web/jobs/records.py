"""Records of jobs over HTTP, in the store.

http/<client>/<hash of the ID>             the job: its task, and a hash of its request; created exclusively
http/<client>/<hash of the ID>.cancelled   it was cancelled, possibly before a worker accepted it

A client sees the records in its own folder alone. The namespace of a job has a random part, so that a job
that was deleted and created again is another one, with no picks of the first.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from pipeline import clock
from pipeline.store.artifacts import Store
from pipeline.stored_records import HTTP_JOB_VERSION, check_version, known
from web.access.clients import Client, owner_of

JOB_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""Pattern of an ID that a client chooses."""
_CANCELLED = ".cancelled"


@dataclass(frozen=True, slots=True)
class HttpJob:
    """A job over HTTP."""

    id: str
    task: str
    """ID of its Celery task."""
    content: str
    """Hash of the request."""
    created_s: float
    """Seconds since the epoch."""
    namespace: str
    """Option of the task that makes it a job of its own."""
    model: str = ""
    title: str = ""
    response_format: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class HttpJobs:
    """Jobs of one client."""

    def __init__(self, store: Store, client: Client) -> None:
        self.store, self.owner = store, owner_of(client)

    def new(self, name: str | None, content: str, **shown: Any) -> HttpJob:
        """Make a job that is not stored yet.

        Args:
            content: hash of the request.
            shown: `model`, `title`, `response_format` and `metadata`.
        """
        task = str(uuid4())
        chosen = name or f"job_{task.replace('-', '')}"
        return HttpJob(
            id=chosen,
            task=task,
            content=content,
            created_s=round(clock.now(), 3),
            namespace=f"{self.owner}/{task.replace('-', '')}/{chosen}",
            **shown,
        )

    def create(self, job: HttpJob) -> bool:
        """Store a job; False if there is one of its ID."""
        return self.store.put_json(self._name(job.id), {"version": HTTP_JOB_VERSION, **asdict(job)})

    def find(self, name: str) -> HttpJob | None:
        """Read a job by its ID; None if the client has none of it."""
        return self._read(self._name(name)) if re.fullmatch(JOB_NAME, name) else None

    def remove(self, job: HttpJob) -> None:
        for name in (self._name(job.id) + _CANCELLED, self._name(job.id)):
            self.store.objects.delete(name)

    def mark_cancelled(self, job: HttpJob) -> None:
        self.store.put(self._name(job.id) + _CANCELLED, b"")

    def unmark_cancelled(self, job: HttpJob) -> None:
        self.store.objects.delete(self._name(job.id) + _CANCELLED)

    def is_cancelled(self, job: HttpJob) -> bool:
        return self.store.has(self._name(job.id) + _CANCELLED)

    def newest(self, after: str | None = None, *, oldest_first: bool = False) -> Iterator[HttpJob]:
        """Yield the jobs, newest first.

        Args:
            after: ID of the job after which the list continues; nothing is yielded if there is none.
        """
        listed = [
            (modified, name)
            for name, modified, _ in self.store.objects.names(f"http/{self.owner}")
            if not name.endswith(_CANCELLED)
        ]
        names = [name for _, name in sorted(listed, reverse=not oldest_first)]
        if after is not None:
            last = self._name(after)
            names = names[names.index(last) + 1 :] if last in names else []
        for name in names:
            job = self._read(name)
            if job is not None:
                yield job

    def _read(self, name: str) -> HttpJob | None:
        found = self.store.get_json(name)
        if found is None:
            return None
        check_version(name, found, HTTP_JOB_VERSION)
        return known(HttpJob, dict(found))

    def _name(self, job: str) -> str:
        return f"http/{self.owner}/{hashlib.sha256(job.encode(errors='replace')).hexdigest()[:32]}"
