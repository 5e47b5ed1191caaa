"""Tests of servers beside the first one: several processes, back-pressure, and a broker that is away."""

import pytest

from bench.harness.http_service import HttpService, beside
from bench.harness.services import free_port

TEXT = "The harbour was quiet that morning, and nobody saw the boat leave."
pytestmark = pytest.mark.http


def test_several_processes_serve_one_port(service: HttpService) -> None:
    with beside(service, processes=2) as several:
        bodies = {several.speak(TEXT, response_format="pcm").body for _ in range(6)}
    assert bodies == {service.speak(TEXT, response_format="pcm").body}


def test_a_long_intake_queue_is_answered_with_the_time_to_wait(service: HttpService) -> None:
    with beside(service, http_queue_max=0) as busy:
        refused = busy.speak(TEXT)
        assert (refused.status, refused.error["code"]) == (429, "busy")
        assert int(refused.headers["retry-after"]) > 0
        assert busy.ask("GET", "/v1/models").status == 200


def test_a_broker_that_is_away_is_said_so(service: HttpService) -> None:
    with beside(service, broker_url=f"redis://127.0.0.1:{free_port()}/0") as alone:
        for refused in (alone.speak(TEXT), alone.ask("GET", "/health")):
            assert (refused.status, refused.error["code"]) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) > 0


def test_open_webui_lists_voices_and_plays(service: HttpService) -> None:
    """Its requests: a forced model, the body read whole, `id` and `name` of each voice."""
    voices = service.ask("GET", "/v1/audio/voices", Authorization="Bearer sk-none").json["voices"]
    names = [(voice["id"], voice["name"]) for voice in voices]
    assert ("alloy", "alloy") in names
    body = {"input": TEXT, "voice": names[0][0], "model": "tts-1"}
    spoken = service.ask("POST", "/v1/audio/speech", body, Authorization="Bearer sk-none")
    assert (spoken.status, spoken.headers["content-type"]) == (200, "audio/mpeg")
    assert len(spoken.body) > 10_000
    refused = service.ask("POST", "/v1/audio/speech", {**body, "voice": "nobody"})
    assert refused.json["error"]["message"]
