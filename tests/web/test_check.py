"""Tests of what the page asks beside jobs: checks of scripts, a job's script, and stages of segments."""

from typing import Any

import pytest

from bench.harness.http_service import HttpService, bearer
from bench.harness.waiting import until
from tests.markdown import ROOT

PLAY = (ROOT / "examples" / "radio_play.txt").read_text()


def check(service: HttpService, script: Any, key: str | None = None, **fields: Any) -> dict[str, Any]:
    headers = {} if key is None else bearer(key)
    found = service.ask("POST", "/v1/audio/check", {"input": script, **fields}, **headers)
    assert found.status == 200, found.json
    answer: dict[str, Any] = found.json
    return answer


def finished(service: HttpService, job: dict[str, Any], **headers: str) -> dict[str, Any]:
    created = service.ask("POST", "/v1/audio/jobs", job, **headers)
    assert created.status == 201, created.json
    path = f"/v1/audio/jobs/{created.json['id']}"
    until(lambda: service.ask("GET", path, **headers).json["status"] == "completed", timeout_s=90)
    view: dict[str, Any] = service.ask("GET", path, **headers).json
    return view


def test_a_check_names_problems_at_their_lines_and_quotes_no_words(service: HttpService) -> None:
    found = check(service, "Ann: Hello.\n\nBen: Well 😀 there.", voices={"Ann": "nobody"})
    assert [problem["line"] for problem in found["problems"]] == [1, 3]
    assert "there" not in str(found["problems"])
    assert found["segments"] is None
    assert [speaker["name"] for speaker in found["speakers"]] == ["Ann", "Ben"]


def test_a_check_without_problems_counts_segments_and_minutes(service: HttpService) -> None:
    found = check(service, PLAY, voices={"Marta": "heron"}, first_segment_words=25)
    assert found["problems"] == []
    assert found["form"] == "labels"
    assert {each["name"]: each["voice"] for each in found["speakers"]}["Marta"] == "heron"
    assert found["segments"] > found["segments_made"] >= 0
    assert 3 < found["minutes"] < 12
    assert found["estimate"].keys() == {"work_s", "wall_s", "processes", "based_on_audio_s", "days"}


def test_a_check_takes_entries_of_speakers_and_options_of_reading(service: HttpService) -> None:
    entries = {"Ann": {"voice": "heron", "pace": 0.8, "gain_db": -3, "aliases": ["Annie"]}}
    script = "# Dusk\nAnn: Hello.\nBen: Да.\nAnnie: Good night.\nBen: Good night.\n"
    options = {"headings": "spoken", "unspeakable": "spell"}
    found = check(service, script, voices=entries, options=options)
    assert found["problems"] == []
    assert {each["name"]: each["turns"] for each in found["speakers"]} == {"Narrator": 1, "Ann": 2, "Ben": 2}
    assert found["spelled"] == 2
    assert [(chapter["title"], chapter["read"]) for chapter in found["chapters"]] == [("Dusk", True)]
    beyond = check(service, script, voices={"Ann": {"pace": 3}}, options={"unspeakable": "skip"})
    assert any("pace 3" in problem["reason"] for problem in beyond["problems"])
    cues = "1\n00:00:01,000 --> 00:00:02,000\nAnn: Hello.\n\n2\n00:00:03,000 --> 00:00:04,000\nAnn: Yes.\n"
    assert check(service, cues, options={"timed": True})["form"] == "srt"


@pytest.mark.http
def test_segments_of_a_finished_job_are_made_already(service: HttpService) -> None:
    finished(service, {"input": PLAY, "options": {"seed": 31}})
    found = check(service, PLAY, options={"seed": 31})
    assert found["segments_made"] == found["segments"] > 3
    until(lambda: check(service, PLAY)["estimate"]["work_s"] is not None, timeout_s=60)
    again = check(service, PLAY, options={"seed": 32})["estimate"]
    assert again["wall_s"] > 0
    assert again["processes"] >= 1


@pytest.mark.http
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"options": {"pace": 9}}, "speed"),
        ({"options": {"base_job": "x"}}, "base_job"),
        ({"model": "none"}, "model"),
        ({"form": "none"}, "form"),
        ({"input": ""}, "input"),
    ],
)
def test_bad_checks_are_refused_by_name(service: HttpService, fields: dict[str, Any], param: str) -> None:
    refused = service.ask("POST", "/v1/audio/check", {"input": PLAY, **fields})
    assert refused.status == 400
    assert refused.error["param"].startswith(param)


@pytest.mark.http
def test_the_script_of_a_job_makes_the_same_segments_again(service: HttpService) -> None:
    script = (
        "Ann: One (1) lamp.[pause:1.5s] Two lamps cost $5.\n\nBen: Well.\nStill here, at 3 km.\n\nAnn: Bye."
    )
    commands = (
        "Ann: So [rate:0.8]it is, [voice:crane]Ann[/voice].[/rate] Oh.\n"
        "Ben: [rate:1.2]Go, [pause:1s] go.[/rate]"
    )
    words = (
        "Ann: I met [say:Noola]Nuala[/say], [spell]B2B[/spell] and [say:/ˈdɒktə/]Dr[/say] Fox \\[twice\\]."
    )
    for text in (script, commands, words, PLAY):
        job = finished(
            service, {"input": text, "voices": {}, "first_segment_words": 25, "options": {"seed": 5}}
        )
        found = service.ask("GET", f"/v1/audio/jobs/{job['id']}/script").json
        request, places = found["request"], found["places"]
        assert len(request["input"]) == len(places)
        assert request["options"]["seed"] == 5
        again = check(
            service,
            request["input"],
            **{k: request[k] for k in ("voices", "model", "options", "first_segment_words")},
        )
        assert again["segments"] == again["segments_made"] == job["segments"]
        assert {index for place in places for index in place["segments"]} == set(range(job["segments"]))
        turns = service.ask("GET", f"/v1/audio/jobs/{job['id']}/turns").json
        assert {index for place in places for index in place["turns"]} == {turn["turn"] for turn in turns}


@pytest.mark.http
def test_stages_of_a_finished_job_are_all_finished(service: HttpService) -> None:
    job = finished(service, {"input": PLAY, "options": {"seed": 5}})
    stages = service.ask("GET", f"/v1/audio/jobs/{job['id']}/stages").json["stages"]
    assert stages == ["verify"] * job["segments"]


@pytest.mark.http
def test_scripts_and_stages_are_those_of_one_client(keyed: HttpService) -> None:
    ann, ben = keyed.key("ann-script"), keyed.key("ben-script")
    job = finished(keyed, {"input": "Ann: Hello there.", "voices": {"Ann": "wren"}}, **bearer(ann))
    for part in ("script", "stages"):
        path = f"/v1/audio/jobs/{job['id']}/{part}"
        assert keyed.ask("GET", path, **bearer(ann)).status == 200
        assert keyed.ask("GET", path, **bearer(ben)).status == 404
        assert keyed.ask("GET", path).status == 401
    assert keyed.ask("POST", "/v1/audio/check", {"input": "Ann: Hi."}).status == 401
