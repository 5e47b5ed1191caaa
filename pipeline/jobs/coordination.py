"""Coordination of a job's run: flags, attempts and signs of life."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.errors import CancelledError
from pipeline.store.artifacts import Store


class Coordination:
    """Run state of the jobs of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def run_no(self, job: str) -> int:
        """How often the job was begun."""
        return int(self.store.get(f"jobs/{job}/run") or b"1")

    def begun_s(self, job: str) -> float | None:
        """When the job was last begun again, in seconds since the epoch; None while it was begun once."""
        begun = self.store.get(f"jobs/{job}/begun")
        return float(begun) if begun else None

    def reopen(self, job: str, *, flags: Iterable[str] = ()) -> None:
        """Forget that a job ended, and keep every segment it has.

        Args:
            flags: of the caller's own, which the next run starts without.
        """
        for folder in ("failed", "tries"):
            for name, _, _ in list(self.store.objects.names(f"jobs/{job}/{folder}")):
                self.store.objects.delete(name)
        for flag in ("cancelled", "failure", "manifest", *flags):
            self.store.objects.delete(f"jobs/{job}/{flag}")
        self.store.overwrite(f"jobs/{job}/begun", repr(round(time.time(), 3)).encode())
        self.store.overwrite(f"jobs/{job}/run", str(self.run_no(job) + 1).encode())
        self.open(job)
        self.touch(job)

    def cancel(self, job: str) -> None:
        self.store.put(f"jobs/{job}/cancelled", b"")

    def cancelled(self, job: str) -> bool:
        return self.store.objects.size(f"jobs/{job}/cancelled") is not None

    def raise_if_cancelled(self, job: str) -> None:
        """
        Raises:
            CancelledError: somebody cancelled the job.
        """
        if self.cancelled(job):
            raise CancelledError(job)

    def open(self, job: str) -> None:
        self.store.put(f"open/{job}", b"")

    def close(self, job: str) -> None:
        """Note that nobody waits any more."""
        self.store.objects.delete(f"open/{job}")

    def is_open(self, job: str) -> bool:
        return self.store.objects.size(f"open/{job}") is not None

    def opened(self) -> list[str]:
        """The jobs that somebody may still wait for."""
        return [name.removeprefix("open/") for name, _, _ in self.store.objects.names("open")]

    def touch(self, job: str) -> None:
        """Note that something is being done for it."""
        self.store.overwrite(f"jobs/{job}/pulse", repr(time.time()).encode())

    def idle_s(self, job: str) -> float:
        """How long nothing has been done for it."""
        pulse = self.store.get(f"jobs/{job}/pulse")
        return max(0.0, time.time() - float(pulse)) if pulse else float("inf")

    def begin(self, job: str, work: str, attempt: str, where: Mapping[str, Any]) -> None:
        """Note that an attempt at some work of a job begins, and in which process."""
        self.store.put_json(f"jobs/{job}/tries/{work}.{attempt}", where)

    def end(self, job: str, work: str, attempt: str) -> None:
        """The attempt has ended, well or not; what a dead process leaves stays."""
        self.store.objects.delete(f"jobs/{job}/tries/{work}.{attempt}")

    def open_attempts(self, job: str, work: str) -> list[Mapping[str, Any]]:
        """Where attempts at this work run, or died."""
        folder = f"jobs/{job}/tries"
        names = [name for name, _, _ in self.store.objects.names(folder)]
        found = [self.store.get_json(name) for name in names if name.startswith(f"{folder}/{work}.")]
        return [entry for entry in found if entry]
