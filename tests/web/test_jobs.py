"""Long jobs over HTTP, against a running service."""

import io
import json
import time
from typing import Any

import pytest
import soundfile

from bench.harness.http_service import Answer, HttpService, bearer
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tests.web import uploads

PATH = "/v1/audio/jobs"
PARAGRAPH = (
    "The tide had turned before we reached the quay. Nobody spoke of it. We tied the boat, we carried the "
    "nets up to the loft, and we counted what was left of the day. There were nine of us in the spring."
)
SECRET_WORD = "halcyon"  # noqa: S105 - of a script


def script(turns: int = 8, word: str = SECRET_WORD) -> str:
    return "\n".join(f"{'Ann' if n % 2 else 'Bo'}: Entry {n} of {word}. {PARAGRAPH}" for n in range(turns))


def create(service: HttpService, name: str | None = None, key: str | None = None, **fields: Any) -> Answer:
    body = {"input": script(2), "response_format": "flac", **({"id": name} if name else {}), **fields}
    return service.ask("POST", PATH, body, **({} if key is None else bearer(key)))


def get(service: HttpService, name: str, part: str = "", **headers: str) -> Answer:
    return service.ask("GET", f"{PATH}/{name}{part}", **headers)


def finished(service: HttpService, name: str, **headers: str) -> dict[str, Any]:
    """Wait until a job has ended."""
    view: dict[str, Any] = {}

    def has_ended() -> bool:
        view.update(get(service, name, **headers).json)
        return view["status"] in ("completed", "failed")

    until(has_ended, timeout_s=90)
    return view


@pytest.fixture(scope="module")
def job(service: HttpService) -> dict[str, Any]:
    """A completed job of several segments."""
    created = create(service, "a-book", input=script(), title="A book", metadata={"shelf": "3"})
    assert created.status == 201, created.body
    return finished(service, "a-book")


# -- create, get, list -------------------------------------------------------------------------------------


def test_a_job_has_the_shape_of_openais_jobs(job: dict[str, Any]) -> None:
    assert job["object"] == "audio.job"
    assert (job["status"], job["progress"], job["error"]) == ("completed", 100, None)
    assert job["created_at"] <= time.time() <= job["created_at"] + 600
    assert job["segments_done"] == job["segments"] > 1
    assert job["duration_s"] > 30
    assert (job["title"], job["metadata"], job["revision"]) == ("A book", {"shelf": "3"}, 0)


@pytest.mark.http
def test_the_cost_comes_from_the_history(service: HttpService, job: dict[str, Any]) -> None:
    def cost() -> dict[str, Any]:
        found: dict[str, Any] = get(service, "a-book").json
        return found

    until(lambda: cost()["completed_at"] is not None, timeout_s=20)
    shown = cost()
    assert shown["completed_at"] >= shown["created_at"]
    assert shown["cost"]["attempts"] >= 4 * shown["segments"]
    assert shown["cost"]["run_s"] > 0


def test_the_same_id_and_content_is_the_same_job(service: HttpService, job: dict[str, Any]) -> None:
    again = create(service, "a-book", input=script(), title="A book")
    assert again.status == 200
    assert again.json["job"] == job["job"]
    assert again.headers["location"] == f"{PATH}/a-book"
    other = create(service, "a-book", input=script(), title="Another book")
    assert (other.status, other.error["code"], other.error["param"]) == (409, "id_in_use", "id")


@pytest.mark.http
def test_equal_requests_with_other_ids_are_other_jobs_with_shared_segments(
    service: HttpService, job: dict[str, Any]
) -> None:
    made = create(service, input=script(), title="A book")
    assert made.status == 201
    assert made.json["id"].startswith("job_")
    second = finished(service, made.json["id"])
    assert second["job"] != job["job"]
    jobs = Jobs(Store(service.settings.store_url))
    keys = [
        [segment.key for segment in jobs.plans.segments(jobs.plans.need(each["job"]))]
        for each in (job, second)
    ]
    assert keys[0] == keys[1]


@pytest.mark.http
def test_turns_in_json_and_texts_by_one_voice_are_scripts(service: HttpService) -> None:
    turns = [
        {"speaker": "Ann", "text": "Good evening to you."},
        {"speaker": "Bo", "text": "And to you, Ann."},
    ]
    made = create(service, "turns", input=turns, voices={"Ann": "heron"})
    assert made.status == 201, made.body
    text = create(
        service, "text", input="One voice reads this: all of it.", voice="alloy", response_format="wav"
    )
    assert text.status == 201, text.body
    assert finished(service, "turns")["status"] == "completed"
    assert finished(service, "text")["status"] == "completed"
    with soundfile.SoundFile(io.BytesIO(get(service, "text", "/content").body)) as file:
        assert file.format == "WAV"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"id": "../x"}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"input": None}, None),
        ({"response_format": "ogg"}, "response_format"),
        ({"model": "nothing"}, None),
        ({"options": {"namespace": "x"}}, None),
        ({"options": {"base_job": "0" * 20}}, None),
        ({"options": {"webhook": "https://example.com"}}, None),
        ({"webhook": "https://example.com/"}, "webhook"),
        ({"base_job": "nobody"}, "id"),
        ({"voice": "alloy", "voices": {"Ann": "wren"}}, None),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"unknown": 1}, "unknown"),
    ],
)
@pytest.mark.http
def test_bad_requests_are_refused_by_name(
    service: HttpService, fields: dict[str, Any], param: str | None
) -> None:
    answer = create(service, **{"name": None, **fields})
    assert answer.status in (400, 404)
    assert param is None or answer.error["param"].startswith(param)


@pytest.mark.http
def test_a_refused_script_is_a_failed_job_without_its_words(service: HttpService) -> None:
    made = create(service, "refused", input=f"Ann: {SECRET_WORD} {SECRET_WORD} 🎈.\nAnn: Yes.")
    assert made.status == 201
    view = finished(service, "refused")
    assert view["status"] == "failed"
    assert view["error"]["code"] == "invalid_script"
    assert "line 1" in view["error"]["message"]
    assert SECRET_WORD not in json.dumps(view)
    assert get(service, "refused", "/segments").status == 409


@pytest.mark.http
def test_jobs_are_listed_in_pages(service: HttpService) -> None:
    for number in range(5):
        assert create(service, f"page-{number}", input=f"Ann: This is page {number}.").status == 201
        time.sleep(0.02)
    names, after = [], ""
    while True:
        found = service.ask("GET", f"{PATH}?limit=2&search=PAGE-{after}").json
        names += [each["id"] for each in found["data"]]
        if not found["has_more"]:
            break
        after = f"&after={found['last_id']}"
    assert names == [f"page-{number}" for number in (4, 3, 2, 1, 0)]
    oldest = service.ask("GET", f"{PATH}?limit=1&search=page-&order=asc").json["data"]
    assert [each["id"] for each in oldest] == ["page-0"]
    for name in names:
        finished(service, name)
    completed = service.ask("GET", f"{PATH}?status=completed&search=page-").json["data"]
    assert len(completed) == 5
    assert service.ask("GET", f"{PATH}?status=failed&search=page-").json["data"] == []
    assert service.ask("GET", f"{PATH}?after=nobody").json["data"] == []
    assert service.ask("GET", f"{PATH}?limit=0").status == 400


# -- events, cancel, retry, delete -------------------------------------------------------------------------


def events(answer: Answer) -> list[dict[str, Any]]:
    blocks = [block for block in answer.body.decode().split("\n\n") if "data: " in block]
    return [json.loads(block.partition("data: ")[2]) for block in blocks]


@pytest.mark.http
def test_events_report_segments_and_the_end(service: HttpService) -> None:
    create(service, "followed", input=script(12, word="followed"))
    answer = get(service, "followed", "/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer)
    segments = [each["segment"] for each in found if each["type"] == "audio.job.segment"]
    assert sorted(segments) == list(range(len(segments)))
    assert len(segments) > 2
    assert found[-1]["type"] == "audio.job.completed"
    assert found[-1]["job"]["progress"] == 100
    kinds = {each["type"] for each in found}
    assert "audio.job.in_progress" in kinds
    assert "quay" not in answer.body.decode()


@pytest.mark.http
def test_a_cancelled_job_can_be_retried(service: HttpService) -> None:
    create(service, "stopped", input=script(200, word="stopped"))
    until(lambda: get(service, "stopped").json["status"] == "in_progress", timeout_s=30)
    cancelled = service.ask("POST", f"{PATH}/stopped/cancel")
    assert cancelled.status == 200
    view = finished(service, "stopped")
    assert (view["status"], view["error"]["code"]) == ("failed", "cancelled")
    again = service.ask("POST", f"{PATH}/stopped/cancel")
    assert (again.status, again.error["code"]) == (409, "job_ended")
    assert service.ask("POST", f"{PATH}/stopped/retry", {}).status == 202
    until(lambda: get(service, "stopped").json["status"] == "in_progress", timeout_s=30)
    service.ask("POST", f"{PATH}/stopped/cancel")
    assert finished(service, "stopped")["status"] == "failed"


@pytest.mark.http
def test_a_completed_job_has_nothing_to_retry(service: HttpService, job: dict[str, Any]) -> None:
    answer = service.ask("POST", f"{PATH}/a-book/retry", {})
    assert (answer.status, answer.error["code"]) == (409, "nothing_to_retry")


@pytest.mark.http
def test_a_deleted_job_is_gone_with_its_files(service: HttpService) -> None:
    create(service, "gone", input="Ann: This will be gone.")
    view = finished(service, "gone")
    deleted = service.ask("DELETE", f"{PATH}/gone")
    assert deleted.json == {"id": "gone", "object": "audio.job.deleted", "deleted": True}
    assert get(service, "gone").status == 404
    store = Store(service.settings.store_url)
    assert list(store.objects.names(f"jobs/{view['job']}")) == []
    again = create(service, "gone", input="Ann: This will be another one.")
    assert again.status == 201
    assert finished(service, "gone")["job"] != view["job"]


@pytest.mark.http
def test_a_running_job_is_not_deleted(service: HttpService) -> None:
    create(service, "busy", input=script(200, word="busy"))
    answer = service.ask("DELETE", f"{PATH}/busy")
    assert (answer.status, answer.error["code"]) == (409, "job_running")
    service.ask("POST", f"{PATH}/busy/cancel")
    finished(service, "busy")


# -- files -------------------------------------------------------------------------------------------------


def test_content_is_the_jobs_file_with_ranges(service: HttpService, job: dict[str, Any]) -> None:
    whole = get(service, "a-book", "/content")
    assert (whole.status, whole.headers["content-type"]) == (200, "audio/flac")
    with soundfile.SoundFile(io.BytesIO(whole.body)) as file:
        assert file.frames / file.samplerate == pytest.approx(job["duration_s"], abs=0.01)
    size = len(whole.body)
    part = get(service, "a-book", "/content", Range="bytes=100-199")
    assert (part.status, part.body) == (206, whole.body[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{size}"
    assert get(service, "a-book", "/content", Range="bytes=-50").body == whole.body[-50:]
    outside = get(service, "a-book", "/content", Range=f"bytes={size}-")
    assert (outside.status, outside.headers["content-range"]) == (416, f"bytes */{size}")
    tag = whole.headers["etag"]
    assert get(service, "a-book", "/content", If_None_Match=tag).status == 304
    assert get(service, "a-book", "/content", Range="bytes=0-9", If_Range='"other"').status == 200
    head = service.ask("HEAD", f"{PATH}/a-book/content")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(size), b"")


@pytest.mark.http
def test_a_running_jobs_start_can_be_heard(service: HttpService) -> None:
    create(service, "growing", input=script(120, word="growing"))
    assert get(service, "growing", "/content").status == 409
    start: list[Answer] = []

    def has_start() -> bool:
        answer = get(service, "growing", "/content?so_far=true")
        start[:] = [answer]
        return answer.status == 200

    until(has_start, timeout_s=60)
    with soundfile.SoundFile(io.BytesIO(start[0].body)) as file:
        assert file.frames > file.samplerate
    part = get(service, "growing", "/content?so_far=true", Range="bytes=0-99")
    assert (part.status, len(part.body)) == (206, 100)
    view = get(service, "growing").json
    assert view["status"] == "in_progress"
    assert view["eta_s"] >= 0
    service.ask("POST", f"{PATH}/growing/cancel")
    finished(service, "growing")


@pytest.mark.http
def test_subtitles_words_turns_manifest_and_report(service: HttpService, job: dict[str, Any]) -> None:
    assert b"-->" in get(service, "a-book", "/subtitles").body
    vtt = get(service, "a-book", "/subtitles?format=vtt")
    assert vtt.body.startswith(b"WEBVTT")
    assert vtt.headers["content-type"].startswith("text/vtt")
    assert len(get(service, "a-book", "/words").json) > 100
    assert len(get(service, "a-book", "/turns").json) == 8
    assert get(service, "a-book", "/manifest").json["job"] == job["job"]
    until(lambda: get(service, "a-book", "/report").status == 200, timeout_s=20)
    report = get(service, "a-book", "/report")
    assert report.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert SECRET_WORD not in report.body.decode()


# -- segments, takes, diff ---------------------------------------------------------------------------------


def test_segments_have_lines_takes_and_audio(service: HttpService, job: dict[str, Any]) -> None:
    found = get(service, "a-book", "/segments?limit=1").json
    assert found["has_more"] is True
    (first,) = found["data"]
    assert first["lines"][0]["speaker"] == "Bo"
    assert (first["status"], first["take"]) == ("completed", 0)
    rest = get(service, "a-book", "/segments?after=0").json
    assert [each["segment"] for each in rest["data"]] == list(range(1, job["segments"]))
    assert get(service, "a-book", "/segments/0").json == first
    audio = get(service, "a-book", "/segments/0/audio")
    with soundfile.SoundFile(io.BytesIO(audio.body)) as file:
        assert file.frames / file.samplerate == pytest.approx(first["duration_s"], abs=0.01)
    assert get(service, "a-book", "/segments/0/audio?format=mp3").headers["content-type"] == "audio/mpeg"
    assert get(service, "a-book", "/segments/0/audio?take=7").status == 404
    assert get(service, "a-book", "/segments/99").status == 404
    assert get(service, "a-book", "/segments/-1").status == 404


@pytest.mark.http
def test_another_take_is_made_heard_and_picked(service: HttpService, job: dict[str, Any]) -> None:
    before = get(service, "a-book", "/content").headers["etag"]
    made = service.ask("POST", f"{PATH}/a-book/segments/1/takes", {"options": {"pace": 1.2}})
    assert (made.status, made.json["status"]) == (200, "completed"), made.body
    take = made.json["take"]
    takes = get(service, "a-book", "/segments/1/takes").json["data"]
    assert [(each["take"], each["used"]) for each in takes] == [(0, True), (take, False)]
    assert get(service, "a-book", f"/segments/1/audio?take={take}").status == 200
    picked = service.ask("POST", f"{PATH}/a-book/segments/1/pick", {"take": take})
    assert (picked.status, picked.json["revision"]) == (200, 1)
    assert get(service, "a-book").json["revision"] == 1
    assert get(service, "a-book", "/content").headers["etag"] != before
    assert get(service, "a-book", "/content?revision=0").headers["etag"] == before
    assert get(service, "a-book", "/content?revision=5").status == 404
    assert get(service, "a-book", "/segments/1").json["take"] == take
    heir = create(service, "heir", input=script(), base_job="a-book")
    assert heir.status == 201, heir.body
    finished(service, "heir")
    assert service.ask("POST", f"{PATH}/a-book/segments/1/takes", {"options": {"nope": 1}}).status == 400
    assert service.ask("POST", f"{PATH}/a-book/segments/1/pick", {"take": 77}).status == 404


@pytest.mark.http
def test_a_diff_names_the_changed_segments(service: HttpService, job: dict[str, Any]) -> None:
    changed = script().replace("Entry 0 of", "Entry nought of")
    answer = service.ask("POST", f"{PATH}/a-book/diff", {"input": changed})
    assert answer.status == 200, answer.body
    assert len(answer.json["changed"]) == 1
    assert answer.json["unchanged"] == job["segments"] - 1
    assert SECRET_WORD not in answer.body.decode()
    bad = service.ask("POST", f"{PATH}/a-book/diff", {"input": f"Ann: {SECRET_WORD} 🎈"})
    assert bad.status == 400
    assert SECRET_WORD not in bad.body.decode()


# -- clients -----------------------------------------------------------------------------------------------


@pytest.mark.http
def test_one_clients_jobs_are_none_of_another(keyed: HttpService) -> None:
    one, two = keyed.key("one"), keyed.key("two")
    assert create(keyed, "shared-name", key=one, input="Ann: This is mine.").status == 201
    assert create(keyed, "shared-name", key=two, input="Ann: This is mine as well.").status == 201
    own = create(keyed, "only-mine", key=one, input=script(2)).json
    finished(keyed, "only-mine", **bearer(one))
    finished(keyed, "shared-name", **bearer(two))
    foreign = bearer(two)
    for part in ("", "/content", "/segments", "/events", "/report", "/words", "/segments/0/audio"):
        answer = get(keyed, "only-mine", part, **foreign)
        assert (answer.status, answer.error["code"]) == (404, "not_found"), part
    posts: dict[str, Any] = {
        "/cancel": {},
        "/retry": {},
        "/diff": {"input": "Ann: x."},
        "/segments/0/takes": {},
        "/segments/0/pick": {"take": 0},
    }
    for part, body in posts.items():
        assert keyed.ask("POST", f"{PATH}/only-mine{part}", body, **foreign).status == 404, part
    assert keyed.ask("DELETE", f"{PATH}/only-mine", **foreign).status == 404
    assert create(keyed, "thief", key=two, base_job="only-mine").status == 404
    listed = keyed.ask("GET", PATH, **foreign).json["data"]
    assert [each["id"] for each in listed] == ["shared-name"]
    assert keyed.ask("GET", PATH).status == 401
    assert own["id"] == "only-mine"


@pytest.mark.http
def test_takes_by_hand_are_those_of_the_job_alone(keyed: HttpService) -> None:
    """Two clients share a segment in the store, and not the takes that one of them asked for."""
    keys = [keyed.key(name) for name in ("three", "four")]
    for key in keys:
        create(keyed, "same", key=key, input="Ann: The same words for everyone.")
        finished(keyed, "same", **bearer(key))
    made = keyed.ask("POST", f"{PATH}/same/segments/0/takes", {}, **bearer(keys[0]))
    assert made.status == 200, made.body
    take = made.json["take"]
    takes = [get(keyed, "same", "/segments/0/takes", **bearer(key)).json["data"] for key in keys]
    assert [[each["take"] for each in found] for found in takes] == [[0, take], [0]]
    assert get(keyed, "same", f"/segments/0/audio?take={take}", **bearer(keys[1])).status == 404
    pick = keyed.ask("POST", f"{PATH}/same/segments/0/pick", {"take": take}, **bearer(keys[1]))
    assert pick.status == 404
    picked = keyed.ask("POST", f"{PATH}/same/segments/0/pick", {"take": take}, **bearer(keys[0]))
    assert picked.status == 200
    assert get(keyed, "same", **bearer(keys[1])).json["revision"] == 0


@pytest.mark.http
def test_jobs_at_once_are_counted(keyed: HttpService) -> None:
    key = keyed.key("five", "--jobs-at-once", "1")
    assert create(keyed, "long", key=key, input=script(200, word="long")).status == 201
    second = create(keyed, "second", key=key, input="Ann: Me, too.")
    assert (second.status, second.error["code"]) == (429, "jobs_at_once")
    assert "retry-after" in second.headers
    assert get(keyed, "second", **bearer(key)).status == 404
    assert create(keyed, "long", key=key, input=script(200, word="long")).status == 200, "it is the same"
    keyed.ask("POST", f"{PATH}/long/cancel", **bearer(key))
    finished(keyed, "long", **bearer(key))
    until(lambda: create(keyed, "second", key=key, input="Ann: Me, too.").status == 201, timeout_s=20)


@pytest.mark.http
def test_takes_are_counted(keyed: HttpService) -> None:
    text = "These words are counted twice."
    key = keyed.key("six", "--characters-per-day", str(2 * len(text)))
    create(keyed, "counted", key=key, input=f"Ann: {text}"[5:], voice="alloy")
    finished(keyed, "counted", **bearer(key))
    takes = [keyed.ask("POST", f"{PATH}/counted/segments/0/takes", {}, **bearer(key)) for _ in range(2)]
    assert [each.status for each in takes] == [200, 429]
    assert takes[1].error["code"] == "characters_per_day"


def test_no_words_reach_the_logs(service: HttpService, job: dict[str, Any]) -> None:
    logs = "".join(path.read_text() for path in (service.settings.state / "logs").iterdir())
    assert SECRET_WORD not in logs


# -- uploads -----------------------------------------------------------------------------------------------


def upload(service: HttpService, data: bytes, request: Any = None) -> Answer:
    return uploads.upload(service, f"{PATH}/upload", data, request)


@pytest.mark.http
def test_an_uploaded_script_in_any_encoding_is_a_job(service: HttpService) -> None:
    data = "Ann: C’est déjà l’été.\nBo: Quite.".encode("windows-1252")
    request = {"id": "encoded", "options": {"encoding": "windows-1252"}}
    assert upload(service, data, request).status == 201
    assert upload(service, data, request).status == 200
    assert upload(service, data + b"!", request).status == 409
    assert finished(service, "encoded")["status"] == "completed"
    assert get(service, "encoded", "/segments/0").json["lines"][0]["text"].startswith("C'est déjà")


@pytest.mark.http
def test_an_uploaded_book_has_chapters(service: HttpService) -> None:
    chapters = [("One", "The boat left at noon."), ("Two", "It came back at night.")]
    page = "".join(f"<h1>{title}</h1><p>{text}</p>" for title, text in chapters)
    html = f"<!DOCTYPE html><html lang='en'><head><title>The boat</title></head><body>{page}</body></html>"
    made = upload(service, html.encode(), {"id": "book", "response_format": "m4b"})
    assert made.status == 201, made.body
    view = finished(service, "book")
    assert view["status"] == "completed", view
    assert [each["title"] for each in get(service, "book", "/chapters").json] == ["One", "Two"]
    assert get(service, "book", "/content").headers["content-type"] == "audio/mp4"


@pytest.mark.parametrize(
    ("data", "request_", "param"),
    [
        (b"", {}, "file"),
        (b"Ann: Hi.", {"nope": 1}, "nope"),
        (b"Ann: Hi.", {"id": "/"}, "id"),
        (b"PK\x03\x04 no archive", {}, "input"),
        (b"\xff\xfe\x00\xd8", {}, "input"),
    ],
)
@pytest.mark.http
def test_bad_uploads_are_refused(service: HttpService, data: bytes, request_: Any, param: str) -> None:
    answer = upload(service, data, request_)
    assert (answer.status, answer.error["param"]) == (400, param), answer.body


# -- foreign input -----------------------------------------------------------------------------------------


@pytest.mark.http
@pytest.mark.parametrize("name", ["namespace", "webhook", "base_job"])
def test_speech_refuses_the_options_of_the_service(service: HttpService, name: str) -> None:
    answer = service.speak("Hello.", options={name: "x"})
    assert answer.status == 400
    assert name in answer.error["message"]


@pytest.mark.http
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "", b'{"input": "Ann: Hi.", "title": "\\ud800"}'),
        ("POST", "", b'{"input": "Ann: Hi.", "metadata": {"\\ud800": "x"}}'),
        ("POST", "", b'{"input": []}'),
        ("POST", "", b"[" * 5000),
        ("POST", "", b"\xff\xfe"),
        ("GET", "/%00", None),
        ("GET", "/..%2f..%2fetc", None),
        ("GET", "/" + "a" * 150, None),
        ("GET", "/a-book/segments/" + "9" * 40, None),
        ("GET", "/a-book/segments/0/audio?take=" + "9" * 40, None),
        ("GET", "/a-book/content?revision=-1", None),
        ("POST", "/a-book/segments/0/pick", b'{"take": ' + b"9" * 40 + b"}"),
        ("POST", "/a-book/segments/0/takes", b'{"seed": ' + b"9" * 40 + b"}"),
        ("POST", "/a-book/retry", b'{"segment": ' + b"9" * 40 + b"}"),
    ],
)
def test_foreign_input_is_refused_and_never_an_error_of_the_service(
    service: HttpService, job: dict[str, Any], method: str, path: str, body: bytes | None
) -> None:
    answer = service.ask(method, PATH + path, body)
    assert answer.status in (400, 404, 409), answer.body
    assert answer.error["message"]


@pytest.mark.http
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"input": "Ann: \\ud800"}', "U+D800"),
        (b'{"input": "Ann: Hi.", "options": {"\\ud800": 1}}', "unknown option"),
        (b'{"input": "Ann: Hi.", "title": "a\\u0000b"}', "control characters"),
    ],
)
def test_what_only_the_task_can_refuse_fails_the_job(service: HttpService, body: bytes, reason: str) -> None:
    made = service.ask("POST", PATH, body)
    assert made.status == 201, made.body
    view = finished(service, made.json["id"])
    assert view["status"] == "failed"
    assert reason in view["error"]["message"]
