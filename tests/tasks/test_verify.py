"""Tests of checked takes through a real service, with an engine that makes bad ones on purpose."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from db.database import open_database
from pipeline.arrays import Arrays
from pipeline.canonical_json import canonical_json
from pipeline.jobs.artifacts import Choice, read_samples, stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.service import LocalService
from tasks.settings import Settings
from tests.takes import SETTING
from tests.tasks.conftest import Service

WORDS = " ".join(f"w{n}" for n in range(24))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    name, _, place = SETTING.partition("=")
    settings = Settings(state=Path(tmp_path_factory.mktemp("takes")), engine=name, engines={name: place})
    with LocalService(settings, concurrency=2) as local:
        app = Celery("another-app", broker=local.broker_url, backend=local.broker_url)
        history = open_database(settings.history_url)
        yield Service(app, settings, Jobs(Store(settings.store_url)), history)
        history.dispose()
        app.close()


def script(*faults: str, about: str = "") -> str:
    """A script with a segment for each list of faults of its takes."""
    return "\n".join(f"Anna: faults:{fault} {about} {WORDS} in{n}" for n, fault in enumerate(faults))


def _without_measurements(store: Store, key: str) -> None:
    """Make the stored audio of a segment as release 0.1.0 wrote it."""
    name, spans = stage_name(key, "audio"), stage_name(key, "spans")
    found = store.need_arrays(name)
    record = json.loads(found.meta["spans"])
    for field in ("measures", "expected_s"):
        del record[field]
    store.objects.delete(name)
    store.put_arrays(name, Arrays(found.arrays, {"spans": canonical_json(record).decode()}))
    store.overwrite(spans, canonical_json(record))


def choices(service: Service, job: str) -> list[Choice | None]:
    plan = service.jobs.plans.need(job)
    found = [service.jobs.takes(plan, index).choice() for index in range(plan.segments)]
    return [choice and Choice(choice.take, choice.reason) for choice in found]


def test_bad_takes_are_made_again(bad: Service) -> None:
    faults = ("runaway", "silent", "noise", "clipped", "cut", "repeated", "quiet", "offset")
    manifest = bad.render(script(*faults, "sound"))
    assert manifest["segments"] == 9
    assert choices(bad, manifest["job"]) == [*[Choice(1, "passed")] * 8, Choice(0, "passed")]
    rows = bad.attempts(manifest["job"], "verify", 17)
    assert len(rows) == 17
    assert {row["state"] for row in rows} == {"SUCCESS"}
    failed = sorted((row["segment"], row["findings"]) for row in rows if row["take"] == 0)
    assert [found for _, found in failed] == [
        *("runaway", "length,silence", "noise", "clipping", "cut_off,length", "repetition"),
        *("level", "cut_off,dc_offset,noise", ""),
    ]
    verify = manifest["verify"]
    assert (verify["mode"], verify["segments_checked"]) == ("light", 9)
    assert (verify["takes_made"], verify["replaced"], verify["failed"]) == (8, 8, 0)
    assert {finding["segment"] for finding in verify["findings"]} == set(range(8))
    assert not any(finding["chosen"] for finding in verify["findings"])
    assert all(row["score"] == 1.0 and row["findings"] == "" for row in rows if row["take"] == 1)


def test_the_best_take_is_used_if_all_are_bad(bad: Service) -> None:
    manifest = bad.render(script("silent+offset+quiet", "silent+quiet+clipped"))
    found = choices(bad, manifest["job"])
    assert [choice and choice.reason for choice in found] == ["takes_max", "takes_max"]
    assert manifest["state"] == "done"
    assert manifest["verify"]["failed"] == 2
    first = manifest["verify"]["findings"][0]
    assert (first["segment"], first["source_line"], first["chosen"], first["fails"]) == (0, 1, True, True)


def test_a_repeated_deviation_ends_the_attempts(bad: Service) -> None:
    manifest = bad.render(script("quiet+quiet+sound"), options={"takes_max": 9})
    assert choices(bad, manifest["job"]) == [Choice(0, "repeated")]
    assert len(bad.attempts(manifest["job"], "diffusion", 2)) == 2


def test_a_take_that_cannot_be_decoded_leaves_the_others(bad: Service) -> None:
    manifest = bad.render(script("silent+refused+offset"))
    assert choices(bad, manifest["job"])[0] in (Choice(0, "takes_max"), Choice(2, "takes_max"))
    rows = bad.attempts(manifest["job"], "diffusion", 3)
    assert sorted(row["state"] for row in rows) == ["FAILURE", "SUCCESS", "SUCCESS"]


def test_without_a_check_the_first_take_is_used(bad: Service) -> None:
    manifest = bad.render(script("silent", about="unchecked"), options={"verify": "off"})
    plan = bad.jobs.plans.need(manifest["job"])
    assert plan.checker == ""
    samples = read_samples(bad.jobs.store, bad.jobs.plans.segment(plan.job, 0).key)
    assert not samples[len(samples) // 2 :].any()


def test_takes_of_another_job_are_reused(bad: Service) -> None:
    said = script("noise", about="reused")
    first = bad.render(said)
    second = bad.render(said, options={"title": "Again"})
    assert first["job"] != second["job"]
    assert choices(bad, second["job"]) == [Choice(1, "passed")]
    assert first["audio"]["sha256"] == bad.render(said, options={"format": "flac"})["audio"]["sha256"]


def test_audio_of_a_release_without_measurements_is_checked(bad: Service) -> None:
    said = script("noise", about="older")
    unchecked = bad.render(said, options={"verify": "off"})
    plan = bad.jobs.plans.need(unchecked["job"])
    key = bad.jobs.plans.segment(plan.job, 0).key
    _without_measurements(bad.jobs.store, key)
    checked = bad.render(said)
    assert choices(bad, checked["job"]) == [Choice(1, "passed")]
    found = {row["take"]: row["findings"] for row in bad.attempts(checked["job"], "verify", 2)}
    assert found == {0: "noise", 1: ""}
