"""Outcomes: a job's failed segments, its failure, its manifest."""

from collections.abc import Mapping
from typing import Any

from pipeline import errors
from pipeline.canonical_json import canonical_json
from pipeline.errors import PipelineError
from pipeline.store.artifacts import Store


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
        return self.store.get_json(f"jobs/{job}/manifest")

    def finish(self, job: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest unless there is one; returns the stored manifest."""
        self.store.put_json(f"jobs/{job}/manifest", manifest)
        standing: dict[str, Any] = self.store.get_json(f"jobs/{job}/manifest") or dict(manifest)
        return standing

    def failure(self, job: str) -> str | None:
        """Reason why the job failed, as text."""
        error = self.error(job)
        return None if error is None else str(error)

    def error(self, job: str) -> PipelineError | None:
        """Error with which the job failed."""
        found = self.store.get_json(f"jobs/{job}/failure")
        if found is None:
            return None
        kind = getattr(errors, found["kind"], PipelineError)
        error: PipelineError = kind(*found["args"])
        return error

    def give_up(self, job: str, error: PipelineError) -> None:
        known = type(error) is getattr(errors, type(error).__name__, None)
        record = (
            {"kind": type(error).__name__, "args": list(error.args)}
            if known
            else {"kind": "PipelineError", "args": [str(error)]}
        )
        self.store.overwrite(f"jobs/{job}/failure", canonical_json(record))
