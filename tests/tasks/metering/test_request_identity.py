"""Tests of an attempt's identity and waits, on records like Celery's."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from celery import Celery

from db.ingest import spool
from tasks.message_headers import FIRST_PUBLISHED, PUBLISHED
from tasks.metering import instruments
from tasks.metering.attempt import attempt, note
from tasks.metering.request_identity import (
    identity,
    make_uid,
    stamp_published,
    stamp_received,
)
from tasks.metering.settings import MeterSettings

app = Celery("identity")


@app.task(name="identity.work")
def work() -> None:
    """Do nothing."""


def failing() -> None:
    with attempt(work):
        note(job="j")
        raise KeyError("x")


def row_of(started: float, **request: Any) -> dict[str, Any]:
    work.push_request(id="t", delivery_info={"routing_key": "q"}, **request)
    try:
        return identity(work, started)
    finally:
        work.pop_request()


def test_uids_are_version_7_and_ordered_by_time() -> None:
    uids = [make_uid(1_800_000_000 + second) for second in range(5)]
    assert uids == sorted(uids)
    assert {(UUID(uid).version, UUID(uid).variant) for uid in uids} == {(7, "specified in RFC 4122")}


def test_clock_skew_is_flagged_and_waits_are_not_negative() -> None:
    row = row_of(100.0, voxchord_published=105.0, voxchord_received=99.0)
    assert (row["broker_wait_s"], row["prefetch_wait_s"], row["clock_skew"]) == (0.0, 1.0, 1)


def test_time_before_an_eta_is_neither_wait_nor_skew() -> None:
    row = row_of(
        1_800_000_101.0,
        voxchord_published=1_800_000_000.0,
        voxchord_received=1_800_000_001.0,
        eta="2027-01-15T08:01:40+00:00",
    )
    assert row["eta_at"] == 1_800_000_100.0
    assert (row["broker_wait_s"], row["prefetch_wait_s"], row["clock_skew"]) == (0.0, 1.0, 0)


def test_broker_waits_of_foreign_messages_are_unknown() -> None:
    row = row_of(100.0, voxchord_received=99.5)
    assert row["prefetch_wait_s"] == 0.5
    assert "broker_wait_s" not in row
    assert "queue_wait_s" not in row


@pytest.mark.parametrize("header", ["soon", float("nan"), {}, [1, 2, 3]])
def test_invalid_headers_are_ignored(header: Any) -> None:
    row = row_of(100.0, voxchord_published=header, voxchord_first_published=header, eta=header)
    assert (row["published_at"], row["first_published_at"], row["eta_at"]) == (None, None, None)


def test_first_publication_belongs_to_its_task() -> None:
    headers: dict[str, Any] = {"id": "a"}
    stamp_published(headers=headers)
    first = headers[FIRST_PUBLISHED]
    stamp_published(headers=headers)
    assert headers[FIRST_PUBLISHED] == first
    assert headers[PUBLISHED] > first[1]
    other = headers | {"id": "b"}
    stamp_published(headers=other)
    assert other[FIRST_PUBLISHED][0] == "b"


def test_receive_time_is_in_the_request() -> None:
    request = SimpleNamespace(request_dict={})
    stamp_received(request=request)
    assert request.request_dict["voxchord_received"] > 1_700_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    instruments.configure(None)


def test_disabled_metering_writes_nothing_and_passes_errors(folder: Path) -> None:
    instruments.configure(None)
    with pytest.raises(KeyError):
        failing()
    assert list(folder.iterdir()) == []


def test_enabled_metering_writes_and_passes_errors(folder: Path) -> None:
    instruments.configure(MeterSettings(folder=folder))
    with pytest.raises(KeyError):
        failing()
    (path,) = spool.files(folder / "spool")
    assert b'"state":"FAILURE"' in path.read_bytes()


def test_unknown_facts_are_logged_and_ignored(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    instruments.configure(MeterSettings(folder=folder))
    with attempt(work):
        note(audio_sec=5.0, segment=1)
    assert "no column" in caplog.text
    (path,) = spool.files(folder / "spool")
    assert b'"segment":1' in path.read_bytes()
    assert b"audio_sec" not in path.read_bytes()
