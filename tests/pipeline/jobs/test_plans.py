"""Tests of the order in which a job's plan is written."""

from pathlib import Path

from bench.harness.silence import Silence
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import PAGE
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
