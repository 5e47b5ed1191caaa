"""Another app on the same broker, with default keys and visibility timeout."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("neighbour", broker=os.environ["NEIGHBOUR_BROKER"], backend=os.environ["NEIGHBOUR_BROKER"])
app.conf.update(task_acks_late=True, worker_hijack_root_logger=False)


@app.task
def long(seconds: float, where: str) -> None:
    with Path(where).open("a") as file:
        file.write("started\n")
    time.sleep(seconds)
