"""Redaction of task arguments in events, logs and Flower, since script text is private.

Celery copies the sender's representations of the arguments (`argsrepr`, `kwargsrepr`) into events, and they
may hold anything. They are replaced when the message arrives, before the first event.
"""

import logging
from typing import Any

from celery.worker.consumer import consumer

from tasks.message_headers import Subject, subject_in_headers, subject_of_arguments
from tasks.metering.install import MeteredRequest
from tasks.privacy.events import SubjectDispatcher


def shown(subject: Subject | None) -> str:
    """Public representation of a task's arguments; not empty, or Celery shows the arguments."""
    return str(subject) if subject else "-"


class PrivateRequest(MeteredRequest):
    """Request that replaces the sender's representations by job and segment, also in events.

    Messages of release 0.1.0 have no headers for them; then they are taken from the arguments.
    """

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self.subject = subject_in_headers(self.request_dict) or subject_of_arguments(self.args, self.kwargs)
        self._argsrepr, self._kwargsrepr = "()", shown(self.subject)
        self.request_dict.update(argsrepr=self._argsrepr, kwargsrepr=self._kwargsrepr)
        eventer = options.get("eventer")
        if isinstance(eventer, SubjectDispatcher):
            eventer.expect(self.id, self.subject)

    def send_event(self, type: str, **fields: Any) -> None:
        super().send_event(type, **fields, **(self.subject.headers() if self.subject else {}))

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
