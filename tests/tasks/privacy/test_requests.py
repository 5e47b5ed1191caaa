"""Tests of the redaction of requests."""

from kombu import Message
from kombu.utils import json

from tasks.make_app import make_app
from tasks.privacy.requests import PrivateRequest
from tasks.settings import Settings


def test_inspected_workers_reveal_no_script_text() -> None:
    app = make_app(Settings(), "memory://")
    render = app.tasks["voxchord.render"]
    sent = app.amqp.as_task_v2("an-id", render.name, kwargs={"script": "Anna: velvet curtains"})
    message = Message(
        body=json.dumps(sent.body),
        headers=sent.headers,
        properties=sent.properties,
        content_type="application/json",
        content_encoding="utf-8",
    )
    request = PrivateRequest(message, app=app, task=render)
    assert request.kwargs == {"script": "Anna: velvet curtains"}
    for safe in (False, True):  # Celery's `inspect` and Flower's page of a worker ask for either
        assert "velvet" not in str(request.info(safe=safe))
