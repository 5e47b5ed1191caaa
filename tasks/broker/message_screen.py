"""Boot step that screens messages: what cannot be understood becomes a dead letter, and never raises.

On Redis a message passes twice: as the object that kombu reads, and as a task's message that Celery reads. On
AMQP the broker guarantees the first. The sender is answered with FAILURE where the ID of its task is known.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import redis
from celery import bootsteps
from kombu.exceptions import ContentDisallowed, DecodeError, SerializationError

from pipeline.errors import MessageError
from tasks.broker import dead_letters, screening
from tasks.broker.screening import UNREADABLE, Fault
from tasks.internals import kombu_internals

log = logging.getLogger(__name__)

_UNDECODED = Fault("envelope", "is not JSON")


class ScreenMessages(bootsteps.StartStopStep):
    """Checks every message of the worker's queues before Celery reads it."""

    requires = ("celery.worker.consumer:Tasks",)

    def start(self, consumer: Any) -> None:
        task_consumer = consumer.task_consumer
        if kombu_internals.is_redis(task_consumer.channel):
            task_consumer.channel.on_fault = partial(_record_envelope, consumer.app)
        screen = _Screen(consumer)
        task_consumer.on_decode_error = screen.undecodable
        create = type(consumer).create_task_handler
        consumer.create_task_handler = lambda: screen.of(create(consumer))


def _record_envelope(app: Any, queue: str, message: bytes, fault: Fault | None) -> None:
    """Record a message that the transport could not read."""
    dead_letters.add(app, queue, message, fault or _UNDECODED)


class _Screen:
    """Screen of the messages of one consumer."""

    def __init__(self, consumer: Any) -> None:
        self.consumer, self.app = consumer, consumer.app

    def of(self, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        """Wrap Celery's handler of messages."""

        def screened(message: Any) -> None:
            fault = self.fault_of(message)
            if fault is not None:
                self.take_off(message, fault)
                return
            self.note_unknown(message)
            try:
                handle(message)
            except UNREADABLE as error:
                if message.acknowledged:
                    raise
                self.take_off(message, Fault("headers", f"cannot be read: {type(error).__name__}"))

        return screened

    def fault_of(self, message: Any) -> Fault | None:
        if not isinstance(message.content_type, str) or not isinstance(message.content_encoding, str):
            return Fault("properties", "name no content type and encoding")
        try:
            payload = message.payload
        except ContentDisallowed:
            return Fault("body", "has a content type that is not accepted")
        except (DecodeError, SerializationError, *UNREADABLE):
            return Fault("body", "cannot be decoded")
        return screening.task_fault(message.headers, message.properties, payload)

    def note_unknown(self, message: Any) -> None:
        """Keep a task that this release does not have; Celery drops it and answers NotRegistered."""
        fields = message.headers if "task" in message.headers else message.payload
        if fields["task"] not in self.app.tasks:
            self._record(message, Fault("headers", "name a task that this release does not have"), fields)

    def undecodable(self, message: Any, error: Exception) -> None:
        """Take off a message that kombu could not decompress or decode."""
        self.take_off(message, Fault("body", f"cannot be decoded: {type(error).__name__}"))

    def take_off(self, message: Any, fault: Fault) -> None:
        fields = message.headers if isinstance(message.headers, dict) else {}
        self._record(message, fault, fields)
        message.reject_log_error(log, self.consumer.connection_errors)
        if screening.is_text(fields.get("id")):
            self._answer(str(fields["id"]), MessageError(fault.part, fault.reason))

    def _record(self, message: Any, fault: Fault, fields: Mapping[str, Any]) -> None:
        queue = str(message.delivery_info.get("routing_key") or "")
        form = kombu_internals.stored_form(message)
        dead_letters.add(self.app, queue, form, fault, task_id=fields.get("id"), task=fields.get("task"))

    def _answer(self, task_id: str, error: MessageError) -> None:
        try:
            self.app.backend.mark_as_failure(task_id, error)
        except redis.RedisError as away:
            log.error("a sender could not be answered: %s", type(away).__name__)
