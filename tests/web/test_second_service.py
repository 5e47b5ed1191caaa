"""The engine `openai` against a second voxchord, over its HTTP service with keys."""

from pathlib import Path

import pytest
from celery import Celery

from bench.harness import forked
from bench.harness.http_service import HttpService
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.service import LocalService
from tasks.settings import Settings

SCRIPT = "\n".join(
    f"{name}: The tide had turned before we reached the quay, and nobody spoke of it, said {name}."
    for name in ("Ann", "Bo", "Ann", "Cy")
)

WORDS = "The tide had turned before we reached the quay, and nobody spoke of it."


@pytest.mark.http
def test_a_job_is_spoken_by_a_second_voxchord(keyed: HttpService, tmp_path: Path) -> None:
    settings = Settings(
        state=tmp_path / "state",
        engine="openai",
        openai_url=f"{keyed.url}/v1",
        openai_key=keyed.key("first-voxchord"),
        openai_voices="wren,heron",
        slots=2,
    )
    with (
        LocalService(settings, concurrency=1, spawn=forked.spawn) as local,
        Celery("another-app", broker=local.broker_url, backend=local.broker_url) as app,
    ):
        kwargs = {"script": SCRIPT, "voices": {"Cy": "finch"}, "options": {}}
        manifest = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get(timeout=120)
        assert manifest["state"] == "done"
        assert manifest["engine"] == "openai"
        assert manifest["duration_s"] > 10
        assert manifest["verify"]["failed"] == 0, manifest["verify"]
        unknown = {**kwargs, "voices": {"Cy": "nobody"}}
        with pytest.raises(Exception, match=r"unknown to speech server .*; it has .*wren"):
            app.send_task("voxchord.render", kwargs=unknown, queue="voxchord").get(timeout=60)
        usual, slow = (
            app.send_task("voxchord.render", kwargs={"script": text, "voices": {}}, queue="voxchord").get(
                timeout=60
            )
            for text in (f"Ann: {WORDS}", f"Ann: [rate:0.7]{WORDS}[/rate]")
        )
        assert slow["duration_s"] > 1.2 * usual["duration_s"], "the other service spoke it slowly"
        beyond = {"script": f"Ann: Hello.\n\nAnn: [rate:0.6]{WORDS}[/rate]", "voices": {}}
        with pytest.raises(Exception, match=r"answers 400 \(.*speed\); it does not take"):
            app.send_task("voxchord.render", kwargs=beyond, queue="voxchord").get(timeout=60)
    jobs = Jobs(Store(settings.store_url))
    assert jobs.plans.need(manifest["job"]).revision.startswith(f"{keyed.url}/v1 wav ")
    keys = {jobs.plans.segment(each["job"], 0).key for each in (usual, slow)}
    assert len(keys) == 2
