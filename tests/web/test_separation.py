"""Segments of clients, shared and separated."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from bench.harness.http_service import Answer, HttpService, bearer, beside
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store

JOBS = "/v1/audio/jobs"
TEXT = "Ann: The lighthouse keeper kept a secret that nobody else may learn of."
pytestmark = pytest.mark.http


@pytest.fixture(scope="module")
def separate(service_with_keys: HttpService) -> Iterator[HttpService]:
    """A server on the same store that separates its clients."""
    with beside(service_with_keys, http_shared_segments=False) as running:
        yield running


def made(service: HttpService, key: str, text: str) -> int:
    """Number of segments of a text that are made already, as a client sees it."""
    found = service.ask("POST", "/v1/audio/check", {"input": text}, **bearer(key))
    assert found.status == 200, found.body
    count: int = found.json["segments_made"]
    return count


def rendered(service: HttpService, key: str, text: str) -> Answer:
    """File of a completed job."""
    fields: dict[str, Any] = {"input": text, "response_format": "wav"}
    job = service.ask("POST", JOBS, fields, **bearer(key)).json["id"]
    content = partial(service.ask, "GET", f"{JOBS}/{job}/content", **bearer(key))
    until(lambda: content().status == 200, timeout_s=60, every_s=0.2)
    return content()


def test_clients_share_segments_by_default(keyed: HttpService) -> None:
    ann, ben = keyed.key("ann"), keyed.key("ben")
    text = f"{TEXT} They share it."
    rendered(keyed, ann, text)
    assert made(keyed, ben, text) == made(keyed, ann, text) == 1


def test_separated_clients_learn_nothing_of_each_other(keyed: HttpService, separate: HttpService) -> None:
    ann, ben = keyed.key("ann"), keyed.key("ben")
    first = rendered(separate, ann, TEXT)
    assert (made(separate, ann, TEXT), made(separate, ben, TEXT)) == (1, 0)
    assert made(keyed, ben, TEXT) == 0, "nor does a server that shares find them"
    second = rendered(separate, ben, TEXT)
    assert first.body == second.body, "segments sound the same, whoever owns them"


def test_separated_speech_is_made_for_each_client(keyed: HttpService, separate: HttpService) -> None:
    ann, ben = keyed.key("ann"), keyed.key("ben")
    spoken = [separate.speak(TEXT, key=key, response_format="pcm") for key in (ann, ben, ann)]
    assert [each.status for each in spoken] == [200] * 3
    assert len({each.body for each in spoken}) == 1
    tasks = [each.headers["x-request-id"] for each in spoken]
    jobs = [Jobs(Store(separate.settings.store_url)).intake.job_of(task) for task in tasks]
    assert jobs[0] == jobs[2] != jobs[1]


@pytest.mark.parametrize("path", ["/v1/audio/speech", JOBS])
def test_a_client_does_not_choose_the_owner(separate: HttpService, keyed: HttpService, path: str) -> None:
    key = keyed.key("thief")
    fields = {"input": TEXT, "options": {"segment_owner": "a" * 32}}
    refused = separate.ask("POST", path, fields, **bearer(key))
    assert (refused.status, refused.error["param"]) == (400, "segment_owner")
