"""Redaction of task arguments in events, logs and Flower, since script text is private.

Celery copies the sender's representations of the arguments (`argsrepr`, `kwargsrepr`) into events, and they
may hold anything. They are replaced when the message arrives, before the first event.
"""

import logging
from collections.abc import Mapping
from typing import Any

from celery.worker.consumer import consumer

from tasks.metering.install import MeteredRequest


def shown(args: Any, kwargs: Any) -> str:
    """Public representation of a task's arguments: job and segment.

    >>> shown([{"job": "3f9a", "segment": 4}], {})
    'job 3f9a segment 4'
    >>> shown([], {"script": "Alice: a secret", "voices": {}})  # not empty, or Celery shows the arguments
    '-'
    """
    first = args[0] if args and isinstance(args[0], Mapping) else {}
    found = {**first, **(kwargs if isinstance(kwargs, Mapping) else {})}
    job, segment = found.get("job"), found.get("segment")
    words = [f"job {job}"] if isinstance(job, str) and job.isalnum() else []
    if isinstance(segment, int):
        words.append(f"segment {segment}")
    return " ".join(words) or "-"


class PrivateRequest(MeteredRequest):
    """Request that replaces the sender's representations by job and segment."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = "()", shown(self.args, self.kwargs)
        self.request_dict.update(argsrepr=self._argsrepr, kwargsrepr=self._kwargsrepr)

    def info(self, safe: bool = False) -> Any:
        """Description for inspection, without the arguments that Celery would include."""
        return super().info(safe=True)


_CELERYS: Any = consumer
_REPORTS = {
    _CELERYS.UNKNOWN_FORMAT: "a message that is no task was dropped",
    _CELERYS.UNKNOWN_TASK_ERROR: "a task of an unknown name was dropped",
    _CELERYS.INVALID_TASK_ERROR: "a task message that can't be read was dropped",
    _CELERYS.MESSAGE_DECODE_ERROR: "a message that can't be decoded was dropped",
}


class WithoutBodies(logging.Filter):
    """Log filter that removes message bodies, which Celery logs if it cannot use a message."""

    def filter(self, record: logging.LogRecord) -> bool:
        short = _REPORTS.get(record.msg)
        if short:
            record.msg, record.args, record.exc_info, record.exc_text = short, (), None, None
        return True


def shut() -> None:
    """Install the filter on Celery's consumer logger."""
    logger = logging.getLogger(consumer.__name__)
    if not any(isinstance(known, WithoutBodies) for known in logger.filters):
        logger.addFilter(WithoutBodies())
