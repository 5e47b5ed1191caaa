"""Tests of whole jobs with an S3 server as store, whose output matches that of a folder."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.harness.fleet import QUICK, Fleet
from bench.harness.services import S3, s3
from bench.harness.waiting import until
from pipeline.errors import StoreError
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.integration.conftest import LAYOUT, LIMIT_S, Quiet, audio, script
from tests.tools import thorough

pytestmark = thorough
SCRIPT = script(24)
POLLS_PER_S = 5
"""Requests that running stages and the reconciler send by the clock, however much work there is."""


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3() as server:
        yield server


@pytest.fixture(scope="module")
def fleet(server: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        folder, url = tmp_path_factory.mktemp("s3"), f"{server.new_bucket()}/voxchord"
        with Fleet(folder, settings=QUICK, store_url=url, layout=LAYOUT, forked=True) as fleet:
            fleet.start()
            fleet.ready()
            yield fleet


@pytest.fixture(scope="module")
def expected(quiet: Quiet) -> bytes:
    return quiet.audio(SCRIPT)


def test_s3_output_matches_a_folder(fleet: Fleet, server: S3, expected: bytes) -> None:
    before, began = server.asked.total(), time.monotonic()
    manifest = fleet.send(SCRIPT).get(timeout=LIMIT_S)
    asked, took_s = server.asked.total() - before, time.monotonic() - began
    assert audio(fleet, manifest) == expected
    assert manifest["segments"] > 3
    assert asked < 70 * manifest["segments"] + POLLS_PER_S * took_s
    assert not any(Path(fleet.folder, "state").rglob("*.flac")), "nothing of it lies on the worker's disk"


def test_busy_services_pause_the_job(fleet: Fleet, server: S3, expected: bytes) -> None:
    result = fleet.send(SCRIPT, {"seed": 7})
    job = fleet.job()
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    server.busy = True
    try:
        until(lambda: result.state == "PAUSED", LIMIT_S)
        assert f"in {fleet.store_url}: " in result.info["reason"]
    finally:
        server.busy = False
    manifest = result.get(timeout=LIMIT_S)
    assert manifest["state"] == "done"
    assert fleet.jobs.outcomes.failures(job) == {}
    assert len(audio(fleet, manifest)) > len(expected) / 2


def test_busy_services_raise_until_they_answer(fleet: Fleet, server: S3) -> None:
    objects = fleet.jobs.store.objects
    server.busy = True
    try:
        with pytest.raises(StoreError, match=f"cannot create a in {fleet.store_url}: SlowDown: Please"):
            objects.create("a", b"1")
        with pytest.raises(StoreError, match=f"cannot check a in {fleet.store_url}: 503"):
            objects.size("a")
    finally:
        server.busy = False
    assert objects.create("a", b"1")


def test_work_of_killed_workers_is_redelivered(fleet: Fleet) -> None:
    result = fleet.send(SCRIPT, {"seed": 8})
    until(lambda: fleet.trying("diffusion"), LIMIT_S)
    fleet.kill("work0")
    fleet.start("work0")
    assert result.get(timeout=LIMIT_S)["state"] == "done"


def test_registered_recordings_are_shared_between_machines(fleet: Fleet, expected: bytes) -> None:
    Voices(Store(fleet.store_url)).add("bela", expected)
    kwargs = {"script": "Bela: Good evening.", "voices": {"Bela": "bela"}, "options": {}}
    result = fleet.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
    assert result.get(timeout=LIMIT_S)["state"] == "done"


@pytest.mark.parametrize("wrong", ["bucket", "key"])
def test_wrong_buckets_and_keys_pause_the_job_without_leaking_secrets(
    server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = "s3://no-such-bucket-here" if wrong == "bucket" else server.new_bucket()
    if wrong == "key":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTRANGER")
    with Fleet(
        tmp_path, settings=QUICK, store_url=bucket, layout={"intake": "voxchord"}, forked=True
    ) as fleet:
        fleet.start()
        result = fleet.send("Anna: velvet.")
        until(lambda: result.state == "PAUSED", LIMIT_S)
        why = "NoSuchBucket: no such bucket" if wrong == "bucket" else "InvalidAccessKeyId: The AWS"
        assert f"in {bucket}: {why}" in result.info["reason"]
        assert b"secretword" not in fleet.log("intake")
        assert b"velvet" not in fleet.log("intake")
