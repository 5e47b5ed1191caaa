"""The engine against a real HTTP server that misbehaves in every documented way."""

import logging
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.engines.openai.engine import FRAME_RATE_HZ, SAMPLE_RATE_HZ, OpenAI
from pipeline.engines.openai.inspection import inspect_server
from pipeline.engines.openai.server import SpeechServer
from pipeline.engines.protocol import Control, Line, Reference, SegmentText, Uncontrolled, Utterance
from pipeline.engines.registry import Engines
from pipeline.errors import (
    CancelledError,
    EngineError,
    OptionError,
    PipelineError,
    RetryableError,
    VoiceError,
)
from pipeline.jobs.plans import segments_of
from pipeline.planning.check import check
from pipeline.planning.request import JobOptions, accepted, checked, split_options
from pipeline.script.parser import parse, read
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.pipeline.engines.openai.speech_server import (
    Behaviour,
    SpeechServerInTests,
    answer,
    chunked,
    cut,
    dripping,
    endless,
    error,
    garbage,
    pcm,
    silent,
    speech_server,
    wav,
)

KEY = "sk-secret-0123456789"
WORDS = "The heron waits beside quiet water."


@pytest.fixture
def server() -> Iterator[SpeechServerInTests]:
    with speech_server() as running:
        yield running


def settings(server: SpeechServerInTests, **changed: object) -> SpeechServer:
    given = SpeechServer(url=server.url, key=KEY, model="kokoro", voices=("anna", "bert"), back_off_s=0.01)
    return replace(given, **changed)  # type: ignore[arg-type]


def spoken(
    engine: OpenAI,
    *lines: tuple[int, str],
    voices: tuple[str, ...] = ("anna",),
    control: Control | None = None,
) -> list[Utterance]:
    """Run the four stages of a segment."""
    options = engine.options({})
    segment = SegmentText(tuple(Line(slot, text) for slot, text in lines or [(0, WORDS)]), len(voices), 1)
    embeddings = [engine.speaker(Reference(preset=voice), options) for voice in voices]
    semantic = engine.semantic(engine.text(segment, options), options)
    return list(engine.diffusion(semantic, embeddings, 1, options, control or Uncontrolled()))


def streamed_wav(size: int) -> bytes:
    """A WAV file with a size that its writer could not know."""
    file = bytearray(wav())
    file[4:8] = file[40:44] = struct.pack("<I", size)
    return bytes(file)


# -- what is asked, and what comes of it -------------------------------------------------------------------


def test_every_line_is_one_request_with_its_speakers_voice(server: SpeechServerInTests) -> None:
    utterances = spoken(OpenAI(settings(server)), (0, WORDS), (1, "Bert answers."), voices=("anna", "bert"))
    assert [each.body for each in server.speeches] == [
        {"model": "kokoro", "input": WORDS, "voice": "anna", "response_format": "wav"},
        {"model": "kokoro", "input": "Bert answers.", "voice": "bert", "response_format": "wav"},
    ]
    assert {each.headers["authorization"] for each in server.speeches} == {f"Bearer {KEY}"}
    assert [(each.line, each.text, len(each.samples)) for each in utterances] == [
        (0, WORDS, SAMPLE_RATE_HZ // 2),
        (1, "Bert answers.", SAMPLE_RATE_HZ // 2),
    ]


def test_without_a_key_no_authorization_is_sent(server: SpeechServerInTests) -> None:
    spoken(OpenAI(settings(server, key="")))
    assert "authorization" not in server.speeches[0].headers


def test_the_pace_is_sent_as_speed_only_if_it_is_another(server: SpeechServerInTests) -> None:
    engine = OpenAI(settings(server))
    options = engine.options({"pace": 2})
    tokens = engine.text(SegmentText((Line(0, WORDS),), 1, 0), options)
    voice = [engine.speaker(Reference(preset="anna"), options)]
    engine.diffusion(engine.semantic(tokens, options), voice, 0, options, Uncontrolled())
    assert server.speeches[0].body["speed"] == 2.0
    assert int(engine.semantic(tokens, options).meta["frames"]) < int(
        engine.semantic(tokens, engine.options({})).meta["frames"]
    )


def test_a_rate_is_sent_as_speed_times_the_pace_within_the_convention(server: SpeechServerInTests) -> None:
    engine = OpenAI(settings(server))
    lines = (Line(0, WORDS), Line(0, "Slowly.", 0.8), Line(0, "At once.", 2.0))
    for pace, speeds in ((1, [None, 0.8, 2.0]), (2.5, [2.5, 2.0, 4.0])):
        server.asked.clear()
        options = engine.options({"pace": pace})
        tokens = engine.text(SegmentText(lines, 1, 0), options)
        voice = [engine.speaker(Reference(preset="anna"), options)]
        engine.diffusion(engine.semantic(tokens, options), voice, 0, options, Uncontrolled())
        assert [each.body.get("speed") for each in server.speeches] == speeds


def test_a_script_with_a_rate_has_another_key_and_says_where_it_is_limited(
    server: SpeechServerInTests, tmp_path: Path
) -> None:
    engine, registered = OpenAI(settings(server)), Voices(Store(str(tmp_path)))
    pace = {"pace": 2.5}
    usual, fast, faster, refused = (
        check(read(text), {"Ann": "anna"}, engine=engine, registered=registered, engine_options=pace)
        for text in ("Ann: Hi.", *(f"Ann: [rate:{rate}]Hi.[/rate]" for rate in (1.5, 2, 2.1)))
    )
    assert usual.notices == fast.notices == ()
    assert [each.reason for each in faster.notices] == [
        "has rate 5 and may be spoken at 4, the limit of engine openai"
    ]
    assert [each.reason for each in refused.problems] == ["has rate 2.1, but engine openai has 0.5 to 2"]
    requests = [
        accepted(each, JobOptions("openai"), engine.options(pace), engine=engine)
        for each in (usual, fast, faster)
    ]
    assert len({segments_of(each, engine.profile)[0].key for each in requests}) == 3


def test_a_long_line_is_several_requests_at_its_sentences(server: SpeechServerInTests) -> None:
    text = " ".join(f"Sentence number {n} is not long." for n in range(12))
    utterances = spoken(OpenAI(settings(server, characters_max=100)), (0, text))
    asked = [each.body["input"] for each in server.speeches]
    assert len(asked) > 2
    assert max(map(len, asked)) <= 100
    assert " ".join(asked) == text
    assert {each.line for each in utterances} == {0}


def test_a_word_that_no_request_can_hold_is_refused(server: SpeechServerInTests) -> None:
    with pytest.raises(EngineError, match="CHARACTERS_MAX") as caught:
        spoken(OpenAI(settings(server, characters_max=100)), (0, "a" * 300))
    assert "aaa" not in str(caught.value)


@pytest.mark.parametrize(
    ("format", "behaviour"),
    [
        ("wav", answer(200, wav())),
        ("wav", chunked(wav())),
        ("wav", chunked(streamed_wav(0xFFFFFFFF))),
        ("wav", chunked(streamed_wav(0x7FFFFFFF - 36))),
        ("wav", chunked(streamed_wav(0))),
        ("wav", answer(200, wav(rate_hz=16_000))),
        ("wav", answer(200, wav(rate_hz=48_000, channels=2))),
        ("wav", answer(200, wav(kind="MP3"), "audio/mpeg")),
        ("wav", answer(200, wav(), "application/octet-stream")),
        ("wav", answer(200, wav(), "")),
        ("flac", answer(200, wav(kind="FLAC"), "audio/flac")),
        ("flac", answer(200, wav(rate_hz=44_100, kind="FLAC"), "audio/flac")),
        ("mp3", answer(200, wav(kind="MP3"), "audio/mpeg")),
        ("mp3", answer(200, wav(rate_hz=44_100, kind="MP3"), "audio/mpeg")),
        ("pcm", answer(200, pcm(), "audio/pcm")),
        ("pcm", answer(200, pcm(rate_hz=16_000), "audio/pcm;rate=16000")),
        ("pcm", answer(200, wav(), "audio/wav")),
    ],
)
def test_any_format_and_rate_becomes_the_engines(
    server: SpeechServerInTests, format: str, behaviour: Behaviour
) -> None:
    server.next.append(behaviour)
    (utterance,) = spoken(OpenAI(settings(server, format=format)))
    assert server.speeches[0].body["response_format"] == format
    assert len(server.speeches) == 1
    assert len(utterance.samples) == pytest.approx(SAMPLE_RATE_HZ / 2, abs=2400)
    assert utterance.samples.dtype == np.float32
    assert 0.2 < np.abs(utterance.samples).max() < 0.4
    crossings = np.count_nonzero(np.diff(np.signbit(utterance.samples)))
    assert crossings / 2 / (len(utterance.samples) / SAMPLE_RATE_HZ) == pytest.approx(220, rel=0.15)


def test_raw_pcm_without_a_rate_has_the_one_of_the_settings(server: SpeechServerInTests) -> None:
    server.next.append(answer(200, pcm(rate_hz=22_050), "audio/pcm"))
    (utterance,) = spoken(OpenAI(settings(server, format="pcm", pcm_rate_hz=22_050)))
    assert len(utterance.samples) == pytest.approx(SAMPLE_RATE_HZ / 2, abs=4)


# -- failures that pass ------------------------------------------------------------------------------------

PASSING: dict[str, Behaviour] = {
    "429": error(429),
    "429 with Retry-After": error(429, Retry_After="0.02"),
    "429 with a date": error(429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"),
    "408": error(408),
    "500": error(500),
    "502 of a proxy": answer(502, b"<html>bad gateway</html>", "text/html"),
    "503": error(503),
    "503 with Retry-After": error(503, Retry_After="0.02"),
    "504": error(504),
    "529": error(529),
    "cut before the answer": cut,
    "cut within chunks": chunked(wav()[:9000], whole=False),
    "shorter than its length": answer(200, wav()[:9000], length=len(wav())),
    "longer than its length": answer(200, wav(), length=9000),
    "no HTTP": garbage,
    "silent": silent(60),
    "endless": endless,
    "dripping": dripping,
    "empty": answer(200, b""),
    "WAV without samples": answer(200, wav(seconds=0)),
    "WAV cut within its header": chunked(wav()[:30]),
    "WAV shorter than it says": chunked(wav()[:9000]),
    "cut FLAC": chunked(wav(kind="FLAC")[:4000]),
    "longer than the words": chunked(wav(seconds=90)),
    "JSON error with 200, overloaded": answer(
        200, b'{"error":{"type":"overloaded_error"}}', "application/json"
    ),
    "JSON error with 200 and a code": answer(200, b'{"error":{"code":503}}', "audio/wav"),
}


@pytest.mark.parametrize("behaviour", PASSING.values(), ids=PASSING)
def test_a_failure_that_passes_is_retried(server: SpeechServerInTests, behaviour: Behaviour) -> None:
    server.next.append(behaviour)
    (utterance,) = spoken(OpenAI(settings(server, timeout_s=0.5)))
    assert len(utterance.samples) == SAMPLE_RATE_HZ // 2
    assert len(server.speeches) == 2


@pytest.mark.parametrize("name", ["500", "503", "cut before the answer", "empty", "WAV shorter than it says"])
def test_a_failure_that_stays_is_retried_by_the_stage(server: SpeechServerInTests, name: str) -> None:
    server.always = PASSING[name]
    with pytest.raises(RetryableError, match=r"speech server 127\.0\.0\.1:\d+ ") as caught:
        spoken(OpenAI(settings(server, back_off_s=0.001)))
    assert type(caught.value) is RetryableError
    assert 3 <= len(server.speeches) <= 6


def test_a_server_that_is_away_is_retryable() -> None:
    with speech_server() as gone:
        away = settings(gone, back_off_s=0.001)
    with pytest.raises(RetryableError, match="cannot be reached"):
        spoken(OpenAI(away))


def test_retry_after_is_waited_for_by_all_and_not_counted(server: SpeechServerInTests) -> None:
    waits: list[float] = []

    class Counted(Uncontrolled):
        def waited(self, seconds: float) -> None:
            waits.append(seconds)

    server.next.append(error(429, Retry_After="0.4"))
    engine = OpenAI(settings(server))
    start = time.monotonic()
    spoken(engine, control=Counted())
    assert time.monotonic() - start >= 0.4
    assert waits[-1] >= 0.4


def test_a_wait_beyond_reason_is_left_to_the_stage(server: SpeechServerInTests) -> None:
    server.always = error(429, Retry_After="86400")
    with pytest.raises(RetryableError, match="429"):
        spoken(OpenAI(settings(server)))
    assert len(server.speeches) == 1


# -- failures that stay ------------------------------------------------------------------------------------


def redirect(server_url: str, status: int) -> Behaviour:
    return answer(status, b"", "text/plain", Location=server_url)


REFUSED: dict[str, tuple[Behaviour, str]] = {
    "400": (error(400, "invalid_voice"), r"answers 400 \(t, invalid_voice\); it does not take the model"),
    "401": (error(401, "invalid_api_key"), r"answers 401 .*; set VOXCHORD_OPENAI_KEY"),
    "403": (error(403), r"answers 403 .*VOXCHORD_OPENAI_KEY"),
    "404": (error(404, "model_not_found"), r"answers 404 .*VOXCHORD_OPENAI_MODEL"),
    "405": (answer(405), "VOXCHORD_OPENAI_URL, which ends with /v1"),
    "413": (error(413), "VOXCHORD_OPENAI_CHARACTERS_MAX"),
    "418": (error(418), "answers 418 .*see its log"),
    "FastAPI's 422": (
        answer(422, b'{"detail":[{"msg":"bad","input":"The heron waits"}]}', "application/json"),
        "answers 422; it does not take",
    ),
    "429 of an account": (error(429, "insufficient_quota"), "account is used up"),
    "a page": (answer(200, b"<html>Log in</html>", "text/html; charset=utf-8"), "answers with text/html"),
    "JSON that is no error": (
        answer(200, b'{"audio":"The heron"}', "application/json"),
        "error with status 200",
    ),
    "JSON error with 200": (
        answer(200, b'{"error":{"message":"The heron","type":"invalid_request_error"}}', "audio/wav"),
        r"error with status 200 \(invalid_request_error\)",
    ),
    "JSON error with 200 and a code": (answer(200, b'{"error":{"code":"401"}}', "text/json"), "answers 401"),
    "an image": (answer(200, b"\x89PNG" + bytes(500), "image/png"), "no audio that can be read"),
    "compressed": (answer(200, wav(), Content_Encoding="gzip"), "compresses its answer"),
    "redirect to another host": (redirect("http://127.0.0.2:1/v1/audio/speech", 307), "redirects elsewhere"),
    "redirect to another port": (redirect("http://127.0.0.1:1/v1/audio/speech", 308), "redirects elsewhere"),
    "redirect without a target": (answer(307), "redirects elsewhere"),
    "redirect that drops the body": (redirect("/v1/other", 302), "redirects elsewhere"),
    "redirects in a circle": (redirect("/v1/audio/speech", 307), "redirects more than"),
}


@pytest.mark.parametrize(("behaviour", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_names_server_and_remedy(
    server: SpeechServerInTests, behaviour: Behaviour, reason: str
) -> None:
    server.always = behaviour
    with pytest.raises(EngineError, match=rf"^speech server 127\.0\.0\.1:\d+ .*{reason}") as caught:
        spoken(OpenAI(settings(server)))
    assert "heron" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_redirect_within_the_server_is_followed_with_its_body(server: SpeechServerInTests) -> None:
    server.next.append(redirect("/v2/audio/speech", 307))
    assert len(spoken(OpenAI(settings(server)))) == 1
    assert [(each.path, each.body["input"]) for each in server.speeches] == [
        ("/v1/audio/speech", WORDS),
        ("/v2/audio/speech", WORDS),
    ]


@pytest.mark.parametrize("name", [*PASSING, *REFUSED])
def test_neither_the_key_nor_words_reach_logs_and_errors(
    server: SpeechServerInTests, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    server.always = PASSING[name] if name in PASSING else REFUSED[name][0]
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PipelineError) as caught:
        spoken(OpenAI(settings(server, timeout_s=0.3, back_off_s=0.001, busy_max_s=0.5)))
    said = f"{caught.value!r}\n{caplog.text}"
    assert KEY not in said
    assert "heron" not in said


def test_the_key_is_in_no_record(server: SpeechServerInTests) -> None:
    found = settings(server)
    assert KEY not in f"{found!r} {found.identity} {OpenAI(found).revision()}"


# -- control -----------------------------------------------------------------------------------------------


def test_a_cancelled_segment_ends_its_request(server: SpeechServerInTests) -> None:
    server.always = silent(60)
    cancelled = threading.Event()

    class Cancellable(Uncontrolled):
        def check(self) -> None:
            if cancelled.is_set():
                raise CancelledError("a job")

    threading.Timer(0.3, cancelled.set).start()
    start = time.monotonic()
    with pytest.raises(CancelledError):
        spoken(OpenAI(settings(server)), control=Cancellable())
    assert time.monotonic() - start < 5
    deadline = time.monotonic() + 5
    while server.busy and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.busy == 0  # the server sees that the client went away


def test_slots_bound_the_requests_at_once(server: SpeechServerInTests) -> None:
    server.hold_s = 0.1
    engine = OpenAI(settings(server), slots=2)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: spoken(engine), range(6)))
    assert server.busy_max == 2


def test_models_of_one_server_share_its_slots(server: SpeechServerInTests) -> None:
    server.hold_s = 0.1
    engines = [OpenAI(settings(server), model=name, slots=1) for name in ("one", "two", "three")]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(spoken, engines))
    assert server.busy_max == 1
    assert {each.body["model"] for each in server.speeches} == {"one", "two", "three"}


def test_the_rate_spaces_requests(server: SpeechServerInTests) -> None:
    engine = OpenAI(settings(server, requests_per_minute=300))
    start = time.monotonic()
    spoken(engine, *[(0, WORDS)] * 4)
    assert time.monotonic() - start >= 3 * 60 / 300


def test_progress_is_counted_in_frames(server: SpeechServerInTests) -> None:
    done: list[int] = []

    class Counted(Uncontrolled):
        def frames(self, done_: int, batch_size: int = 1) -> None:
            done.append(done_)

    spoken(OpenAI(settings(server)), (0, WORDS), (0, WORDS), control=Counted())
    assert done == [round(FRAME_RATE_HZ / 2), round(FRAME_RATE_HZ)]


# -- voices ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listed",
    [
        {"voices": [{"id": "carla", "name": "Carla"}]},
        {"voices": ["carla"], "uploaded_voices": []},
        {"status": "ok", "voices": ["dora", "carla"]},
        {"voices": [], "uploaded_voices": [{"name": "carla", "consent": "c"}]},
        {"object": "list", "data": [{"id": "carla"}]},
    ],
)
def test_a_voice_beyond_the_settings_is_found_at_the_server(
    server: SpeechServerInTests, listed: object
) -> None:
    server.voices = listed
    spoken(OpenAI(settings(server)), voices=("carla",))
    assert server.speeches[0].body["voice"] == "carla"
    with pytest.raises(VoiceError, match=r"unknown to speech server .*; it has .*carla"):
        spoken(OpenAI(settings(server)), voices=("nobody",))


def test_a_voice_of_the_settings_needs_no_list(server: SpeechServerInTests) -> None:
    spoken(OpenAI(settings(server)))
    assert [each.method for each in server.asked] == ["POST"]


def test_without_a_list_only_the_settings_count(server: SpeechServerInTests) -> None:
    with pytest.raises(VoiceError, match="VOXCHORD_OPENAI_VOICES"):
        spoken(OpenAI(settings(server)), voices=("carla",))


def test_recordings_are_refused(server: SpeechServerInTests) -> None:
    engine = OpenAI(settings(server))
    recording = Reference(samples=np.zeros(24_000, np.float32), sample_rate_hz=24_000)
    with pytest.raises(VoiceError, match="not with recordings"):
        engine.speaker(recording, engine.options({}))


# -- plans -------------------------------------------------------------------------------------------------


def keys(engine: OpenAI, store: Store, voices: dict[str, str]) -> tuple[str, list[str]]:
    from pipeline.jobs.jobs import Jobs

    jobs = Jobs(store)
    options, rest = split_options({}, engine="openai")
    script = parse(f"Ann: {WORDS}\nBo: And so do I.", characters_max=1000)
    request = checked(script, voices, options, rest, engine=engine, registered=Voices(store))
    plan = jobs.plans.create(request, engine.profile)
    return plan.revision, [segment.key for segment in jobs.plans.segments(plan)]


def test_keys_carry_server_model_format_and_voice(server: SpeechServerInTests, tmp_path: object) -> None:
    found, given = settings(server), {"Ann": "anna", "Bo": "carla"}
    store = Store(str(tmp_path))
    others = [
        (OpenAI(replace(found, url="http://elsewhere:1/v1")), given),
        (OpenAI(found, model="another"), given),
        (OpenAI(replace(found, format="mp3")), given),
        (OpenAI(found), {**given, "Bo": "dora"}),
    ]
    revision, own = keys(OpenAI(found), store, given)
    assert revision == f"{server.url} wav 4096 kokoro v1"
    assert all(keys(engine, store, voices)[1] != own for engine, voices in others)
    assert keys(OpenAI(replace(found, key="another")), store, given)[1] == own
    assert server.asked == []  # planning asks nobody


def test_speakers_get_the_voices_of_the_settings(server: SpeechServerInTests, tmp_path: object) -> None:
    engine = OpenAI(settings(server))
    script = parse(f"Ann: {WORDS}\nBo: And so do I.", characters_max=1000)
    options, rest = split_options({}, engine="openai")
    registered = Voices(Store(str(tmp_path)))
    request = checked(script, {}, options, rest, engine=engine, registered=registered)
    assert {speaker.voice for speaker in request.speakers} == {"anna", "bert"}
    for bad in ("../../etc", "a" * 200, "x\ny"):
        with pytest.raises(VoiceError, match="not the name of a voice"):
            checked(script, {"Ann": bad}, options, rest, engine=engine, registered=registered)
    with pytest.raises(VoiceError, match="have no voice"):
        checked(script, {}, options, rest, engine=OpenAI(), registered=registered)


# -- settings and doctor -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "host:8880/v1"},
        {"url": "ftp://host/v1"},
        {"url": "http://user:word@host/v1"},
        {"url": "http://host/v1?key=1"},
        {"url": "http://host:port/v1"},
        {"url": "http:///v1"},
        {"format": "ogg"},
        {"key": "two words"},
        {"languages": ()},
        {"pcm_rate_hz": 1},
        {"characters_max": 5},
        {"requests_per_minute": -1},
        {"timeout_s": 0},
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(changed: dict[str, object]) -> None:
    name = f"VOXCHORD_OPENAI_{next(iter(changed)).upper()}"
    with pytest.raises(OptionError, match=name) as caught:
        replace(SpeechServer(url="http://host/v1"), **changed).check()  # type: ignore[arg-type]
    assert "word" not in str(caught.value) or "key" in changed


def test_without_an_address_the_remedy_is_named() -> None:
    with pytest.raises(EngineError, match="set VOXCHORD_OPENAI_URL"):
        Engines().load("openai").revision()


@pytest.mark.parametrize("given", [{"speed": 1.0}, {"pace": 5}, {"pace": True}, {"pace": "2"}])
def test_options_are_checked(given: dict[str, str | float]) -> None:
    with pytest.raises(OptionError):
        OpenAI().options(given)


def test_inspection_reports_models_and_voices(server: SpeechServerInTests) -> None:
    server.models = {"object": "list", "data": [{"id": "kokoro"}, {"id": "tts-1"}]}
    server.voices = {"voices": [{"id": "anna"}, {"id": "carla"}]}
    found = settings(server)
    report = inspect_server(found)
    assert report.problem == ""
    assert report.summary(found) == f"{server.url} answers: models 2, voices 2; it does not list bert"


def test_inspection_names_what_is_wrong(server: SpeechServerInTests) -> None:
    server.models = {"data": [{"id": "other"}]}
    assert inspect_server(settings(server)).problem.endswith("lists no model 'kokoro'")
    server.models = error(401)
    assert "set VOXCHORD_OPENAI_KEY" in inspect_server(settings(server)).problem
    server.models = answer(200, b"<html>", "text/html")
    assert "is VOXCHORD_OPENAI_URL right?" in inspect_server(settings(server)).problem
    server.models = error(503)
    start = time.monotonic()
    assert "answers 503" in inspect_server(settings(server)).problem
    assert time.monotonic() - start < 1


def test_a_server_without_lists_is_no_problem(server: SpeechServerInTests) -> None:
    report = inspect_server(settings(server))
    assert (report.problem, report.models, report.voices) == ("", None, None)
