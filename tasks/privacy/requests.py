"""Script text is private: what events, logs and Flower show of a task's arguments is made here.

Celery puts the sender's own texts of the arguments (`argsrepr`, `kwargsrepr`) into events, and a sender may
have filled in anything. So they are replaced when the message arrives, before the first event.
"""

import logging
from collections.abc import Mapping
from typing import Any

from celery.worker.consumer import consumer

from tasks.metering.install import MeteredRequest


def shown(args: Any, kwargs: Any) -> str:
    """What may be seen of a task's arguments: job and segment, never words.

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
    """A request whose arguments are shown as job and segment, whatever the sender wrote about them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = "()", shown(self.args, self.kwargs)
        self.request_dict.update(argsrepr=self._argsrepr, kwargsrepr=self._kwargsrepr)

    def info(self, safe: bool = False) -> Any:
        """What a worker answers about it, to Flower too; Celery would give the arguments as they are."""
        return super().info(safe=True)


_CELERYS: Any = consumer
_REPORTS = {
    _CELERYS.UNKNOWN_FORMAT: "a message that is no task was dropped",
    _CELERYS.UNKNOWN_TASK_ERROR: "a task of an unknown name was dropped",
    _CELERYS.INVALID_TASK_ERROR: "a task message that can't be read was dropped",
    _CELERYS.MESSAGE_DECODE_ERROR: "a message that can't be decoded was dropped",
}


class WithoutBodies(logging.Filter):
    """Celery writes the whole body of a message that it can't use into the log; here it says only that."""

    def filter(self, record: logging.LogRecord) -> bool:
        short = _REPORTS.get(record.msg)
        if short:
            record.msg, record.args, record.exc_info, record.exc_text = short, (), None, None
        return True


def shut() -> None:
    """Put the filter where these reports are made."""
    logger = logging.getLogger(consumer.__name__)
    if not any(isinstance(known, WithoutBodies) for known in logger.filters):
        logger.addFilter(WithoutBodies())
