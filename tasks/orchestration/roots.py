"""Roots that wait for a job's outcome, stored beside the job.

jobs/<job>/published          task ID of the root that sends the segments (exclusive create)
jobs/<job>/sent               all segments have been sent
jobs/<job>/roots/<…>          a waiting root: its task ID and the signature that answers it
"""

import hashlib

from pipeline.canonical_json import canonical_json
from pipeline.jobs.jobs import Jobs

FLAGS = ("sent", "published")
"""Flags that a restart of the job removes."""


class Roots:
    """Roots of the jobs of one store."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.store = jobs, jobs.store

    def claim(self, job: str, root: str) -> str:
        """Claim the right to send this job's segments; returns the root that holds it."""
        self.store.put(f"jobs/{job}/published", root.encode())
        return self.store.need(f"jobs/{job}/published").decode()

    def claimed_by(self, job: str) -> str | None:
        root = self.store.get(f"jobs/{job}/published")
        return root.decode() if root else None

    def sent(self, job: str) -> bool:
        """True if the root has sent all segments."""
        return self.store.has(f"jobs/{job}/sent")

    def mark_sent(self, job: str) -> None:
        self.store.put(f"jobs/{job}/sent", b"")

    def join(self, job: str, root: str, answer: str) -> None:
        """Add a waiting root and the serialised signature that answers it."""
        self.store.overwrite(_root(job, root), canonical_json({"root": root, "answer": answer}))

    def waiting(self, job: str) -> dict[str, str]:
        """Signatures of the answers to waiting roots, by root."""
        names = [name for name, _, _ in self.store.objects.names(f"jobs/{job}/roots")]
        found = [self.store.get_json(name) for name in names]
        return {entry["root"]: entry["answer"] for entry in found if entry}

    def answered(self, job: str, root: str) -> None:
        """Remove an answered root; without further roots the job is no longer open."""
        self.store.objects.delete(_root(job, root))
        if not self.waiting(job):
            self.jobs.coordination.close(job)
            if not self.jobs.outcomes.closed(job):  # requested again meanwhile
                self.jobs.coordination.open(job)


def _root(job: str, root: str) -> str:
    """Name from a hash, since other programs choose the IDs of their tasks."""
    return f"jobs/{job}/roots/{hashlib.sha256(root.encode()).hexdigest()[:32]}"
