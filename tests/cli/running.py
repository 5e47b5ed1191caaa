"""A running service that commands of many tests use, since they find it in their state folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from celery import Celery

from bench.harness import forked, results
from tasks.local.service import LocalService
from tasks.settings import Settings
from tests import takes


@dataclass(frozen=True, slots=True)
class Running:
    """A service from the view of the command line and of another app.

    Other tests have jobs there too, so each has a script of its own.
    """

    settings: Settings
    app: Celery


@contextmanager
def running(state: Path) -> Iterator[Running]:
    """Run a service of the embedded voice, with the engines of bad takes and of faults beside it."""
    name, _, place = takes.SETTING.partition("=")
    engines = {name: place, "mischief": "tests.faults.mischief:Mischief"}
    settings = Settings(state=state, engines=engines, log_level="INFO")
    with LocalService(settings, concurrency=1, spawn=forked.spawn) as local:
        app = Celery("another-app", broker=local.broker_url, backend=local.broker_url)
        yield Running(settings, app)
        results.close(app)
