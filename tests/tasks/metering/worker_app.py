"""Celery app with tasks for the tests of the history, configured by the environment."""

import ctypes
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.exceptions import Ignore, Reject

from pipeline.errors import CancelledError, HandedBackError, SegmentError, StoreError
from tasks.metering import install
from tasks.metering.attempt import attempt, note, note_failure
from tasks.metering.outcome import Replaced
from tasks.metering.settings import MeterSettings


class Metered(Task):  # type: ignore[type-arg]  # generic in the stubs only
    Request = "tasks.metering.install:MeteredRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with attempt(self):
            return super().__call__(*args, **kwargs)

    def on_replace(self, sig: Any) -> None:
        sig.delay()
        raise Replaced


app = Celery("history", broker=os.environ["TEST_BROKER"], backend=os.environ["TEST_BROKER"], task_cls=Metered)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue="history",
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    accept_content=["json"],
)
folder = Path(os.environ["TEST_FOLDER"])
install.install(
    MeterSettings(folder=folder, app_version="1.0", sample_after_s=1.0),
    lambda: os.environ["TEST_DATABASE"],
)


def _once(name: str) -> bool:
    """True on the first call; a killed task is redelivered."""
    try:
        os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@app.task
def allocate(mebibytes: int) -> int:
    block = bytearray(mebibytes << 20)
    block[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * len(range(0, len(block), os.sysconf("SC_PAGE_SIZE")))
    return len(block)


@app.task
def burn_in_own_threads(seconds: float) -> None:
    """Use CPU time in threads of a library, without the interpreter lock."""

    def burn() -> None:
        deadline = time.thread_time() + seconds
        text = ctypes.create_string_buffer(1 << 22)
        while time.thread_time() < deadline:
            ctypes.memset(text, 1, len(text))

    threads = [threading.Thread(target=burn) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@app.task
def sleep(seconds: float, **facts: Any) -> None:
    note(**facts)
    time.sleep(seconds)


@app.task
def die(job: str) -> None:
    note(job=job)
    if _once(f"died {job}"):
        if job != "at once":
            time.sleep(1.8)
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(time_limit=1)
def never_end() -> None:
    time.sleep(60)


@app.task(bind=True, autoretry_for=(StoreError,), max_retries=1, retry_kwargs={"countdown": 0.2})
def fail(self: Any, how: str) -> None:
    if how == "retry":
        raise StoreError("away")
    if how == "error":
        raise SegmentError(3, 14, "no voice")
    if how == "bug":
        raise KeyError("the words of the script")
    if how == "returned":
        note_failure(SegmentError(3, 14, "no voice"))
    if how == "ignore":
        raise Ignore
    if how == "reject":
        raise Reject("no")
    if how == "cancelled":
        raise CancelledError("j")
    if how == "replace":
        self.replace(sleep.s(0).set(queue=self.request.delivery_info["routing_key"]))
    if how == "hand back" and _once("handed back"):
        try:
            raise HandedBackError
        except HandedBackError as stopping:
            raise Reject(stopping, requeue=True) from stopping
