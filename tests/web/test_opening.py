"""Tests of the opening of long texts, which is rendered ahead."""

import json
import select
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

import pytest

from bench.harness.http_service import HttpService, beside
from bench.harness.prose import turns
from bench.harness.services import valkey
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import segments_of
from pipeline.planning.opening import opening
from pipeline.planning.records import PlannedSegment
from pipeline.store.artifacts import Store
from tasks.broker.queues import INTAKE
from tasks.broker.transport import counts
from tasks.make_app import make_app
from tasks.render import request_of
from tasks.settings import Settings

ADDRESS = "Dr. Smith of St. James paid $3.50 at 3 p.m. and left."


def prose(seed: int, sentences_per_paragraph: int) -> str:
    """Text that is long enough to have an opening."""
    parts = [part for _, (_, part) in zip(range(200), turns(seed, 2), strict=False)]
    step = sentences_per_paragraph
    return "\n\n".join(" ".join(parts[start : start + step]) for start in range(0, len(parts), step))


TEXTS = {
    **{f"prose {seed}": prose(seed, 1 + seed % 5) for seed in range(8)},
    "heading": f"# The mill\n\n{prose(20, 3)}",
    "short paragraphs": f"Yes.\n\nNo. Why not?\n\nOh, well. I see.\n\n{prose(21, 2)}",
    "abbreviations": f"{ADDRESS} {prose(22, 200)}",
    "one long sentence": f"{ADDRESS[:-1]}, {' and then '.join(['he walked on'] * 60)}. {prose(23, 3)}",
}


First = Callable[[str, int], PlannedSegment]


@pytest.fixture(scope="module")
def first_segment(tmp_path_factory: pytest.TempPathFactory) -> First:
    """First segment of a text, as a worker plans it."""
    resources = make_app(Settings(state=tmp_path_factory.mktemp("opening")), "memory://").resources

    def planned(text: str, words: int) -> PlannedSegment:
        options = {"symbols": "omit", "form": "markdown", "first_segment_words": words}
        request, profile = request_of(resources, text, {"Narrator": "wren"}, options, set())
        return segments_of(request, profile)[0]

    return planned


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("words", [4, 10, 40])
def test_the_first_segment_is_that_of_the_whole_text(first_segment: First, name: str, words: int) -> None:
    text = TEXTS[name]
    start = opening(text, words)
    assert start is not None
    assert len(start) < 1500
    assert first_segment(start, words) == first_segment(text, words)


@pytest.mark.http
def test_a_long_text_begins_with_the_take_of_its_opening(service: HttpService) -> None:
    text = prose(40, 4)
    start = opening(text, 10)
    assert start is not None
    whole = service.speak(text, response_format="pcm")
    assert whole.status == 200
    jobs = Jobs(Store(service.settings.store_url))
    plan = jobs.plans.need(jobs.intake.job_of(whole.headers["x-request-id"]) or "")
    key = jobs.plans.segment(plan.job, 0).key
    others = [job for job in jobs.plans.ids() if job != plan.job]
    shared = [job for job in others if jobs.plans.segment(job, 0).key == key]
    assert len(shared) == 1, "the opening is a job whose first segment is that of the text"
    until(lambda: jobs.outcomes.manifest(shared[0]) is not None)


@pytest.mark.http
def test_a_long_text_is_one_request_in_the_intake_queue(service: HttpService) -> None:
    """Requests are counted, however long their texts are; one more than the bound is refused."""
    with (
        valkey() as url,  # without workers
        beside(service, broker_url=url, http_queue_max=2) as server,
        beside(service, broker_url=url, http_queue_max=2) as another,
        make_app(service.settings, url) as app,
        ExitStack() as stack,
    ):

        def waiting() -> int:
            with app.connection_for_read() as connection:
                return sum(counts(connection, INTAKE).values())

        def has(number: int) -> bool:
            return waiting() >= number

        admitted = []
        for number in (1, 2):
            connection = stack.enter_context(closing(server.connection()))
            body = {"input": prose(50 + number, 4), "voice": "alloy"}
            connection.request("POST", "/v1/audio/speech", json.dumps(body), server.base)
            until(partial(has, number))
            admitted.append(connection.sock)
        refused = another.speak("It counts anew.")
        assert (refused.status, refused.error["code"]) == (429, "busy")
        assert waiting() == 2
        assert select.select(admitted, [], [], 0)[0] == [], "they wait for a worker, and are not refused"
