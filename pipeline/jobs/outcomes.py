"""Outcomes: a job's failed segments, its failure, its manifest."""

import logging
from collections.abc import Mapping
from typing import Any

from pipeline import errors
from pipeline.canonical_json import canonical_json
from pipeline.errors import PipelineError
from pipeline.store.artifacts import Store
from pipeline.stored_records import FAILURE_VERSION, MANIFEST_VERSION, check_version

log = logging.getLogger(__name__)


class Outcomes:
    """Outcomes of the jobs of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def closed(self, job: str) -> bool:
        """True if the job has ended; only a new request continues it."""
        return self.failure(job) is not None or self.store.has(f"jobs/{job}/manifest")

    def fail(self, job: str, segment: int, error: str) -> None:
        """Record that one segment has failed for good."""
        self.store.overwrite(f"jobs/{job}/failed/{segment:06d}", error.encode())

    def failures(self, job: str) -> dict[int, str]:
        """Reasons of failed segments, by index."""
        return {
            int(name.rsplit("/", 1)[1]): self.store.need(name).decode()
            for name, _, _ in self.store.objects.names(f"jobs/{job}/failed")
        }

    def manifest(self, job: str) -> dict[str, Any] | None:
        """Read the manifest; None if there is none.

        Raises:
            NewerRecordError: a later release wrote it.
        """
        name = f"jobs/{job}/manifest"
        found: dict[str, Any] | None = self.store.get_json(name)
        if found is not None:
            check_version(name, found, MANIFEST_VERSION)
        return found

    def finish(self, job: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest unless there is one; returns the stored manifest."""
        self.store.put_json(f"jobs/{job}/manifest", manifest)
        stored: dict[str, Any] = self.store.get_json(f"jobs/{job}/manifest") or dict(manifest)
        return stored

    def failure(self, job: str) -> str | None:
        """Reason why the job failed, as text."""
        error = self.error(job)
        return None if error is None else str(error)

    def error(self, job: str) -> PipelineError | None:
        """Error with which the job failed."""
        name = f"jobs/{job}/failure"
        found = self.store.get_json(name)
        if found is None:
            return None
        check_version(name, found, FAILURE_VERSION)
        return error_of(found)

    def give_up(self, job: str, error: PipelineError) -> None:
        """Record the error with which a job failed."""
        self.store.overwrite(f"jobs/{job}/failure", canonical_json(failure_record(error)))


def failure_record(error: PipelineError) -> dict[str, Any]:
    """Convert an error to a record."""
    known = type(error) is getattr(errors, type(error).__name__, None)
    return {
        "version": FAILURE_VERSION,
        "kind": type(error).__name__ if known else PipelineError.__name__,
        "args": list(error.args) if known else [str(error)],
        "message": str(error),
    }


def error_of(record: Mapping[str, Any]) -> PipelineError:
    """Rebuild an error from its record."""
    kind: type[PipelineError] | None = getattr(errors, record["kind"], None)
    try:
        if kind is not None:
            return kind(*record["args"])
    except TypeError:
        log.info("a later release gives this error more arguments", extra={"error": record["kind"]})
    return PipelineError(record.get("message", record["kind"]))
