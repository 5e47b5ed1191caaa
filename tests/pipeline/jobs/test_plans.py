"""Tests of a job's plan: the order in which it is written, its pages, damage and repair."""

from pathlib import Path

import pytest

from bench.harness.silence import Silence
from pipeline.errors import MissingArtifactError, OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import PAGE, checked_id, is_id
from pipeline.planning.request import Request, checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

SEGMENTS = PAGE + 2
SCRIPT = "\n".join(f"Anna: Sentence number {n} of the whole script." for n in range(SEGMENTS))


class Observed(Store):
    """Store that notes, before each write, which jobs another process sees open and which of them planned."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.other = Jobs(Store(url))
        self.opened: list[list[str]] = []
        self.planned: list[list[str]] = []

    def put(self, name: str, payload: bytes) -> bool:
        self.list_plans()
        return super().put(name, payload)

    def list_plans(self) -> None:
        plans = list(self.other.plans.open_jobs())
        assert all(len(list(self.other.plans.segments(plan))) == SEGMENTS for plan in plans)
        self.opened.append(self.other.coordination.opened())
        self.planned.append([plan.job for plan in plans])


def request(store: Store) -> Request:
    options, rest = split_options({}, engine="silence")
    script = parse(SCRIPT, characters_max=100_000)
    return checked(script, {}, options, rest, engine=Silence(), registered=Voices(store))


def test_a_job_is_open_before_it_is_planned_and_listed_once_it_is(tmp_path: Path) -> None:
    store = Observed(str(tmp_path))
    plan = Jobs(store).plans.create(request(store), Silence.profile)
    store.list_plans()
    assert (store.opened[0], store.opened[-1]) == ([], [plan.job])
    assert (store.planned[0], store.planned[-1]) == ([], [plan.job])
    between = [
        opened for opened, planned in zip(store.opened, store.planned, strict=True) if opened != planned
    ]
    assert between
    assert all(opened == [plan.job] for opened in between), "no plan lies there that no reconciler sees"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    """A store with one job of two pages, which no test changes."""
    jobs = Jobs(Store(str(tmp_path_factory.mktemp("planned"))))
    jobs.plans.create(request(jobs.store), Silence.profile)
    return jobs


def names(jobs: Jobs, *endings: str) -> list[str]:
    (job,) = jobs.plans.ids()
    return [f"jobs/{job}/{ending}" for ending in endings]


def reopened(store: Store) -> Jobs:
    """The same store under another name, of which this process has cached nothing."""
    return Jobs(Store(f"{store.url}/../{Path(store.url).name}"))


def test_segments_are_numbered_across_pages(planned: Jobs) -> None:
    (job,) = planned.plans.ids()
    plan = planned.plans.need(job)
    segments = list(planned.plans.segments(plan))
    assert [segment.index for segment in segments] == list(range(SEGMENTS))
    assert planned.plans.segment(job, PAGE) == segments[PAGE]
    assert len({segment.key for segment in segments}) == SEGMENTS
    assert planned.store.objects.size(f"jobs/{job}/plan.00002") is None


def test_a_stored_plan_is_read_as_it_was_made(planned: Jobs) -> None:
    (job,) = planned.plans.ids()
    again = reopened(planned.store)
    assert again.plans.need(job) == planned.plans.need(job)
    assert again.plans.segment(job, 0) == planned.plans.segment(job, 0)


def test_the_second_creation_adopts_the_first(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    first = jobs.plans.create(request(jobs.store), Silence.profile)
    second = reopened(jobs.store).plans.create(request(jobs.store), Silence.profile)
    assert second == first, "its time of creation too"


@pytest.mark.parametrize("ending", ["plan", "plan.00001"])
def test_a_damaged_record_is_read_from_its_copy_and_repaired(tmp_path: Path, ending: str) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    plan = jobs.plans.create(request(jobs.store), Silence.profile)
    expected = list(jobs.plans.segments(plan))
    (name,) = names(jobs, ending)
    jobs.store.objects.replace(name, b"half of a rec")
    again = reopened(jobs.store)
    assert again.plans.need(plan.job) == plan
    assert list(again.plans.segments(plan)) == expected
    for each in (name, f"{name}~"):
        jobs.store.objects.replace(each, b"half of a rec")
    jobs.plans.create(request(jobs.store), Silence.profile)  # it has cached the plan and its pages
    assert list(reopened(again.store).plans.segments(plan)) == expected
    assert jobs.store.has(name)


def test_a_page_without_a_whole_copy_is_missing_by_name(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    plan = jobs.plans.create(request(jobs.store), Silence.profile)
    (name,) = names(jobs, "plan.00001")
    for each in (name, f"{name}~"):
        jobs.store.objects.replace(each, b"half of a page")
    again = reopened(jobs.store).plans
    assert again.segment(plan.job, PAGE - 1).index == PAGE - 1
    with pytest.raises(MissingArtifactError, match=name):
        again.segment(plan.job, PAGE)


def test_a_collected_plan_is_made_again(tmp_path: Path) -> None:
    """A process that has cached the plan does not rely on what the garbage collector removed."""
    jobs = Jobs(Store(str(tmp_path)))
    plan = jobs.plans.create(request(jobs.store), Silence.profile)
    for name in names(jobs, "plan", "plan~", "plan.00000", "plan.00000~", "plan.00001", "plan.00001~"):
        jobs.store.objects.delete(name)
    again = jobs.plans.create(request(jobs.store), Silence.profile)
    assert again.job == plan.job
    assert len(list(reopened(jobs.store).plans.segments(again))) == SEGMENTS


def test_an_unknown_job_has_no_plan(planned: Jobs) -> None:
    assert planned.plans.get("f" * 20) is None
    with pytest.raises(MissingArtifactError, match="jobs/ffffffffffffffffffff/plan"):
        planned.plans.need("f" * 20)


@pytest.mark.parametrize("job", ["", "f" * 19, "F" * 20, "../" + "f" * 17, None, 7])
def test_other_texts_are_no_job_ids(job: object) -> None:
    assert not is_id(job)
    with pytest.raises(OptionError, match="20 hexadecimal digits"):
        checked_id(job)
