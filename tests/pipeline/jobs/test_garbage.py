"""Tests of the garbage collector, in every kind of store."""

import time
from pathlib import Path

import numpy as np
import pytest

from bench.harness.recordings import recording
from bench.harness.silence import Silence
from pipeline.errors import StoreError
from pipeline.jobs.artifacts import put_audio, stage_name
from pipeline.jobs.garbage import collect
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import Outbox
from pipeline.jobs.plans import Plan, _page, _plans
from pipeline.planning.records import SegmentAudio
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.store.local import SCRATCH
from pipeline.voices.library import Voices

AGELESS = -60.0
"""Age below that of all artifacts."""


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store)


def planned(jobs: Jobs, script: str) -> Plan:
    """Plan a job of one finished segment."""
    engine = Silence()
    options, rest = split_options({}, engine="silence")
    request = checked(
        parse(script, characters_max=1000), {}, options, rest, engine=engine, registered=Voices(jobs.store)
    )
    plan = jobs.plans.create(request, engine.profile)
    for segment in jobs.plans.segments(plan):
        put_audio(jobs.store, segment.key, np.zeros(8, np.float32), SegmentAudio(8_000, 8, ()))
    return plan


def names(jobs: Jobs) -> set[str]:
    return {name for name, _, _ in jobs.store.objects.names() if not name.startswith(".")}


def test_old_artifacts_are_removed_and_those_of_open_jobs_stay(jobs: Jobs) -> None:
    open_plan, ended = planned(jobs, "Anna: It goes on."), planned(jobs, "Bela: It has ended.")
    Voices(jobs.store).add("bela", recording())
    jobs.outcomes.give_up(ended.job, RuntimeError("over"))  # type: ignore[arg-type]  # any error will do
    jobs.coordination.close(ended.job)
    before = names(jobs)
    (gone,) = (stage_name(segment.key, "audio") for segment in jobs.plans.segments(ended))
    (retained,) = (stage_name(segment.key, "audio") for segment in jobs.plans.segments(open_plan))

    assert collect(jobs, older_than_s=3600).removed == 0, "all of it is young"
    assert collect(jobs, older_than_s=AGELESS, dry_run=True).removed > 0
    assert names(jobs) == before

    swept = collect(jobs, older_than_s=AGELESS)
    left = names(jobs)
    assert swept.removed == len(before) - len(left)
    assert swept.left_bytes == sum(size for _, _, size in jobs.store.objects.names())
    assert (gone in left, retained in left) == (False, True)
    assert not any(name.startswith(f"jobs/{ended.job}/") for name in left)
    assert {
        name for name in before if name.startswith((f"jobs/{open_plan.job}/", "voices/", "open/"))
    } <= left
    if jobs.store.local:
        for path in Path(jobs.store.url).rglob("*"):
            assert path.name == SCRATCH or not path.is_dir() or any(path.iterdir()), f"{path} is empty"


def test_open_jobs_with_damaged_plans_stop_the_collection(jobs: Jobs) -> None:
    job = planned(jobs, "Anna: It goes on.").job
    for copy in ("plan", "plan~"):
        jobs.store.objects.replace(f"jobs/{job}/{copy}", b"damaged")
    before = names(jobs)
    _plans.clear()  # as in the process that collects, which has read none
    with pytest.raises(StoreError, match=job):
        collect(Jobs(jobs.store), older_than_s=AGELESS)
    assert names(jobs) == before


def test_open_jobs_with_damaged_pages_stop_the_collection(jobs: Jobs) -> None:
    job = planned(jobs, "Anna: Nor does this end.").job
    for copy in ("plan.00000", "plan.00000~"):
        jobs.store.objects.replace(f"jobs/{job}/{copy}", b"damaged")
    before = names(jobs)
    _page.cache_clear()
    with pytest.raises(StoreError, match=job):
        collect(jobs, older_than_s=AGELESS)
    assert names(jobs) == before


def test_jobs_restarted_during_collection_keep_their_plan(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(jobs, "Anna: It was over, and is not.")
    jobs.outcomes.give_up(plan.job, RuntimeError("over"))  # type: ignore[arg-type]  # any error will do
    jobs.coordination.close(plan.job)
    listed = jobs.store.objects.names

    def names_and_reopen(prefix: str = "") -> list[tuple[str, float, int]]:
        found = list(listed(prefix))
        if not prefix:  # what is in use is known by now
            jobs.coordination.reopen(plan.job)
        return found

    monkeypatch.setattr(jobs.store.objects, "names", names_and_reopen)
    collect(jobs, older_than_s=AGELESS)
    assert {f"jobs/{plan.job}/plan", f"jobs/{plan.job}/plan.00000"} <= {name for name, _, _ in listed()}


def test_oldest_artifacts_are_removed_first_by_size(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        jobs.store.put(f"segments/00/{number}/audio", bytes(1000))
    assert collect(jobs, older_than_s=86_400, keep_bytes=2500).removed == 0
    later = time.time() + 2 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    swept = collect(jobs, older_than_s=86_400, keep_bytes=2500)
    assert swept.left_bytes <= 2500
    assert swept.removed == 2
    assert len(names(jobs)) == 2


def test_hashes_of_delivered_files_stay_and_old_requests_go(jobs: Jobs) -> None:
    jobs.store.overwrite("delivered/a", b"hash")
    jobs.store.overwrite("handover/a", b"a book that is to be handed over")
    jobs.intake.accept("task", "0" * 20)
    jobs.intake.refuse("another", StoreError("x"))
    collect(jobs, older_than_s=AGELESS, keep_bytes=0)
    assert names(jobs) == {"delivered/a", "handover/a"}


@pytest.mark.parametrize("folder", ["outbox", "handover"])
def test_what_is_to_be_sent_and_what_is_being_sent_stays(store: Store, folder: str) -> None:
    outbox = Outbox(store, folder)
    outbox.put("4f2a", 1, "done", {"revision": 1})
    (notice,) = outbox.due()
    assert outbox.begin(notice)
    collect(Jobs(store), older_than_s=AGELESS)
    assert names(Jobs(store)) == {f"{folder}/{notice.id}", f"{folder}-sending/{notice.id}"}
