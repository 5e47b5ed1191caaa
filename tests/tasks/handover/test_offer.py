"""Tests of which finished jobs are put into the outbox of books."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.harness.services import valkey
from pipeline.books.reader import read
from pipeline.jobs.jobs import Jobs
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from tasks.handover.receivers import offer
from tasks.make_app import make_app
from tasks.message_headers import OPENING
from tasks.metering.outcome import Replaced
from tasks.settings import Settings
from tests.books import samples
from tests.books.rendering import made


def test_only_what_the_setting_names_is_offered(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    manifest, _ = made(jobs, parse("Anna: Hello."), format="opus")
    plan = jobs.plans.need(manifest["job"])
    for wanted, offered in (("", 0), ("books", 0), ("all", 1)):
        offer(jobs, plan, manifest, Settings(handover=wanted, library="x"))
        assert len(list(jobs.store.objects.names("handover"))) == offered
    gaps = {**manifest, "state": "gaps", "revision": 1}
    offer(jobs, plan, gaps, Settings(handover="all", library="x"))
    assert len(list(jobs.store.objects.names("handover"))) == 1


@pytest.mark.parametrize(("title", "offered"), [(None, 0), ("The mill", 1)])
def test_a_script_with_chapters_is_a_book_if_it_has_a_title(
    tmp_path: Path, title: str | None, offered: int
) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    named = {} if title is None else {"title": title}
    manifest, _ = made(jobs, parse("# The mill\n\nAnna: It rained."), format="opus", **named)
    plan = jobs.plans.need(manifest["job"])
    offer(jobs, plan, manifest, Settings(handover="books", library="x"))
    assert len(list(jobs.store.objects.names("handover"))) == offered


def test_the_opening_of_a_streamed_text_is_not_offered(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, metering=False, handover="all", library=str(tmp_path))
    text = "# The mill\n\n" + "It rained on the roofs of the town that day. " * 100
    options = {"form": "markdown", "format": "opus", "first_segment_words": 10}
    with valkey() as broker, make_app(settings, broker) as app:
        task, jobs = app.tasks["voxchord.render"], app.resources.jobs
        task.push_request(id="whole", **{OPENING: "ahead"})
        with pytest.raises(Replaced):
            task.run(script=text, options=options)
        task.pop_request()
        for root, offered in (("ahead", 0), ("whole", 1)):
            plan = jobs.plans.need(str(jobs.intake.job_of(root)))
            offer(jobs, plan, {"state": "done", "file_format": "opus", "revision": 0}, settings)
            assert len(list(jobs.store.objects.names("handover"))) == offered


@pytest.mark.parametrize(("redelivered", "offered"), [(False, 0), (True, 1)])
def test_a_pick_whose_process_died_before_it_offered_the_file_does_so(
    tmp_path: Path, redelivered: bool, offered: int
) -> None:
    silent = Settings(state=tmp_path, metering=False)
    with valkey() as broker:
        with make_app(silent, broker) as app:
            jobs = app.resources.jobs
            manifest, _ = made(jobs, read(samples.epub(3)), format="opus")
            picked = app.tasks["voxchord.pick"].run(manifest["job"], 0, 0)
        with make_app(replace(silent, handover="books", library=str(tmp_path)), broker) as app:
            task = app.tasks["voxchord.pick"]
            task.push_request(id="pick", delivery_info={"redelivered": redelivered})
            assert task.run(manifest["job"], 0, 0) == picked
            task.pop_request()
    assert len(list(jobs.store.objects.names("handover"))) == offered
