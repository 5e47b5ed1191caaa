"""Attacks on the HTTP service, each by its name.

Those by headers, bodies and keys are in `test_guard` and `test_access`, on the page in `test_page_browser`.
"""

import json
from functools import partial
from typing import Any

import pytest

from bench.harness.http_service import Answer, HttpService, bearer
from bench.harness.waiting import until
from tests.web.multipart import form

JOBS = "/v1/audio/jobs"
CODE = "<img src=x onerror=alert(1)>"
PASSWORDS = "root:"
pytestmark = pytest.mark.http


def completed(service: HttpService, key: str, **fields: Any) -> str:
    """ID of a job that is completed."""
    made = service.ask("POST", JOBS, fields, **bearer(key))
    assert made.status == 201, made.body
    job = str(made.json["id"])
    view = partial(service.ask, "GET", f"{JOBS}/{job}", **bearer(key))
    until(lambda: view().json["status"] == "completed", timeout_s=60, every_s=0.2)
    return job


@pytest.mark.parametrize(
    "escape",
    ["../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%5c..%5cetc"],
)
@pytest.mark.parametrize(
    "path",
    [
        "/page/{}",
        "/v1/models/{}",
        "/v1/audio/voices/{}",
        "/v1/audio/books/{}",
        JOBS + "/{}",
        JOBS + "/{}/content",
        JOBS + "/{}/report",
    ],
)
def test_traversal_by_paths(keyed: HttpService, traveller: str, path: str, escape: str) -> None:
    for method in ("GET", "DELETE"):
        refused = keyed.ask(method, path.format(escape), **bearer(traveller))
        assert refused.status in (404, 405), refused.body
        assert PASSWORDS not in refused.body.decode(errors="replace")


@pytest.fixture(scope="module")
def traveller(service_with_keys: HttpService) -> str:
    """Key of a client of this module."""
    return service_with_keys.key("traveller")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"id": "../../jobs/x"}, 400),
        ({"model": "/etc/passwd"}, 400),
        ({"base_job": "../x"}, 404),
        ({"book": "../../x"}, 404),
        ({"form": "../prose"}, 201),
        ({"voices": {"Ann": "../../names/x"}}, 201),
    ],
)
def test_traversal_by_fields(keyed: HttpService, traveller: str, fields: dict[str, str], status: int) -> None:
    given = fields if "book" in fields else {"input": "Ann: Hello.", **fields}
    answer = keyed.ask("POST", JOBS, given, **bearer(traveller))
    assert answer.status == status, answer.body
    if status == 201:  # the task refuses it
        view = partial(keyed.ask, "GET", f"{JOBS}/{answer.json['id']}", **bearer(traveller))
        until(lambda: view().json["status"] == "failed", every_s=0.2)


def test_traversal_by_the_name_of_an_uploaded_file(keyed: HttpService, traveller: str) -> None:
    body, kind = form(
        request=json.dumps({"voice": "alloy"}), file=("../../../../tmp/stolen.txt", b"Hello there.")
    )
    made = keyed.ask("POST", f"{JOBS}/upload", body, **bearer(traveller), Content_Type=kind)
    assert made.status == 201, made.body
    content = partial(keyed.ask, "GET", f"{JOBS}/{made.json['id']}/content", **bearer(traveller))
    until(lambda: content().status == 200, timeout_s=60, every_s=0.2)
    assert content().headers["content-disposition"] == f'attachment; filename="{made.json["id"]}.mp3"'
    names = [path for path in keyed.settings.state.rglob("*") if "stolen" in path.name]
    assert names == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:6379/",
        "file:///etc/passwd",
        "gopher://x/",
    ],
)
def test_ssrf_by_webhooks_and_models(keyed: HttpService, traveller: str, url: str) -> None:
    webhook = keyed.ask("POST", JOBS, {"input": "Ann: Hello.", "webhook": url}, **bearer(traveller))
    assert (webhook.status, webhook.error["param"]) == (400, "webhook")
    model = keyed.ask("POST", JOBS, {"input": "Ann: Hello.", "model": url}, **bearer(traveller))
    assert (model.status, model.error["param"]) == (400, "model")
    voice = keyed.ask("POST", JOBS, {"input": "Ann: Hello.", "voices": {"Ann": url}}, **bearer(traveller))
    view = partial(keyed.ask, "GET", f"{JOBS}/{voice.json['id']}", **bearer(traveller))
    until(lambda: view().json["status"] == "failed", every_s=0.2)


def test_xss_through_names_titles_and_metadata(keyed: HttpService, traveller: str) -> None:
    turns = [
        {"speaker": CODE, "text": "Hello <script>alert(1)</script> there."},
        {"speaker": "Ben", "text": "Yes."},
    ]
    job = completed(keyed, traveller, input=turns, title=CODE, metadata={CODE: CODE})

    def get(path: str) -> Answer:
        return keyed.ask("GET", path, **bearer(traveller))

    report = get(f"{JOBS}/{job}/report")
    assert report.headers["content-type"].startswith("text/html")
    assert "script-src" not in report.headers["content-security-policy"]
    assert report.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"<img src=x" not in report.body
    assert b"<script>alert" not in report.body
    for part in (
        "",
        "/segments",
        "/script",
        "/subtitles?format=vtt",
        "/words",
        "/turns",
        "/manifest",
        "/content",
    ):
        shown = get(f"{JOBS}/{job}{part}")
        assert_never_a_page(shown)
    assert_never_a_page(get(f"{JOBS}?search={'%3Cscript%3E'}"))
    assert_never_a_page(get(f"/v1/models/{'%3Cscript%3Ealert(1)%3C/script%3E'}"))


def assert_never_a_page(answer: Answer) -> None:
    """Assert that no browser takes an answer for HTML, or runs a script in it."""
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind not in ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_cache_poisoning_by_an_id(keyed: HttpService) -> None:
    """A job with the ID of another client's, or of an earlier job, never answers in its place."""
    victim, thief = keyed.key("victim"), keyed.key("thief")
    own = completed(keyed, victim, id="episode-1", input="Ann: The true words.", response_format="wav")
    forged = completed(
        keyed, thief, id="episode-1", input="Ann: Quite different words.", response_format="wav"
    )
    assert own == forged == "episode-1"
    mine, other = (keyed.ask("GET", f"{JOBS}/episode-1/content", **bearer(key)) for key in (victim, thief))
    assert mine.body != other.body
    assert mine.headers["etag"] != other.headers["etag"]
    assert mine.headers["cache-control"] == "no-store"
    tag = mine.headers["etag"]
    stolen = keyed.ask("GET", f"{JOBS}/episode-1/content", **bearer(thief), If_None_Match=tag)
    assert (stolen.status, stolen.body) == (200, other.body)
    again = keyed.ask("POST", JOBS, {"id": "episode-1", "input": "Ann: Forged."}, **bearer(victim))
    assert (again.status, again.error["code"]) == (409, "id_in_use")
    assert keyed.ask("GET", f"{JOBS}/episode-1/content", **bearer(victim)).body == mine.body


def test_cache_poisoning_by_headers(keyed: HttpService, traveller: str) -> None:
    headers = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https", "X_Original_URL": "/health"}
    made = keyed.ask("POST", JOBS, {"input": "Ann: Hello."}, **bearer(traveller), **headers)
    assert made.status == 201
    assert made.headers["location"] == f"{JOBS}/{made.json['id']}"
    assert b"evil.example" not in made.body
