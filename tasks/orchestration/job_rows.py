"""Job state changes, written to the history spool and to the outbox of notifications.

The artifact store remains authoritative; these rows serve people and SQL.
"""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from db.ingest.spool import Spool
from pipeline import clock
from pipeline.errors import CancelledError, StoreError
from pipeline.jobs.actions import Actions
from pipeline.jobs.coordination import Coordination
from pipeline.jobs.intake import Refusal
from pipeline.jobs.outbox import FAILED, FINISHED, Outbox
from pipeline.jobs.plans import Plan

log = logging.getLogger(__name__)

_REASON_MAX = 2000


class JobRows:
    """Rows of `job`, one per change of a job's state."""

    def __init__(
        self, spool: Spool, coordination: Coordination, actions: Actions, events: Sequence[str] = ()
    ) -> None:
        """Args:
        events: events of `pipeline.jobs.outbox` that are announced.
        """
        self._spool, self._coordination, self._actions = spool, coordination, actions
        self._outbox, self._events = Outbox(coordination.store), events

    def planned(self, plan: Plan, root: str, labels: Mapping[str, str] = MappingProxyType({})) -> None:
        """Record a planned job.

        Args:
            labels: labels of the request.
        """
        now = clock.now()
        row: dict[str, Any] = {
            "root_id": root,
            "created_at": plan.created_s,
            "created_epoch": int(plan.created_s),
            "started_at": now,
            "started_epoch": int(now),
            "engine": plan.options.engine,
            "format": plan.options.format,
            "segments": plan.segments,
            "speakers": len(plan.speakers),
            "words": plan.words,
            "chars_in": plan.characters,
            **({"labels": dict(labels)} if labels else {}),
        }
        self._append(plan, "RUNNING", row)

    def found(self, plan: Plan, segments: int) -> None:
        """Record the number of segments that existed before any was sent."""
        self._append(plan, "RUNNING", {"segments_done": segments})

    def finished(self, plan: Plan, manifest: dict[str, Any]) -> None:
        row = {"audio_s": manifest["duration_s"], "speed": manifest["speed"]}
        row["segments_done"] = manifest["segments"] - len(manifest["gaps"])
        self._append(plan, "SUCCEEDED", {**_ended(), **row})
        self.acted(plan.job)
        facts = {"state": manifest["state"], "engine": plan.options.engine, **row, "segments": plan.segments}
        self._announce(plan, FINISHED, facts)

    def failed(self, plan: Plan, error: Exception) -> None:
        state = "CANCELLED" if isinstance(error, CancelledError) else "FAILED"
        self._append(plan, state, {**_ended(), "error": shortened(str(error))})
        self.acted(plan.job)
        if state == "FAILED":
            facts = {"engine": plan.options.engine, "segments": plan.segments}
            self._announce(plan, FAILED, {**facts, "error": shortened(str(error))})

    def _announce(self, plan: Plan, event: str, facts: dict[str, Any]) -> None:
        """Put a notice into the outbox; a job never waits or fails for it."""
        wanted, webhook = event in self._events, plan.options.webhook
        if wanted or webhook:
            try:
                self._outbox.put(
                    plan.job,
                    self._coordination.run_no(plan.job),
                    event,
                    facts,
                    webhook=webhook,
                    namespace=plan.options.namespace,
                    for_operator=wanted,
                )
            except (StoreError, OSError) as lost:
                log.warning("a notification is lost: %s", lost, extra={"job": plan.job})

    def acted(self, job: str) -> None:
        """Record the actions on a job; repeated rows are ignored."""
        for action in self._actions.of(job):
            row = {
                "action_uid": action.uid,
                "job": job,
                "action": action.action,
                "actor": action.actor,
                "via": action.via,
                "segment": action.segment,
                "acted_at": action.acted_s,
                "acted_epoch": int(action.acted_s),
            }
            self._spool.append("job_action", row)

    def refused(self, refusal: Refusal) -> None:
        """Record a request that was refused before it was planned."""
        row = {
            "id": refusal.job,
            "state": "FAILED",
            "run_no": 1,
            "updated_epoch_ms": int(refusal.refused_s * 1000),
            "root_id": refusal.task,
            **dict.fromkeys(("created_at", "finished_at"), refusal.refused_s),
            **dict.fromkeys(("created_epoch", "finished_epoch"), int(refusal.refused_s)),
            "error": shortened(str(refusal.error)),
            "refused": 1,
        }
        self._spool.append("job", row)

    def _append(self, plan: Plan, state: str, facts: dict[str, Any]) -> None:
        run_no, now_ms = self._coordination.run_no(plan.job), int(clock.now() * 1000)
        row = {"id": plan.job, "state": state, "run_no": run_no, "updated_epoch_ms": now_ms}
        self._spool.append("job", {**row, **facts})


def shortened(reason: str) -> str:
    """Reason of a failure, cut to the size of a row."""
    return reason if len(reason) <= _REASON_MAX else f"{reason[: _REASON_MAX - 1]}…"


def _ended() -> dict[str, Any]:
    now = clock.now()
    return {"finished_at": now, "finished_epoch": int(now)}
