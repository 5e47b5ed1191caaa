"""What the commands talk to: the settings, the store, the history, and a service that is up or brought up.

`tasks.app` reads its broker when it is imported, so it is imported here only once that broker is known.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import Unreachable
from pipeline.engines.registry import ENGINES
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.embedded_broker import url_of_running
from tasks.local.service import LocalService
from tasks.settings import Settings, load

if TYPE_CHECKING:
    from celery import Celery
    from sqlalchemy import Engine


def settings() -> Settings:
    """The settings of the environment; the engines that they add are known from here on."""
    found = load()
    ENGINES.update(found.engines)
    return found


def with_engine(found: Settings, engine: str | None, model: str | None) -> tuple[Settings, str | None]:
    """The settings for a service of our own with this engine, and the name of the model in them.

    A message can name a model and never a path, so a folder or hub id gets a name in the workers' settings.

    Raises:
        OptionError: a model that a service which is up doesn't know, or whose folder can't be named.
    """
    if engine:
        os.environ["VOXCHORD_ENGINE"] = engine
    if model and model not in found.models:
        if found.broker_url or url_of_running(found.state):
            known = ", ".join(sorted(found.models))
            raise OptionError("model", f"{model!r} is unknown to the service that is up; it has {known}")
        path = Path(model).expanduser()
        place = str(path.absolute()) if path.exists() else model
        if "," in place:
            raise OptionError("model", f"{place!r} has a comma, which parts models; give it another name")
        model = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name) or "model"
        known_models = {**found.models, model: place}
        os.environ["VOXCHORD_MODELS"] = ",".join(f"{name}={where}" for name, where in known_models.items())
    return load(), model


def jobs(found: Settings) -> Jobs:
    """
    Raises:
        OptionError: a store that nothing here can speak to.
    """
    return Jobs(Store(found.store_url))


def history(found: Settings) -> "Engine":
    """The history's database, made if it isn't there.

    Raises:
        OptionError: a URL that can't be used.
        sqlalchemy.exc.OperationalError: it does not answer.
    """
    from db.database import DatabaseUrlError, open_database

    found.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return open_database(found.history_url)
    except DatabaseUrlError as error:
        raise OptionError("VOXCHORD_DATABASE_URL", str(error)) from None


def history_that_answers(found: Settings) -> "Engine | None":
    """The same for those who can do without it; None where it does not answer."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return history(found)
    except SQLAlchemyError:
        return None


@contextlib.contextmanager
def running(found: Settings, *, concurrency: int | None = None) -> Iterator[tuple["Celery", LocalService]]:
    """A service: the configured one, the one that runs in this folder, or one of our own for so long."""
    with LocalService(found, concurrency=concurrency, shared=True) as service:
        yield _app(), service


def standing(found: Settings) -> "Celery":
    """The service that is up.

    Raises:
        Unreachable: there is none.
    """
    url = found.broker_url or url_of_running(found.state)
    if not url:
        raise Unreachable("no service is up; start one with `python voxchord.py up`")
    os.environ["VOXCHORD_BROKER_URL"] = url
    return _app()


def _app() -> "Celery":
    from tasks.app import app

    app.conf.result_backend_always_retry = False  # who waits here is told that the broker is away
    app.loader.import_default_modules()
    return app
