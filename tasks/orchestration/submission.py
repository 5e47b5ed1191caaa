"""Sending of requests by name and queue, as any other app does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tasks.message_headers import LABELS, OPENING

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult

_NONE: Mapping[str, Any] = MappingProxyType({})


def send_render(
    app: "Celery",
    task: str,
    arguments: Mapping[str, Any],
    *,
    labels: Mapping[str, str] = _NONE,
    opening: str | None = None,
    retry_policy: Mapping[str, float] = _NONE,
) -> "AsyncResult[Any]":
    """Send `voxchord.render`. The service runs a repeated task ID once.

    Args:
        task: ID of the task.
        arguments: script, voices and options.
        labels: labels of the job in the history.
        opening: ID of the task as which the opening of a long text is rendered ahead; None for none.
        retry_policy: kombu's, while the broker is unreachable; empty is the app's own.
    """
    headers = ({LABELS: dict(labels)} if labels else {}) | ({OPENING: opening} if opening else {})
    optional: dict[str, Any] = {"headers": headers} if headers else {}
    if retry_policy:
        optional["retry_policy"] = dict(retry_policy)
    return app.send_task(
        "voxchord.render",
        kwargs=dict(arguments),
        queue="voxchord",
        task_id=task,
        argsrepr="()",
        kwargsrepr="-",
        **optional,
    )
