"""Tests of checked takes through a real service, with an engine that makes bad ones on purpose."""

import json
from typing import Any

import pytest

from pipeline.arrays import Arrays
from pipeline.canonical_json import canonical_json
from pipeline.errors import OptionError
from pipeline.jobs.artifacts import Choice, read_samples, stage_name
from pipeline.store.artifacts import Store
from tests.tasks.conftest import Service

WORDS = " ".join(f"w{n}" for n in range(24))


class BadTakes(Service):
    """The service, whose jobs are spoken by the engine of bad takes."""

    def send(self, script: Any, *, voices: Any = None, options: Any = None) -> Any:
        return super().send(script, voices=voices, options={"engine": "takes", **(options or {})})


@pytest.fixture
def bad(service: Service) -> BadTakes:
    return BadTakes(service.app, service.settings, service.jobs, service.history)


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


def retake(service: Service, job: str, **more: Any) -> dict[str, Any]:
    sent = service.app.send_task("voxchord.retake", kwargs={"job": job, **more}, queue="voxchord")
    found: dict[str, Any] = sent.get(timeout=60)
    return found


def pick(service: Service, job: str, segment: int, take: int) -> dict[str, Any]:
    sent = service.app.send_task("voxchord.pick", args=[job, segment, take], queue="cpu.stitch")
    found: dict[str, Any] = sent.get(timeout=60)
    return found


def test_a_take_by_hand_makes_a_revision_beside_the_first_file(bad: Service) -> None:
    first = bad.render(script("sound", "sound", about="byhand"))
    job = first["job"]
    made = retake(bad, job, segment=1, options={"wait_ms": 2})
    assert made == {"job": job, "segment": 1, "take": 100, "ok": True}
    assert retake(bad, job, segment=1, seed=7)["take"] == 101
    assert retake(bad, job, segment=1, options={"parts": 2}) == {**made, "take": 102}
    takes = bad.jobs.takes(bad.jobs.plans.need(job), 1)
    request = takes.stored_request(100)
    assert request is not None
    assert (dict(request.options), request.by) == ({"wait_ms": 2}, "hand")
    verdict = takes.verdict(100)
    assert verdict is not None
    assert not verdict.fails
    second = pick(bad, job, 1, 100)
    assert (first["revision"], second["revision"]) == (0, 1)
    assert second["audio"]["sha256"] != first["audio"]["sha256"]
    assert bad.audio(first), "the first file remains"
    assert pick(bad, job, 1, 100) == second, "a repeated message makes no second revision"
    third = pick(bad, job, 1, 0)
    assert (third["revision"], third["audio"]["sha256"]) == (2, first["audio"]["sha256"])


def test_a_base_job_passes_its_picks_on(bad: Service) -> None:
    said = script("sound", "sound", about="basejob")
    first = bad.render(said)
    take = retake(bad, first["job"], segment=0)["take"]
    second = pick(bad, first["job"], 0, take)
    changed = bad.render(said.replace("in1", "in one"), options={"base_job": first["job"]})
    assert bad.jobs.revisions.picks(changed["job"], 0) == {0: take}
    assert changed["verify"]["replaced"] == 1
    same = bad.render(said, options={"base_job": first["job"], "title": "Same"})
    assert same["duration_s"] == second["duration_s"]


def test_a_take_by_hand_that_cannot_be_decoded_leaves_the_job_alone(bad: Service) -> None:
    job = bad.render(script("sound", about="refused100"))["job"]
    found = retake(bad, job, segment=0, options={"wait_ms": 666})
    assert (found["take"], found["ok"], found["error"]) == (100, False, "EngineError")
    assert bad.jobs.outcomes.failures(job) == {}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"segment": 99}, "has segments 0 to 0"),
        ({"segment": 0, "options": {"guidance": 2}}, "may change wait_ms, parts"),
        ({"segment": 0, "options": {"parts": 9}}, "not a whole number from 1 to 8"),
        ({"segment": 0, "seed": -1}, "is not an integer from 0"),
    ],
)
def test_impossible_takes_are_refused(bad: Service, arguments: dict[str, Any], reason: str) -> None:
    job = bad.render(script("sound", about="refusals"))["job"]
    with pytest.raises(OptionError, match=reason):
        retake(bad, job, **arguments)


def test_a_take_that_does_not_exist_is_not_picked(bad: Service) -> None:
    job = bad.render(script("sound", about="refusals"))["job"]
    with pytest.raises(OptionError, match="no finished take 3"):
        pick(bad, job, 0, 3)
