"""Tests of the opening of long texts, which is rendered ahead."""

from collections.abc import Callable

import pytest

from bench.harness.http_service import HttpService
from bench.harness.prose import turns
from bench.harness.waiting import until
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import segments_of
from pipeline.planning.records import PlannedSegment
from pipeline.store.artifacts import Store
from tasks.make_app import make_app
from tasks.render import request_of
from tasks.settings import Settings
from web.speech.opening import LONG, opening

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


@pytest.mark.parametrize("text", ["Short. " * 20, "no end of a sentence " * LONG, "", "\n\n" * LONG])
def test_some_texts_have_no_opening(text: str) -> None:
    assert opening(text, 10) is None


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
