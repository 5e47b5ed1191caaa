"""Job state changes, written to the history spool.

The artifact store remains authoritative; these rows serve people and SQL.
"""

import functools
import time
from typing import Any

from db.ingest.spool import Spool
from pipeline.errors import CancelledError
from pipeline.jobs.plans import Plan
from tasks.app import history_settings
from tasks.orchestration.resources import jobs


def planned(plan: Plan, root: str) -> None:
    now = time.time()
    _spool().append(
        "job",
        {
            **_row(plan, "RUNNING"),
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
        },
    )


def found(plan: Plan, segments: int) -> None:
    """Record the number of segments that existed before any was sent."""
    _spool().append("job", {**_row(plan, "RUNNING"), "segments_done": segments})


def finished(plan: Plan, manifest: dict[str, Any]) -> None:
    row = {"audio_s": manifest["duration_s"], "speed": manifest["speed"]}
    row["segments_done"] = manifest["segments"] - len(manifest["gaps"])
    _spool().append("job", {**_row(plan, "SUCCEEDED"), **_ended(), **row})


def failed(plan: Plan, error: Exception) -> None:
    state = "CANCELLED" if isinstance(error, CancelledError) else "FAILED"
    _spool().append("job", {**_row(plan, state), **_ended(), "error": str(error)[:500]})


@functools.cache
def _spool() -> Spool:
    return Spool(history_settings.spool)


def _ended() -> dict[str, Any]:
    now = time.time()
    return {"finished_at": now, "finished_epoch": int(now)}


def _row(plan: Plan, state: str) -> dict[str, Any]:
    run_no = jobs().coordination.run_no(plan.job)
    return {"id": plan.job, "state": state, "run_no": run_no, "updated_epoch_ms": int(time.time() * 1000)}
