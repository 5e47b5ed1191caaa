"""Requests of a job's own tasks: the stages of its segments, and the stitch that ends it.

Nobody outside waits for their IDs, but the job does: one that is revoked would be missing from its chord for
ever. So revoking one changes nothing, and terminating one ends its process like any other death: the attempt
is recorded as lost, and its message returns to the queue. `cancel` ends a whole job.
"""

from typing import Any

from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated, WorkerLostError
from celery.platforms import signals

from pipeline.stage_names import SEGMENT_STAGES
from tasks.metering.install import MeteredRequest

_STITCH = "voxchord.stitch"
_STAGES = frozenset(f"voxchord.{name}" for name in SEGMENT_STAGES)


def within_job(task: str, kwargs: Any) -> bool:
    """True for a task that its job waits for; a stitch without a run answers a root.

    >>> within_job("voxchord.text", {}), within_job("voxchord.render", {"script": ""})
    (True, False)
    >>> within_job("voxchord.verify", {}), within_job("voxchord.pick", {"job": ""})
    (True, False)
    >>> within_job("voxchord.stitch", {"job": "", "run": 2}), within_job("voxchord.stitch", {"job": ""})
    (True, False)
    """
    if task == _STITCH:
        return isinstance(kwargs, dict) and kwargs.get("run") is not None
    return task in _STAGES


class JobRequest(MeteredRequest):
    """Request that cannot be revoked if its job waits for it."""

    @property
    def within_job(self) -> bool:
        return within_job(str(self.type), self.kwargs)

    def revoked(self) -> bool:
        if self.within_job and not self.expires:
            return False
        return bool(super().revoked())

    def terminate(self, pool: Any, signal: Any = None) -> None:
        if not self.within_job:
            super().terminate(pool, signal)
        elif self.time_start:
            pool.terminate_job(self.worker_pid, signals.signum(signal or "TERM"))

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, Terminated) and self.within_job:
            exc_info = _lost(error)
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)


def _lost(error: Terminated) -> ExceptionInfo:
    """Death of a process that was terminated."""
    try:
        raise WorkerLostError(f"terminated: signal {str(error).lstrip('-')}")
    except WorkerLostError:
        return ExceptionInfo()
