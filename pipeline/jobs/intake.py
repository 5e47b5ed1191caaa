"""Intake: the job of every request, by the sender's task ID, and the requests that were refused.

requests/<hash of the task ID>   the job of an accepted request
refused/<job>                    a refused request, under a job ID derived from its task ID

A refused request never becomes a job, so that an equal request is judged anew.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.errors import PipelineError
from pipeline.jobs.outcomes import error_of, failure_record
from pipeline.store.artifacts import Store
from pipeline.stored_records import FAILURE_VERSION, REQUEST_VERSION, check_version

REFUSED_MAX = 1000
"""Refused requests that are retained; older ones are removed."""
_TASK_MAX = 255


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request."""

    job: str
    task: str
    """Task ID of the sender."""
    error: PipelineError
    refused_s: float
    """Seconds since the epoch."""


class Intake:
    """Requests of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def accept(self, task: str, job: str) -> None:
        """Record the job of a request."""
        record = {"version": REQUEST_VERSION, "job": job}
        self.store.overwrite(_request_name(task), canonical_json(record))

    def refuse(self, task: str, error: PipelineError) -> Refusal:
        """Record that a request was refused. A redelivery replaces its record."""
        shown = task[:_TASK_MAX].encode(errors="replace").decode()
        refusal = Refusal(refused_id(task), shown, error, round(clock.now(), 3))
        record = {**failure_record(error), "task": shown, "refused_s": refusal.refused_s}
        self.store.overwrite(_refused_name(refusal.job), canonical_json(record))
        self._drop_oldest()
        return refusal

    def job_of(self, task: str) -> str | None:
        """Job of a request by its task ID, or the ID under which it was refused; None if it is unknown."""
        name = _request_name(task)
        found = self.store.get_json(name)
        if found is not None:
            check_version(name, found, REQUEST_VERSION)
            return str(found["job"])
        refused = refused_id(task)
        return refused if self.refusal(refused) else None

    def refusal(self, job: str) -> Refusal | None:
        """Read a refused request; None if there is none."""
        name = _refused_name(job)
        found = self.store.get_json(name)
        if found is None:
            return None
        check_version(name, found, FAILURE_VERSION)
        return Refusal(job, found["task"], error_of(found), found["refused_s"])

    def refused(self) -> Iterator[str]:
        """Job IDs of all refused requests."""
        return (name.removeprefix("refused/") for name, _, _ in self.store.objects.names("refused"))

    def _drop_oldest(self) -> None:
        found = sorted(self.store.objects.names("refused"), key=lambda each: each[1], reverse=True)
        for name, _, _ in found[REFUSED_MAX:]:
            self.store.objects.delete(name)


def refused_id(task: str) -> str:
    """Job ID of a refused request. It cannot be that of a job, whose ID is a hash of its request.

    >>> refused_id("5f0c") == refused_id("5f0c") != refused_id("5f0d")
    True
    """
    return _hash(f"refused {task}")[:20]


def _hash(text: str) -> str:
    """Hash of a text; other programs choose the IDs of their tasks, so they may hold anything."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _request_name(task: str) -> str:
    return f"requests/{_hash(task)[:32]}"


def _refused_name(job: str) -> str:
    return f"refused/{job}"
