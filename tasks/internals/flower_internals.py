"""Internals of Flower: its state, the order and columns of its task table, its routes and its templates.

Used in Flower's process only, which imports this from its configuration (`deploy/flowerconfig.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flower.api.tasks
import flower.app
import flower.events
import flower.urls
import flower.utils.search
import flower.views
import flower.views.tasks
from tornado.web import HTTPError

from pipeline import internals
from pipeline.internals import Internal

_EVENTS = "the redaction of senders' arguments"
_STATE = "the columns of tasks and workers"
_SERVER = "the check of requests by their headers"
_SORT_PARAMETERS = ("task", "sort_by", "task_id")

INTERNALS = (
    Internal(flower.events.EventsState, "event", _EVENTS, ("event",)),
    Internal(flower.events.EventsState, "Task", _STATE),
    Internal(flower.events.EventsState, "Worker", _STATE),
    Internal(flower.utils.search, "_task_sort_key", "the order of the task table", _SORT_PARAMETERS),
    Internal(flower.views.tasks, "TASK_COLUMNS", "the headings of the task table"),
    Internal(flower.urls, "handlers", "the routes of jobs, voices and the history"),
    Internal(flower.app, "HTTPServer", _SERVER),
    Internal(flower.views.BaseHandler, "get_current_user", "passwords that are not ASCII", ()),
    Internal(flower.views.BaseHandler, "set_default_headers", "the headers of pages", ()),
    Internal(flower.urls, "settings", "the templates in `deploy/flower`"),
    Internal(flower.api.tasks.BaseTaskHandler, "get_task_args", "the check of sent tasks", ()),
)


def check() -> None:
    """
    Raises:
        InternalsError: Flower lacks something that is used here.
    """
    internals.check("flower", INTERNALS)


def filter_events(redact: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Pass every event through `redact` before Flower's state takes it."""
    take = flower.events.EventsState.event

    def event(state: Any, event: dict[str, Any]) -> None:
        take(state, redact(event))

    flower.events.EventsState.event = event


def set_state(task: type, worker: type) -> None:
    """Set the classes of tasks and workers in Flower's state."""
    flower.events.EventsState.Task, flower.events.EventsState.Worker = task, worker


def set_sort_key(sort_key: Callable[[Any, str, str], Any]) -> None:
    """Set the sort key of the task table, a function of task, column and task ID."""
    flower.utils.search._task_sort_key = sort_key


def add_columns(headings: Mapping[str, str]) -> None:
    """Allow further columns in the task table."""
    flower.views.tasks.TASK_COLUMNS.update(headings)


def set_templates(loader: Callable[[Path], Any]) -> None:
    """Set the template loader, made from the folder of Flower's own templates."""
    settings = flower.urls.settings
    settings["template_loader"] = loader(Path(settings["template_path"]))


def add_routes(routes: Sequence[Any]) -> None:
    """Add routes before Flower's."""
    flower.urls.handlers[:0] = routes


def set_server(server: type) -> None:
    """Set the class of the HTTP server."""
    flower.app.HTTPServer = server


def set_authentication(authorized: Callable[[str, Sequence[str]], bool]) -> None:
    """Check basic authentication with a function of the header and the accepted credentials."""
    ask = flower.views.BaseHandler.get_current_user

    def get_current_user(handler: Any) -> Any:
        accepted = handler.application.options.basic_auth
        if not accepted or handler.application.options.auth:
            return ask(handler)
        if not authorized(handler.request.headers.get("Authorization", ""), accepted):
            raise HTTPError(401)
        return True

    flower.views.BaseHandler.get_current_user = get_current_user


def check_sent_tasks(problem: Callable[[Any, Mapping[str, Any]], str | None]) -> None:
    """Refuse requests to send a task if a function of its keyword arguments and options finds a problem."""
    read = flower.api.tasks.BaseTaskHandler.get_task_args

    def get_task_args(handler: Any) -> Any:
        args, kwargs, options = read(handler)
        found = problem(kwargs, options)
        if found is not None:
            raise HTTPError(400, found.replace("%", "%%"), reason="malformed options")
        return args, kwargs, options

    flower.api.tasks.BaseTaskHandler.get_task_args = get_task_args


def add_headers(headers: Mapping[str, str]) -> None:
    """Add headers to every answer; a handler may replace them."""
    defaults = flower.views.BaseHandler.set_default_headers

    def set_default_headers(handler: Any) -> None:
        defaults(handler)
        for name, value in headers.items():
            handler.set_header(name, value)

    flower.views.BaseHandler.set_default_headers = set_default_headers
