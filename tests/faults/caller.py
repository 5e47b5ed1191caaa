"""Another app, whose tasks are composed with renders."""

import os
from typing import Any

import redis
from celery import Celery, Task

QUEUE = "caller"
_URL = os.environ["CALLER_BROKER"]

app = Celery("caller", broker=_URL, backend=_URL)
app.conf.update(task_default_queue=QUEUE, worker_hijack_root_logger=False)


@app.task
def segments(manifest: dict[str, Any]) -> int:
    return int(manifest["segments"])


@app.task
def gather(results: list[Any]) -> list[Any]:
    return [each["segments"] if isinstance(each, dict) else each for each in results]


@app.task
def say(word: Any) -> Any:
    return word


@app.task
def note(_: Any, key: str) -> None:
    """Record a call as a link."""
    redis.Redis.from_url(_URL).rpush(key, "called")


@app.task
def failed(failed_id: str, key: str) -> None:
    """Record a call as an error link."""
    redis.Redis.from_url(_URL).rpush(key, failed_id)


@app.task(bind=True)
def stamps(self: Task[Any, Any], _: Any) -> Any:
    return self.request.stamps
