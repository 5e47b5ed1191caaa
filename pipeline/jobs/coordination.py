"""Coordination of a job's run: flags, attempts and signs of life."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.errors import CancelledError
from pipeline.store.artifacts import Store


@dataclass(frozen=True, slots=True)
class BackOff:
    """Time for which a job that could not be resumed is left alone."""

    failures: int
    wait_s: float


class Coordination:
    """Run state of the jobs of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def run_no(self, job: str) -> int:
        """Number of the current run, from 1."""
        return int(self.store.get(f"jobs/{job}/run") or b"1")

    def begun_s(self, job: str) -> float | None:
        """Time of the job's last restart, in seconds since the epoch; None in the first run."""
        begun = self.store.get(f"jobs/{job}/begun")
        return float(begun) if begun else None

    def reopen(self, job: str, *, flags: Iterable[str] = (), segment: int | None = None) -> None:
        """Restart an ended job; its finished segments remain.

        Args:
            flags: further flags to remove.
            segment: the only segment whose failure is forgotten; None forgets all.
        """
        for folder in ("failed", "tries"):
            start = f"jobs/{job}/{folder}/" + ("" if segment is None else f"{segment:06d}")
            for name, _, _ in list(self.store.objects.names(f"jobs/{job}/{folder}")):
                if name.startswith((start, f"jobs/{job}/tries/stitch.")):
                    self.store.objects.delete(name)
        for flag in ("cancelled", "failure", "manifest", "unserved", *flags):
            self.store.objects.delete(f"jobs/{job}/{flag}")
        self.store.overwrite(f"jobs/{job}/begun", repr(round(clock.now(), 3)).encode())
        self.store.overwrite(f"jobs/{job}/run", str(self.run_no(job) + 1).encode())
        self.open(job)
        self.touch(job)

    def cancel(self, job: str) -> None:
        self.store.put(f"jobs/{job}/cancelled", b"")

    def cancelled(self, job: str) -> bool:
        return self.store.objects.size(f"jobs/{job}/cancelled") is not None

    def raise_if_cancelled(self, job: str) -> None:
        """Raise if the job was cancelled.

        Raises:
            CancelledError: it was.
        """
        if self.cancelled(job):
            raise CancelledError(job)

    def open(self, job: str) -> None:
        self.store.put(f"open/{job}", b"")

    def close(self, job: str) -> None:
        """Record that no client waits any more."""
        self.store.objects.delete(f"open/{job}")

    def is_open(self, job: str) -> bool:
        return self.store.objects.size(f"open/{job}") is not None

    def opened(self) -> list[str]:
        """IDs of the open jobs, also of those whose plan is not written yet (see `Plans.open_jobs`)."""
        return [name.removeprefix("open/") for name, _, _ in self.store.objects.names("open")]

    def touch(self, job: str) -> None:
        """Record progress of the job."""
        self.store.overwrite(f"jobs/{job}/pulse", repr(clock.now()).encode())

    def idle_s(self, job: str) -> float:
        """Seconds without progress."""
        pulse = self.store.get(f"jobs/{job}/pulse")
        return max(0.0, clock.now() - float(pulse)) if pulse else float("inf")

    def backed_off(self, job: str) -> bool:
        """True while a job that could not be resumed is left alone."""
        found = self.store.get_json(_back_off(job))
        return found is not None and 0 < found["again_at"] - clock.now() <= found["wait_s"]

    def back_off(self, job: str, *, first_s: float, longest_s: float) -> BackOff:
        """Leave a job alone that could not be resumed, for twice as long after every failure."""
        found = self.store.get_json(_back_off(job))
        failures = 1 + (found["failures"] if found else 0)
        wait_s = min(first_s * 2.0 ** min(failures - 1, 32), longest_s)
        record = {"failures": failures, "wait_s": wait_s, "again_at": round(clock.now() + wait_s, 3)}
        self.store.overwrite(_back_off(job), canonical_json(record))
        return BackOff(failures, wait_s)

    def resumed(self, job: str) -> None:
        """Forget the failures to resume a job."""
        self.store.objects.delete(_back_off(job))

    def unserved_s(self, job: str) -> float | None:
        """Seconds since the job was seen waiting for a device that nobody serves; None if it is served."""
        since = self.store.get(f"jobs/{job}/unserved")
        return max(0.0, clock.now() - float(since)) if since else None

    def mark_unserved(self, job: str) -> None:
        """Record that nobody serves the job's device; the first record counts."""
        self.store.put(f"jobs/{job}/unserved", repr(round(clock.now(), 3)).encode())

    def mark_served(self, job: str) -> None:
        self.store.objects.delete(f"jobs/{job}/unserved")

    def begin(self, job: str, work: str, attempt: str, where: Mapping[str, Any]) -> None:
        """Record the start of an attempt at work of a job, and its process."""
        self.store.put_json(f"jobs/{job}/tries/{work}.{attempt}", where)

    def end(self, job: str, work: str, attempt: str) -> None:
        """Remove the record of an attempt that ended; those of dead processes remain."""
        self.store.objects.delete(f"jobs/{job}/tries/{work}.{attempt}")

    def open_attempts(self, job: str, work: str) -> list[Mapping[str, Any]]:
        """Processes in which attempts at this work run, or died."""
        folder = f"jobs/{job}/tries"
        names = [name for name, _, _ in self.store.objects.names(folder)]
        found = [self.store.get_json(name) for name in names if name.startswith(f"{folder}/{work}.")]
        return [entry for entry in found if entry]


def _back_off(job: str) -> str:
    return f"jobs/{job}/backoff"
