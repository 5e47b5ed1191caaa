"""Redaction of task arguments in events, logs and Flower, since script text is private.

Celery copies the sender's representations of the arguments (`argsrepr`, `kwargsrepr`) into events, and they
may hold anything. They are replaced when the message arrives, before the first event.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import celery
from celery import Celery
from kombu import Message
from kombu.serialization import dumps

from pipeline import clock
from pipeline.errors import InternalsError
from tasks.internals import celery_internals
from tasks.message_headers import Subject, subject_in_headers, subject_of_arguments
from tasks.metering.job_requests import JobRequest
from tasks.privacy.events import SubjectDispatcher


def public_arguments(subject: Subject | None) -> str:
    """Public representation of a task's arguments; not empty, or Celery shows the arguments."""
    return str(subject) if subject else "-"


class PrivateRequest(JobRequest):
    """Request that replaces the sender's representations by job and segment, also in events.

    Messages of release 0.1.0 have no headers for them; then they are taken from the arguments.
    """

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self.subject = subject_in_headers(self.request_dict) or subject_of_arguments(self.args, self.kwargs)
        celery_internals.hide_arguments(self, "()", public_arguments(self.subject))
        eventer = options.get("eventer")
        if isinstance(eventer, SubjectDispatcher):
            eventer.expect(self.id, self.subject)

    @property
    def eta(self) -> datetime | None:
        """ETA by this machine's clock; the message has it by the service's."""
        eta: datetime | None = super().eta
        return eta and eta - timedelta(seconds=clock.now() - time.time())

    def send_event(self, type: str, **fields: Any) -> None:
        super().send_event(type, **fields, **(self.subject.headers() if self.subject else {}))

    def info(self, safe: bool = False) -> Any:
        """Description for inspection, without the arguments that Celery would include."""
        return super().info(safe=True)


def check_redaction(app: Celery) -> None:
    """Receive a message and check that Celery would publish none of its words.

    Raises:
        InternalsError: a word is left in the request's representation, its description or what its process
            is given to publish.
    """
    word = uuid4().hex
    sent = app.amqp.as_task_v2(uuid4().hex, "voxchord.render", (word,), {"script": word})
    content_type, encoding, body = dumps(sent.body, serializer="json")
    message = Message(
        body=body,
        headers=sent.headers,
        properties=sent.properties,
        content_type=content_type,
        content_encoding=encoding,
        accept=[content_type],
    )
    request = PrivateRequest(message, app=app)
    published = {
        "representation": repr(request),
        "description": str(request.info()),
        "arguments": f"{request.argsrepr} {request.kwargsrepr}",
        "headers": f"{request.request_dict['argsrepr']} {request.request_dict['kwargsrepr']}",
    }
    leaks = [name for name, text in published.items() if word in text]
    problems = [f"a request's {name} hold words of its message" for name in leaks]
    if problems:
        raise InternalsError("celery", celery.__version__, problems)


class WithoutBodies(logging.Filter):
    """Log filter that removes message bodies, which Celery logs if it cannot use a message."""

    def __init__(self) -> None:
        super().__init__()
        self.reports = celery_internals.formats_with_bodies()

    def filter(self, record: logging.LogRecord) -> bool:
        short = self.reports.get(record.msg)
        if short:
            record.msg, record.args, record.exc_info, record.exc_text = short, (), None, None
        return True


def shut() -> None:
    """Install the filter on Celery's consumer logger."""
    logger = celery_internals.consumer_logger()
    if not any(isinstance(known, WithoutBodies) for known in logger.filters):
        logger.addFilter(WithoutBodies())
