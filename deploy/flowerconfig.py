"""Configuration of Flower, which executes this file.

It replaces functions of Flower (`tasks.internals.flower_internals`); Flower does not start if one is missing.
"""

import os
from pathlib import Path
from typing import Any

from tornado.options import options

from db.schema import BUCKETS_S
from tasks.broker import dead_letters, task_options
from tasks.flower import (
    action_routes,
    dead_letter_routes,
    history_routes,
    job_routes,
    launch,
    request_guard,
)
from tasks.flower import state as flower_state
from tasks.flower.request_guard import Guard
from tasks.flower.server import BoundedServer
from tasks.flower.templates import Pages
from tasks.internals import celery_internals, flower_internals, tornado_internals
from tasks.orchestration import actions
from tasks.settings import load
from tasks.worker import parent_watch

celery_internals.check()
flower_internals.check()
tornado_internals.check()

os.umask(0o077)  # its state is saved by pickle: no other user may write there

_password_file = os.environ.get(launch.PASSWORD_FILE)
basic_auth = [launch.password(Path(_password_file))] if _password_file else options.basic_auth

launch.refuse_openness(
    "localhost" if options.unix_socket else options.address,
    authenticated=bool(basic_auth or options.auth),
    open_api=bool(os.environ.get("FLOWER_UNAUTHENTICATED_API")),
)

if os.environ.get(launch.WITH_STARTER):
    parent_watch.end_with_starter()

# Flower's default histogram ends at 10 s; decodes take longer. Flower starts only if all are floats.
task_runtime_metric_buckets = list(BUCKETS_S)
max_tasks = 20_000
natural_time = False
purge_offline_workers = 600
tasks_columns = "stage,job,segment,state,voices,audio_s,speed,device,received,runtime,worker,uuid"


def _without_words(event: dict[str, Any]) -> dict[str, Any]:
    """Drop the arguments of `task-sent` events, which senders publish; workers' events hold no text."""
    if event["type"] != "task-sent":
        return event
    return {name: value for name, value in event.items() if name not in ("args", "kwargs")}


flower_internals.filter_events(_without_words)
flower_state.read_older_files()
flower_internals.set_state(flower_state.ShownTask, flower_state.ShownWorker)
flower_internals.set_sort_key(flower_state.sort_key)
flower_internals.add_columns(flower_state.COLUMNS)
flower_internals.set_templates(Pages)

_ours = load()
BoundedServer.guard = Guard(
    credentials=tuple(basic_auth or ()),
    loopback=bool(not options.unix_socket and request_guard.is_loopback(options.address)),
    hosts=frozenset(_ours.flower_hosts.lower().split(",")) - {""},
)
flower_internals.set_server(BoundedServer)
flower_internals.set_authentication(request_guard.authorized)
flower_internals.check_sent_tasks(task_options.problem)
flower_internals.add_headers(request_guard.PAGE_HEADERS)
flower_internals.add_routes(
    [
        *job_routes.routes(_ours.store_url, reserved=_ours.registry().presets),
        *action_routes.routes(
            _ours.store_url,
            retry=actions.retry,
            cancel=lambda app, job, _segment, actor: actions.cancel(app, job, actor),
        ),
        *history_routes.routes(_ours.history_url),
        *dead_letter_routes.routes(dead_letters.entries),
    ]
)
