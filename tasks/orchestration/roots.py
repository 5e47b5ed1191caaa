"""Roots that wait for a job's outcome, noted in the store beside the job.

jobs/<job>/published          the task id of the root that sent the segments (exclusive create)
jobs/<job>/sent               they have all been sent
jobs/<job>/roots/<…>          a root that waits for the outcome: its task id and the task that will answer it
"""

import hashlib

from pipeline.canonical_json import canonical_json
from pipeline.jobs.jobs import Jobs

FLAGS = ("sent", "published")
"""Flags that a job's next run starts without."""


class Roots:
    """Roots of the jobs of one store."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.store = jobs, jobs.store

    def claim(self, job: str, root: str) -> str:
        """Claim the right to send this job's segments; returns the root that has it, perhaps another."""
        self.store.put(f"jobs/{job}/published", root.encode())
        return self.store.need(f"jobs/{job}/published").decode()

    def claimed_by(self, job: str) -> str | None:
        root = self.store.get(f"jobs/{job}/published")
        return root.decode() if root else None

    def sent(self, job: str) -> bool:
        """Whether the root got all its segments out, and not just the right to send them."""
        return self.store.has(f"jobs/{job}/sent")

    def mark_sent(self, job: str) -> None:
        self.store.put(f"jobs/{job}/sent", b"")

    def join(self, job: str, root: str, answer: str) -> None:
        """Note a root that waits for the outcome, and the task that will answer it, in the caller's form."""
        self.store.overwrite(_root(job, root), canonical_json({"root": root, "answer": answer}))

    def waiting(self, job: str) -> dict[str, str]:
        """The answers to be sent, by root."""
        names = [name for name, _, _ in self.store.objects.names(f"jobs/{job}/roots")]
        found = [self.store.get_json(name) for name in names]
        return {entry["root"]: entry["answer"] for entry in found if entry}

    def answered(self, job: str, root: str) -> None:
        """Note that a root has its outcome; when all have, the job needs no more looking after."""
        self.store.objects.delete(_root(job, root))
        if not self.waiting(job):
            self.jobs.coordination.close(job)
            if not self.jobs.outcomes.closed(job):  # asked for again in between
                self.jobs.coordination.open(job)


def _root(job: str, root: str) -> str:
    """Other programs choose the ids of their tasks, so the name is made from a hash."""
    return f"jobs/{job}/roots/{hashlib.sha256(root.encode()).hexdigest()[:32]}"
