"""Tests of refused requests: each is a failed job with its reason, whoever sent it."""

from typing import Any
from uuid import uuid4

import pytest

from bench.harness.recordings import recording
from bench.harness.waiting import until
from db.queries.jobs import get_job
from pipeline.errors import VoiceError
from pipeline.jobs.intake import refused_id
from pipeline.script.parser import read
from pipeline.voices.library import Voices
from tasks.privacy.reasons import without_script
from tests.tasks.conftest import Service

WORD = "zyxwordzyx"


def refused(service: Service, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Send a request that is refused; returns its row in the history."""
    sent = service.app.send_task("voxchord.render", args=args, kwargs=kwargs, queue="voxchord")
    with pytest.raises(Exception):  # noqa: B017, PT011 - its class is not known to another app
        sent.get(timeout=60)
    job = refused_id(str(sent.id))
    until(lambda: get_job(service.history, job) is not None)
    row = get_job(service.history, job)
    assert row is not None
    assert (row["state"], row["refused"], row["root_id"]) == ("FAILED", 1, sent.id)
    assert row["created_at"] <= row["finished_at"]
    refusal = service.jobs.intake.refusal(job)
    assert refusal is not None
    assert (refusal.task, str(refusal.error)) == (sent.id, row["error"])
    assert service.jobs.intake.job_of(str(sent.id)) == job
    assert service.jobs.plans.get(job) is None
    (attempt,) = service.attempts(job, "render")
    assert (attempt["state"], attempt["exc_message"]) == ("FAILURE", row["error"][:500])
    return row


@pytest.mark.parametrize(
    ("args", "kwargs", "reasons"),
    [
        ([f"Ann: {WORD}.\nBob: {WORD} \U0001f600."], {}, ["line 2: has \U0001f600 (grinning face)"]),
        ([f"Ann: {WORD}."], {"voices": {"Ann": "nobody"}}, ["voice 'nobody': unknown; available"]),
        (
            [f"Ann: {WORD} \u0436.\nBob: {WORD}."],
            {"voices": {"Ann": "nobody", "Bob": "no one"}},
            ["line 1: contains", "voice 'nobody'", "voice 'no one'"],
        ),
        ([f"Ann: {WORD}."], {"options": {"format": "avi"}}, ["option 'format': unknown value 'avi'"]),
        ([f"Ann: {WORD}."], {"options": {"loud": 1, "soft": 2}}, ["option 'loud, soft': unknown"]),
        ([f"Ann: {WORD}."], {"options": WORD}, ["option 'options': is not a mapping"]),
        ([{"text": WORD}], {}, ["line 1: the script is neither text nor a list of turns"]),
        ([[{"who": WORD}]], {}, ["line 1: item 1"]),
        ([], {"text": WORD}, ["option 'text': unknown argument of voxchord.render"]),
        ([f"Ann: {WORD}.", {}, {}, WORD], {}, ["option 'argument 4': unknown argument"]),
        ([f"Ann: {WORD}."], {"script": WORD}, ["option 'script twice': unknown argument"]),
        (
            [f"Ann: {WORD} is said here."],
            {"voices": {"Ann": f"{WORD} is said here"}},
            ["voice '…': unknown"],
        ),
    ],
)
def test_refused_requests_are_failed_jobs_with_their_reason(
    service: Service, args: list[Any], kwargs: dict[str, Any], reasons: list[str]
) -> None:
    row = refused(service, *args, **kwargs)
    assert all(reason in row["error"] for reason in reasons), row["error"]
    assert WORD not in row["error"]


def test_the_same_request_is_judged_again(service: Service) -> None:
    voice, script = f"late-{uuid4().hex[:8]}", f"Ann: Words of {uuid4().hex[:4]}."
    before = refused(service, script, voices={"Ann": voice})
    Voices(service.jobs.store).add(voice, recording(1))
    sent = service.send(script, voices={"Ann": voice})
    manifest = sent.get(timeout=60)
    assert manifest["job"] != before["id"]
    assert service.jobs.intake.job_of(str(sent.id)) == manifest["job"]
    after = get_job(service.history, before["id"])
    assert after is not None
    assert after["state"] == "FAILED"


def test_names_of_speakers_may_be_long() -> None:
    script = "Old Man in Grey: One line.\nAnn: That old man in grey is here."
    names = read(script).speakers
    error = VoiceError("x", "assigned to 'Old Man in Grey', not to \"One line. Ann: That old man\"")
    assert without_script(error, script, names).args == ("x", "assigned to 'Old Man in Grey', not to \"…\"")
