"""Script text is private: what events, logs and Flower show of a task's arguments is made here.

Celery puts the sender's own texts of the arguments (`argsrepr`, `kwargsrepr`) into events, and a sender may
have filled in anything. So they are replaced when the message arrives, before the first event.
"""

import logging
from typing import Any

from celery.worker.consumer import consumer

from tasks.history import MeteredRequest


def shown(args: Any, kwargs: Any) -> str:
    """What may be seen of a task's arguments: job and segment, never words.

    >>> shown([{"job": "3f9a", "segment": 4}], {})
    'job 3f9a segment 4'
    >>> shown([], {"script": "Alice: a secret", "voices": {}})
    ''
    """
    first = args[0] if args and isinstance(args[0], dict) else {}
    found = {**first, **(kwargs if isinstance(kwargs, dict) else {})}
    job, segment = found.get("job"), found.get("segment")
    words = [f"job {job}"] if isinstance(job, str) and job.isalnum() else []
    if isinstance(segment, int):
        words.append(f"segment {segment}")
    return " ".join(words)


class PrivateRequest(MeteredRequest):
    """A request whose arguments are shown as job and segment, whatever the sender wrote about them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = "()", shown(self.args, self.kwargs)
        self.request_dict.update(argsrepr=self._argsrepr, kwargsrepr=self._kwargsrepr)


class BodiesUnsaid(logging.Filter):
    """Leaves a message's body out of what the worker logs of one that it can't take: it may hold a script."""

    FORMATS = (
        consumer.UNKNOWN_TASK_ERROR,
        consumer.INVALID_TASK_ERROR,
        consumer.UNKNOWN_FORMAT,
        consumer.MESSAGE_DECODE_ERROR,
    )

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg in self.FORMATS:
            record.msg, record.args = "message refused: %s", (self._reason(record),)
            record.exc_info = None
        return True

    @staticmethod
    def _reason(record: logging.LogRecord) -> str:
        """An unknown task's name is worth knowing; other reasons may quote the message."""
        if record.msg == consumer.UNKNOWN_TASK_ERROR and isinstance(record.args, tuple):
            return f"no task {record.args[0]}"
        return {
            consumer.INVALID_TASK_ERROR: "not a task of Celery's protocol",
            consumer.UNKNOWN_FORMAT: "not a task",
            consumer.MESSAGE_DECODE_ERROR: "it can't be decoded",
        }.get(str(record.msg), "unknown task")


consumer.logger.addFilter(BodiesUnsaid())
