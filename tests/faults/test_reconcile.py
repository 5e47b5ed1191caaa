"""The reconciler resumes each job by itself."""

import json

from bench.harness.fleet import Fleet
from bench.harness.waiting import until
from pipeline.canonical_json import canonical_json
from tasks.broker import counters
from tests.faults.fleet_jobs import LIMIT_S, done
from tests.faults.scripts import script


def broken(fleet: Fleet, name: str) -> str:
    """A job whose waiter cannot be read, so that the reconciler fails at it."""
    job = str(done(fleet.send(script(name, "")))["job"])
    fleet.jobs.store.put(f"jobs/{job}/roots/{'0' * 32}", b'{"answer": "{", "root": "r"}')
    return job


def later(fleet: Fleet, name: str) -> str:
    """A job that a later release has planned."""
    job = str(done(fleet.send(script(name, "")))["job"])
    for copy in ("", "~"):
        plan = json.loads(fleet.jobs.store.need(f"jobs/{job}/plan{copy}"))
        fleet.jobs.store.overwrite(f"jobs/{job}/plan{copy}", canonical_json({**plan, "version": 99}))
    return job


def open_again(fleet: Fleet, job: str) -> None:
    fleet.jobs.store.objects.delete(f"jobs/{job}/pulse")
    fleet.jobs.coordination.open(job)


def counted(fleet: Fleet) -> int:
    return int(fleet.client.hget("voxchord.counters", counters.NOT_RESUMED) or 0)


def test_jobs_that_cannot_be_resumed_do_not_stop_the_others(fleet: Fleet) -> None:
    failing = [broken(fleet, f"broken{number}") for number in range(4)]
    newer = later(fleet, "newer")
    fleet.kill("intake")  # it knows the plan
    fleet.start("intake")
    for job in (*failing, newer):
        open_again(fleet, job)
    known = fleet.planned()
    result = fleet.send(script("sound", "wait0.5", "wait0.5", "wait0.5", "wait0.5"))
    job = fleet.job(known)
    until(lambda: fleet.roots.sent(job), LIMIT_S)
    fleet.client.flushall()
    assert done(result)["segments"] == 4
    until(lambda: counted(fleet) >= len(failing), LIMIT_S)
    for each in failing:
        found = until(lambda each=each: fleet.jobs.store.get_json(f"jobs/{each}/backoff"), LIMIT_S)  # type: ignore[misc]
        assert found is not None
        assert found["wait_s"] >= 4
    assert fleet.jobs.store.get(f"jobs/{newer}/backoff") is None
    assert fleet.jobs.outcomes.failure(newer) is None
    log = fleet.log("intake")
    assert log.count(b"the job is left to workers of a later release") == 1
    assert b"the job could not be resumed" in log
    for each in (*failing, newer):
        fleet.jobs.coordination.close(each)


def test_a_resumed_job_forgets_its_failures(fleet: Fleet) -> None:
    job = broken(fleet, "mended")
    open_again(fleet, job)
    until(lambda: fleet.jobs.store.get(f"jobs/{job}/backoff"), LIMIT_S)
    fleet.jobs.store.objects.delete(f"jobs/{job}/roots/{'0' * 32}")
    until(lambda: not fleet.jobs.coordination.is_open(job), LIMIT_S)
    until(lambda: fleet.jobs.store.get(f"jobs/{job}/backoff") is None, LIMIT_S)
