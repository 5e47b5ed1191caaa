"""Rows for attempts that were killed: by a signal, a time limit, the OOM killer or a machine failure.

Runs in the worker's main process, about once a second. Attempts of its own children are recorded when the
reason of their death is known; attempts of other workers once their owner can no longer report them.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from db.ingest.spool import Spool
from pipeline import clock
from tasks.metering.flight_recorder import OrphanedRecords, orphaned_records
from tasks.metering.probes import linux_counters
from tasks.metering.settings import MeterSettings

_OWN_GRACE_S = 12.0
"""Wait for the reason of a child's death: billiard may wait ten seconds for a late result."""
_ORPHAN_GRACE_S = 1.0
_OOM_NEAR_S = 3.0
"""A child that died this close to an OOM kill is taken for its victim."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Reason why an attempt was killed."""

    state: str
    exc_type: str | None = None
    exit_signal: int | None = None


class Sweeper:
    """Turns flight records of dead processes into rows.

    Args:
        find_verdict: returns the reason for a task ID; None while it is unknown.
    """

    def __init__(
        self,
        settings: MeterSettings,
        spool: Spool,
        *,
        pid: int,
        find_verdict: Callable[[str], Verdict | None],
    ) -> None:
        self._settings, self._spool, self._pid, self._find_verdict = settings, spool, pid, find_verdict
        self._found_at: dict[str, float] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._oom_count, self._oom_source = linux_counters.oom_kills()
        self._oom_rose_at = -math.inf

    def sweep(self, *, final: bool = False) -> None:
        """Sweep once. With `final`, do not wait for the reasons of own children."""
        self._count_oom_kills()
        for orphan in orphaned_records(self._settings.recorders):
            records = orphan.records()
            verdicts = [self._verdict(record) for record in records]
            own = orphan.parent_pid == self._pid
            if all(verdicts) or (final and own) or self._waited_enough(orphan):
                for record, verdict in zip(records, verdicts, strict=True):
                    self._spool.append("task_run", self._row(record, verdict, orphan))
                    self._verdicts.pop(record["attempt_uid"], None)
                orphan.remove()
                self._found_at.pop(orphan.path.name, None)

    def _verdict(self, record: dict[str, Any]) -> Verdict | None:
        uid = record["attempt_uid"]
        if uid not in self._verdicts:
            found = self._find_verdict(str(record.get("task_id")))
            if found is not None:
                self._verdicts[uid] = found
        return self._verdicts.get(uid)

    def _count_oom_kills(self) -> None:
        count, self._oom_source = linux_counters.oom_kills()
        if count > self._oom_count:
            self._oom_rose_at = time.monotonic()
        self._oom_count = count

    def _waited_enough(self, orphan: OrphanedRecords) -> bool:
        waited_s = time.monotonic() - self._found_at.setdefault(orphan.path.name, time.monotonic())
        if orphan.parent_pid == self._pid:
            return waited_s > _OWN_GRACE_S
        return waited_s > (_OWN_GRACE_S + 3.0 if psutil.pid_exists(orphan.parent_pid) else _ORPHAN_GRACE_S)

    def _row(
        self, record: dict[str, Any], verdict: Verdict | None, orphan: OrphanedRecords
    ) -> dict[str, Any]:
        verdict = verdict or Verdict("LOST")
        found_at = self._found_at.get(orphan.path.name, time.monotonic())
        own = orphan.parent_pid == self._pid
        last_sign = orphan.last_sign + clock.now() - time.time()  # files have the time of this machine
        ended = max(last_sign, clock.now() - (time.monotonic() - found_at)) if own else last_sign
        killed_for_memory = (
            verdict.state == "LOST"
            and verdict.exit_signal in {None, 9}
            and abs(found_at - self._oom_rose_at) < _OOM_NEAR_S
        )
        row = {
            "rss_peak_method": "sampled" if "rss_peak_bytes" in record else None,
            "finished_at": ended,
            "finished_epoch": int(ended),
            "run_s": max(0.0, ended - record["started_at"]),
            "stats_complete": 0,
            "recorded_at": clock.now(),
        }
        if "finished_at" in record:  # it was asked to exit and recorded its end first
            row = {}
        return {
            **record,
            **row,
            "state": "OOM" if killed_for_memory else verdict.state,
            "oom_source": self._oom_source if killed_for_memory else None,
            "exc_type": verdict.exc_type,
            "exit_signal": verdict.exit_signal,
        }
