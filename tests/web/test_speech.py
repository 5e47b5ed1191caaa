"""Tests of `/v1/audio/speech` with the official client, on a real service."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bench.harness.http_service import HttpService
from bench.harness.waiting import until
from tests.web.audio import decoded
from tests.web.history import state_of

if TYPE_CHECKING:
    import openai

TEXT = (
    "The harbour was quiet that morning, and nobody saw the boat leave. "
    "Later the wind rose, and with it the voices of the people at the quay. "
    "They had waited for three days, and they would wait for a fourth."
)
"""About 15 s."""


def long_text(name: str) -> str:
    """About an hour of a test's own speech, of which no segment is in the store."""
    return " ".join(f"{name} counted boat {number}. {TEXT}" for number in range(240))


@pytest.fixture
def client(service: HttpService) -> Iterator["openai.OpenAI"]:
    import openai

    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def events(body: bytes) -> list[dict[str, Any]]:
    """Data of server-sent events, whose types are those of their event lines."""
    found = []
    for block in body.decode().split("\n\n"):
        if block:
            kind, data = block.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert kind == f"event: {found[-1]['type']}"
    return found


def test_the_official_client_streams_speech(client: "openai.OpenAI") -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=TEXT, response_format="mp3"
    ) as response:
        assert response.headers["content-type"] == "audio/mpeg"
        parts = list(response.iter_bytes())
    sound = decoded(b"".join(parts), "mp3")
    assert len(parts) > 2
    assert 10 < sound.duration_s < 25
    assert 0.03 < sound.rms < 0.3


def test_errors_are_those_of_the_convention(client: "openai.OpenAI", service: HttpService) -> None:
    import openai

    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(model="tts-1", voice="nobody", input=TEXT)
    assert (refused.value.type, refused.value.param) == ("invalid_request_error", "voice")
    with pytest.raises(openai.BadRequestError, match="unknown model"):
        client.audio.speech.create(model="gpt-99", voice="alloy", input=TEXT)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-99")
    assert service.ask("GET", "/v1/nothing").error["type"] == "invalid_request_error"
    assert service.ask("PUT", "/v1/audio/speech").status == 405
    assert service.ask("POST", "/v1/audio/speech", {"voice": "alloy"}).error["param"] == "input"
    assert service.ask("POST", "/v1/audio/speech", b"{").status == 400


@pytest.mark.http
@pytest.mark.parametrize("stream_format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_every_format_holds_the_same_speech(service: HttpService, stream_format: str) -> None:
    found = service.speak(TEXT, response_format=stream_format)
    reference = decoded(service.speak(TEXT, response_format="pcm").body, "pcm")
    sound = decoded(found.body, stream_format)
    assert found.status == 200
    assert abs(sound.duration_s - reference.duration_s) < 0.15
    assert sound.rms == pytest.approx(reference.rms, rel=0.1)


@pytest.mark.http
def test_a_stream_depends_on_the_request_alone(service: HttpService) -> None:
    fields: dict[str, Any] = {"response_format": "pcm", "options": {"seed": 5}}
    first = service.speak(TEXT, **fields)
    assert service.speak(TEXT, **fields).body == first.body
    assert service.speak(TEXT, response_format="pcm", options={"seed": 6}).body != first.body


@pytest.mark.http
def test_events_carry_the_audio_and_the_usage(service: HttpService) -> None:
    import base64

    found = service.speak(TEXT, response_format="pcm", stream_format="sse")
    *deltas, done = events(found.body)
    audio = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert found.headers["content-type"].startswith("text/event-stream")
    assert audio == service.speak(TEXT, response_format="pcm").body
    usage = done["usage"]
    assert done["type"] == "speech.audio.done"
    assert usage["input_tokens"] == len(TEXT.split())
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] == pytest.approx(decoded(audio, "pcm").duration_s * 80, abs=1)


@pytest.mark.http
def test_speed_is_the_pace_of_the_engine(service: HttpService) -> None:
    slow, fast = (
        decoded(service.speak(TEXT, response_format="pcm", speed=speed).body, "pcm").duration_s
        for speed in (0.8, 1.25)
    )
    assert slow / fast == pytest.approx(1.25 / 0.8, rel=0.1)
    refused = service.speak(TEXT, speed=3.0)
    assert (refused.status, refused.error["param"]) == (400, "speed")
    assert "0.7" in refused.error["message"]
    assert service.speak(TEXT, speed=5).status == 400


@pytest.mark.http
def test_a_script_has_a_voice_for_each_speaker(service: HttpService) -> None:
    script = "Ann: Good morning to you.\n\nBen: And to you, my friend.\n\nAnn: Shall we go?\n\nBen: Yes."
    fields = {"form": "labels", "response_format": "pcm"}
    mixed = service.speak(script, voices={"Ann": "wren", "Ben": "heron"}, **fields)
    alike = service.speak(script, voices={"Ann": "wren", "Ben": "wren"}, **fields)
    assert mixed.status == alike.status == 200
    assert mixed.body != alike.body
    assert mixed.headers["x-ignored-fields"] == "voice"
    wrong = service.speak(script, voices={"Cid": "wren"}, form="labels")
    assert (wrong.status, wrong.error["code"]) == (400, "invalid_voice")


@pytest.mark.http
def test_what_has_no_effect_is_named(service: HttpService) -> None:
    found = service.speak(TEXT, instructions="Whisper.")
    assert found.headers["x-ignored-fields"] == "instructions"
    assert service.speak(TEXT, verbose=True).error["param"] == "verbose"
    assert service.speak(TEXT, options={"format": "wav"}).status == 400
    assert service.speak(TEXT, voice={"id": "heron"}).status == 200
    assert service.speak("Good morning \U0001f600 everybody.").status == 200


@contextmanager
def open_stream(service: HttpService, text: str, **fields: Any) -> Iterator[http.client.HTTPResponse]:
    """A response that is read by hand, and whose connection is closed at the end."""
    body = {"input": text, "voice": "wren", "response_format": "pcm", **fields}
    with closing(service.connection()) as connection:
        connection.request("POST", "/v1/audio/speech", json.dumps(body), service.base)
        with connection.getresponse() as response:
            yield response


@pytest.mark.http
def test_a_client_that_goes_away_cancels_what_only_it_asked_for(service: HttpService) -> None:
    with open_stream(service, long_text("Ada")) as response:
        task = response.headers["x-request-id"]
        response.read(1000)
    until(lambda: state_of(service, task) == "CANCELLED", timeout_s=30, every_s=0.1)


@pytest.mark.http
def test_a_client_that_goes_away_leaves_what_another_asked_for(service: HttpService) -> None:
    text = TEXT * 12 + " Another one listens."
    with open_stream(service, text) as staying:
        with open_stream(service, text) as leaving:
            leaving.read(1000)
        assert decoded(staying.read(), "pcm").duration_s > 100


@pytest.mark.http
def test_an_error_in_the_middle_is_an_event(service: HttpService) -> None:
    with open_stream(service, long_text("Bert"), stream_format="sse") as response:
        head = response.read(100)
        assert service.command("cancel", response.headers["x-request-id"]).returncode == 0
        last = events(head + response.read())[-1]
    assert last["type"] == "speech.audio.error"
    assert last["error"]["code"] == "cancelled"


@pytest.mark.http
def test_an_error_in_the_middle_breaks_a_stream_of_audio(service: HttpService) -> None:
    with open_stream(service, long_text("Cleo")) as response:
        response.read(100)
        assert service.command("cancel", response.headers["x-request-id"]).returncode == 0
        with pytest.raises(http.client.IncompleteRead):
            response.read()
