"""Tests of waiting for a request that no worker accepts."""

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from celery import Celery

from bench.harness.services import valkey
from bench.harness.waiting import until
from cli.broker_retry import BrokerRetry
from cli.progress import Awaited, waiting

SOON_S = 0.05


class Pending:
    """Result of a pending request."""

    state = "PENDING"


@pytest.fixture(scope="module")
def app() -> Iterator[Celery]:
    with valkey() as url, Celery("another-app", broker=url, backend=url) as app:
        yield app


def repeated(app: Celery, waiting: Callable[[], int], *, least: int) -> int:
    """Number of repeated sends once this many were seen, some time after nobody has accepted the request."""
    asked: list[Any] = []
    awaited = Awaited(
        Pending(),  # type: ignore[arg-type]  # has the state, which is all that is read
        lambda: asked.append(None),  # type: ignore[arg-type, return-value]
        waiting,
        BrokerRetry(app),
        lost_s=SOON_S,
        nobody_s=2 * SOON_S,
    )

    def repeated_enough() -> bool:
        assert not awaited.ready()
        return awaited.warned and len(asked) >= least

    until(repeated_enough, timeout_s=60, every_s=SOON_S / 10)
    for _ in range(3):
        time.sleep(2 * SOON_S)  # more than after which a request counts as lost
        assert not awaited.ready()
    return len(asked)


def test_requests_are_sent_again_only_if_the_intake_queue_is_empty(
    app: Celery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repeated(app, lambda: waiting(app), least=2) == 2 + 3
    app.send_task("voxchord.render", kwargs={"script": "Anna: Words."}, queue="voxchord")
    capsys.readouterr()
    assert repeated(app, lambda: waiting(app), least=0) == 0
    assert capsys.readouterr().err.count("no worker has accepted the script") == 1


class Paused:
    """Result of a job that waits for its store."""

    state = "PAUSED"
    info: ClassVar[dict[str, str]] = {"reason": "cannot write jobs/a: No space left on device"}


def test_pauses_are_reported_with_their_reason_once(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    awaited = Awaited(Paused(), lambda: None, lambda: 0, BrokerRetry(app))  # type: ignore[arg-type, return-value]
    assert not awaited.ready()
    assert not awaited.ready()
    reported = capsys.readouterr().err
    assert reported.count("paused: cannot write jobs/a: No space left on device; mend the store") == 1
