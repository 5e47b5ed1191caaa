"""Tests of the comparison of two jobs."""

from typing import Any

import pytest

from bench.harness.http_service import HttpService, bearer
from bench.harness.waiting import until

TURNS = [
    f"{'Ann' if number % 2 else 'Ben'}: Entry {number} of the log. The tide had turned."
    for number in range(30)
]
EDITED = [*TURNS[:20], "Ben: Entry twenty was another one.", *TURNS[21:]]


def finished(service: HttpService, turns: list[str], **fields: Any) -> str:
    key = fields.pop("key", None)
    headers = {} if key is None else bearer(key)
    request = {"input": "\n\n".join(turns), "first_segment_words": 25, **fields}
    created = service.ask("POST", "/v1/audio/jobs", request, **headers)
    assert created.status == 201, created.json
    name = str(created.json["id"])
    path = f"/v1/audio/jobs/{name}"
    until(lambda: service.ask("GET", path, **headers).json["status"] == "completed", timeout_s=90)
    return name


def compared(service: HttpService, a: str, b: str) -> dict[str, Any]:
    answer = service.ask("GET", f"/v1/audio/jobs/{a}/comparison?other={b}")
    assert answer.status == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture(scope="module")
def pair(service: HttpService) -> tuple[str, str]:
    """A job, and another one with one edited line."""
    first = finished(service, TURNS, title="First", voices={"Ann": "wren", "Ben": "heron"})
    second = finished(service, EDITED, title="Second", voices={"Ann": "wren", "Ben": "heron"})
    return first, second


def test_an_edited_line_is_the_only_change(service: HttpService, pair: tuple[str, str]) -> None:
    found = compared(service, *pair)
    assert (found["a"]["title"], found["b"]["title"]) == ("First", "Second")
    (change,) = found["changes"]
    assert [turn["text"] for turn in change["a"]] == ["Entry 20 of the log. The tide had turned."]
    assert [turn["text"] for turn in change["b"]] == ["Entry twenty was another one."]
    assert change["a"][0]["source_line"] == change["b"][0]["source_line"] == 41
    assert found["turns_shared"] == 29
    assert (found["changes_omitted"], found["settings"]) == (0, [])
    assert found["segments"]["a"] == found["segments"]["b"] == change["a"][0]["segments"]
    assert found["segments"]["shared"] == found["b"]["segments"] - 1


def test_a_job_does_not_differ_from_itself(service: HttpService, pair: tuple[str, str]) -> None:
    found = compared(service, pair[0], pair[0])
    assert (found["changes"], found["settings"], found["segments"]["a"]) == ([], [], [])
    assert found["segments"]["shared"] == found["a"]["segments"]
    assert [stage["differs"] for stage in found["stages"]] == [None] * len(found["stages"])


@pytest.mark.http
def test_differing_voices_and_options_are_named(service: HttpService, pair: tuple[str, str]) -> None:
    third = finished(
        service, TURNS, voices={"Ann": "finch", "Ben": "heron"}, response_format="flac", options={"seed": 3}
    )
    found = compared(service, pair[0], third)
    assert found["settings"] == [
        {"name": "response_format", "a": "mp3", "b": "flac"},
        {"name": "voice of Ann", "a": "wren", "b": "finch"},
        {"name": "seed", "a": "0", "b": "3"},
    ]
    assert found["changes"] == []
    assert len(found["segments"]["a"]) == found["a"]["segments"]


@pytest.mark.http
def test_the_figures_are_those_of_the_history(service: HttpService, pair: tuple[str, str]) -> None:
    def figures() -> dict[str, dict[str, Any]]:
        return {
            stage["stage"]: {each["name"]: (each["a"], each["b"]) for each in stage["figures"]}
            for stage in compared(service, *pair)["stages"]
        }

    until(lambda: {"diffusion", "stitch"} <= figures().keys(), timeout_s=30)
    found = figures()
    assert min(found["stitch"]["attempts"]) >= 1
    assert min(found["stitch"]["run_s"]) > 0
    whole, edited = found["diffusion"]["audio_s"]
    assert whole > edited, "only the segment of the line was made again"


@pytest.mark.http
def test_jobs_without_a_plan_and_of_others_are_not_compared(
    service: HttpService, keyed: HttpService, pair: tuple[str, str]
) -> None:
    missing = service.ask("GET", f"/v1/audio/jobs/{pair[0]}/comparison?other=nobody")
    assert (missing.status, missing.error["code"]) == (404, "not_found")
    assert service.ask("GET", f"/v1/audio/jobs/{pair[0]}/comparison").status == 400
    refused = service.ask("POST", "/v1/audio/jobs", {"input": "Ann: 😀"}).json["id"]
    until(lambda: service.ask("GET", f"/v1/audio/jobs/{refused}").json["status"] == "failed", timeout_s=30)
    unplanned = service.ask("GET", f"/v1/audio/jobs/{pair[0]}/comparison?other={refused}")
    assert (unplanned.status, unplanned.error["code"]) == (409, "not_ready")
    ann, ben = keyed.key("ann-compare"), keyed.key("ben-compare")
    one, other = finished(keyed, TURNS[:2], key=ann), finished(keyed, TURNS[:2], key=ben)
    for a, b in ((one, other), (other, one)):
        path = f"/v1/audio/jobs/{a}/comparison?other={b}"
        assert keyed.ask("GET", path, **bearer(ann)).status == 404
        assert keyed.ask("GET", path).status == 401
