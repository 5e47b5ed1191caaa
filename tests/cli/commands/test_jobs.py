"""Tests of the commands on jobs."""

from pathlib import Path

from celery import signature
from kombu.utils import json

from bench.harness.silence import Silence
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.orchestration.roots import Roots
from tests.cli.conftest import Run


def test_jobs_can_be_cancelled_without_the_broker(run: Run, tmp_path: Path) -> None:
    jobs, engine = Jobs(Store(str(tmp_path / "state" / "store"))), Silence()
    own, rest = split_options({}, engine="silence")
    request = checked(parse("Anna: Words."), {}, own, rest, engine=engine, registered=Voices(jobs.store))
    job = jobs.plans.create(request, engine.profile).job
    Roots(jobs).join(
        job, "a root", json.dumps(signature("voxchord.stitch", kwargs={"job": job}, task_id="a root"))
    )
    done = run("cancel", job, VOXCHORD_BROKER_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 5
    assert "the broker does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert jobs.coordination.cancelled(job)
