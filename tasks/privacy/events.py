"""Events of a task, which carry its job and segment beside the redacted arguments."""

from typing import Any

from celery.app import events
from celery.events.dispatcher import EventDispatcher

from tasks.message_headers import Subject


class SubjectDispatcher(EventDispatcher):
    """Dispatcher that adds the subject to `task-received`.

    Celery sends this event itself (celery/worker/strategy.py), right after it has created the request; all
    other events of a task go through the request.
    """

    _expected: tuple[str, Subject | None] = ("", None)

    def expect(self, task_id: str, subject: Subject | None) -> None:
        """Set the subject of the task that is being received."""
        self._expected = task_id, subject

    def send(self, type: str, *args: Any, **fields: Any) -> Any:
        task_id, subject = self._expected
        if type == "task-received" and subject is not None and fields.get("uuid") == task_id:
            fields |= subject.headers()
        return super().send(type, *args, **fields)


class Events(events.Events):
    """Celery's, with this dispatcher."""

    dispatcher_cls = "tasks.privacy.events:SubjectDispatcher"
