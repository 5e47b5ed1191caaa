"""Classification of an attempt's end, from the exception it raised or the failure it returned."""

import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from pipeline.errors import CancelledError, HandedBackError, OutOfMemoryError, PipelineError


class Replaced(Ignore):
    """End of a task that did its work and was replaced by others, which store the result."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """End of an attempt: a state of `db.schema.STATES` and its cause."""

    state: str
    error: BaseException | None = None
    retry_delay_s: float | None = None

    def columns(self) -> dict[str, Any]:
        """Columns of `task_run`."""
        if self.error is None:
            return {"state": self.state}
        return {
            "state": self.state,
            "exc_type": type(self.error).__name__,
            "exc_message": _message(self.error),
            "oom_source": _oom_source(self.error),
            "retry_delay_s": self.retry_delay_s,
        }


def outcome_of(raised: BaseException | None, returned: BaseException | None = None) -> Outcome:
    """Classify the end of an attempt.

    Args:
        raised: the exception that left the body, or Celery's Retry, Ignore or Reject.
        returned: the failure that the body returned instead of raising it.
    """
    if raised is None:
        return Outcome("SUCCESS") if returned is None else Outcome(_state_of(returned), returned)
    if isinstance(raised, Retry):
        cause = raised.exc if isinstance(raised.exc, BaseException) else None
        return Outcome("RETRY", cause, _delay_s(raised.when))
    if isinstance(raised, Reject):
        return _rejected(raised)
    if isinstance(raised, Ignore):
        return Outcome("SUCCESS") if isinstance(raised, Replaced) else Outcome("IGNORED", returned)
    return Outcome(_state_of(raised), raised)


def _rejected(raised: Reject) -> Outcome:
    reason = raised.args[0] if raised.args else None
    causes = [cause for cause in (reason, raised.__cause__, raised.__context__) if cause is not None]
    for cause in causes:
        if isinstance(cause, HandedBackError):
            return Outcome("HANDED_BACK", cause)
    return Outcome("REJECTED", next((cause for cause in causes if isinstance(cause, BaseException)), None))


def _state_of(error: BaseException) -> str:
    if isinstance(error, HandedBackError):
        return "HANDED_BACK"
    if isinstance(error, CancelledError):
        return "REVOKED"
    if isinstance(error, SoftTimeLimitExceeded):
        return "TIMEOUT"
    if isinstance(error, MemoryError | OutOfMemoryError):
        return "OOM"
    return "FAILURE" if isinstance(error, Exception) else "LOST"


def _oom_source(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return "python"
    return "device" if isinstance(error, OutOfMemoryError) else None


def _delay_s(when: Any) -> float | None:
    if isinstance(when, datetime):
        return max(0.0, (when - datetime.now(UTC)).total_seconds()) if when.tzinfo is not None else None
    return float(when) if isinstance(when, int | float) else None


def _message(error: BaseException) -> str:
    """Message of our own errors; of others only the source line, since a message may quote the script."""
    if isinstance(error, PipelineError | HandedBackError | OSError | SoftTimeLimitExceeded):
        return str(error)[:500]
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "no message recorded"
    last = frames[-1]
    return f"raised in {last.name}, {'/'.join(last.filename.split('/')[-3:])}:{last.lineno}"[:500]
