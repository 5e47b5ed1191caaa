"""Context of the commands: settings, store, history, and a running or embedded service."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from cli.errors import Unreachable, err
from pipeline.engines.vibevoice.checkpoint.source import parse
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from pipeline.store.local import LocalObjects
from tasks.local.embedded_broker import url_of_running
from tasks.local.service import LocalService
from tasks.settings import Settings, load

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tasks.orchestration.resources import VoxchordApp


def settings() -> Settings:
    """Load the settings of the environment.

    Raises:
        OptionError: a setting that cannot be used.
    """
    found = load()
    if found.state.exists() and not found.state.is_dir():
        raise OptionError("VOXCHORD_STATE", f"{found.state} is not a folder; name one")
    return found


def with_engine(found: Settings, engine: str | None, model: str | None) -> tuple[Settings, str | None]:
    """Settings of an embedded service with this engine, and the model's name in them.

    Messages name models and never paths, so a folder or hub ID gets a name in the workers' settings.

    Raises:
        OptionError: a model unknown to the running service, or a folder whose name cannot be used.
        EngineError: a model with an adapter whose scale or form is wrong.
    """
    if engine:
        found = replace(found, engine=engine)
    if model and model not in found.models:
        if found.broker_url or url_of_running(found.state):
            known = ", ".join(sorted(found.models))
            raise OptionError("model", f"{model!r} is unknown to the running service; it has {known}")
        named = parse(model).absolute()
        place = str(named)
        if "," in place:
            raise OptionError("model", f"{place!r} contains a comma, which separates models; rename it")
        model = re.sub(r"[^A-Za-z0-9._-]+", "-", named.name) or "model"
        found = replace(found, models={**found.models, model: place})
    return found, model


def jobs(found: Settings) -> Jobs:
    """Open the jobs of the configured store.

    Raises:
        OptionError: an unsupported store URL, or a path that is no folder.
    """
    store = Store(found.store_url)
    root = store.objects.root if isinstance(store.objects, LocalObjects) else None
    if root is not None and root.exists() and not root.is_dir():
        raise OptionError("VOXCHORD_STORE", f"{root} is not a folder; name one, or a URL")
    return Jobs(store)


def history(found: Settings) -> "Engine":
    """Open the history database, and create it if it does not exist; a later release's is read as it is.

    Raises:
        OptionError: an unusable URL.
        sqlalchemy.exc.OperationalError: the database is unreachable.
    """
    engine, later = opened_history(found)
    if later is not None:
        err.print(f"[yellow]notice:[/] {escape(later)}", highlight=False, soft_wrap=True)
    return engine


def opened_history(found: Settings) -> "tuple[Engine, str | None]":
    """Open the history like `history`, with an explanation instead of a notice if a later release made it."""
    from db.database import DatabaseUrlError, later_revision, open_database

    try:
        found.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = open_database(found.history_url)
        later = later_revision(engine)
    except DatabaseUrlError as error:
        raise OptionError("VOXCHORD_DATABASE_URL", str(error)) from None
    except OSError as error:
        setting = "VOXCHORD_DATABASE_URL" if found.database_url else "VOXCHORD_STATE"
        reason = f"cannot use {error.filename}: {error.strerror}; name a folder that you can write to"
        raise OptionError(setting, reason) from None
    if later is None:
        return engine, None
    reason = f"a later release of voxchord made the history (revision {later})"
    return engine, f"{reason}; what this release cannot read or write waits until it is upgraded"


def history_that_answers(found: Settings) -> "Engine | None":
    """Open the history database; None if it is unreachable."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return history(found)
    except SQLAlchemyError:
        return None


@contextlib.contextmanager
def running(
    found: Settings, *, concurrency: int | None = None
) -> Iterator[tuple["VoxchordApp", LocalService]]:
    """Use the configured service, the one running in this folder, or else an embedded one."""
    with LocalService(found, concurrency=concurrency, shared=True) as service:
        yield _client(found, service.broker_url), service


def client(found: Settings) -> "VoxchordApp":
    """Celery app for requests to the running service.

    Raises:
        Unreachable: no service is running.
    """
    return _client(found, broker_url(found))


def answer(found: Settings, task: str, queue: str, kwargs: dict[str, Any]) -> Any:
    """Send a task as any other app does, and wait for its result.

    Raises:
        Unreachable: no service is running, or its broker does not answer.
    """
    from cli.broker_retry import BrokerRetry, reach

    app = client(found)
    if not BrokerRetry(app).call(lambda: reach(app)):
        raise Unreachable("the broker does not answer; is the service running?")
    sent = app.send_task(task, kwargs=kwargs, queue=queue, kwargsrepr="-", argsrepr="()")
    return sent.get()


def broker_url(found: Settings) -> str:
    """URL of the configured or running broker.

    Raises:
        Unreachable: no service is running.
    """
    url = found.broker_url or url_of_running(found.state)
    if not url:
        raise Unreachable("no service is running; start one with `python voxchord.py up`")
    return url


def _client(found: Settings, url: str) -> "VoxchordApp":
    from tasks.broker import server_clock
    from tasks.make_app import make_app

    app = make_app(found, url)
    app.conf.result_backend_always_retry = False  # raise if the broker is unreachable
    server_clock.synchronise(app)
    return app
