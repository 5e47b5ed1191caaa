"""Configuration of Flower, which executes this file.

It replaces functions of Flower 2.2, which is pinned; tests check that they still exist.
"""

import os
from typing import Any

from flower.events import EventsState
from flower.urls import handlers, settings
from flower.utils import search
from flower.views.tasks import TASK_COLUMNS
from tornado.options import options

from db.schema import BUCKETS_S
from pipeline.engines.registry import Engines
from tasks.flower import history_routes, job_routes, launch
from tasks.flower import state as flower_state
from tasks.flower.templates import Pages
from tasks.settings import load
from tasks.worker import parent_watch

os.umask(0o077)  # its state is saved by pickle: no other user may write there

launch.refuse_openness(
    "localhost" if options.unix_socket else options.address,
    authenticated=bool(options.basic_auth or options.auth),
    open_api=bool(os.environ.get("FLOWER_UNAUTHENTICATED_API")),
)

if os.environ.get(launch.WITH_STARTER):
    parent_watch.end_with_starter()

# Flower's default histogram ends at 10 s; decodes take longer. Flower starts only if all are floats.
task_runtime_metric_buckets = list(BUCKETS_S)
max_tasks = 20_000
natural_time = False
tasks_columns = "stage,job,segment,state,voices,audio_s,speed,device,received,runtime,worker,uuid"

_event = EventsState.event


def _without_words(state: EventsState, event: dict[str, Any]) -> None:
    """Drop the arguments of `task-sent` events, which senders publish; workers' events hold no text."""
    if event["type"] == "task-sent":
        event = {name: value for name, value in event.items() if name not in ("args", "kwargs")}
    _event(state, event)


EventsState.event = _without_words
flower_state.read_older_files()
EventsState.Task, EventsState.Worker = flower_state.ShownTask, flower_state.ShownWorker
search._task_sort_key = flower_state.sort_key
TASK_COLUMNS.update(flower_state.COLUMNS)
settings["template_loader"] = Pages(settings["template_path"])

_ours = load()
handlers[:0] = [
    *job_routes.routes(_ours.store_url, reserved=Engines(_ours.engines).presets),
    *history_routes.routes(_ours.history_url),
]
