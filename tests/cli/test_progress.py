"""Waiting for a request that nobody takes up."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from bench.harness.services import valkey
from cli.broker_retry import Patience
from cli.progress import Awaited, waiting

SOON_S = 0.05


class Pending:
    """The result of a request that stands in a queue."""

    state = "PENDING"


@pytest.fixture(scope="module")
def app() -> Iterator[Celery]:
    with valkey() as url, Celery("another-app", broker=url, backend=url) as app:
        yield app


def looks(app: Celery, waiting: Callable[[], int]) -> int:
    """How often it was asked for again, in four times as long as it takes to be missed."""
    asked: list[Any] = []
    awaited = Awaited(
        Pending(),  # type: ignore[arg-type]  # has the state, which is all that is looked at
        lambda: asked.append(None),  # type: ignore[arg-type, return-value]
        waiting,
        Patience(app),
        lost_s=SOON_S,
        nobody_s=2 * SOON_S,
    )
    until = time.monotonic() + 4.5 * SOON_S
    while time.monotonic() < until:
        assert not awaited.ready()
        time.sleep(SOON_S / 10)
    return len(asked)


def test_a_request_is_sent_again_only_where_nothing_waits_for_a_door(
    app: Celery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert looks(app, lambda: waiting(app)) >= 2
    app.send_task("voxchord.render", kwargs={"script": "Anna: Words."}, queue="voxchord")
    capsys.readouterr()
    assert looks(app, lambda: waiting(app)) == 0
    assert capsys.readouterr().err.count("nobody has taken the script up") == 1
