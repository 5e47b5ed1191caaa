"""Tests of Flower in a real browser while a job runs. Screenshots are written to `out/console`."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from celery import Celery

from bench.harness import results
from bench.harness.waiting import until
from tests.console import Console
from tests.deploy import node
from tests.deploy.compose import ROOT, SECRETS
from tests.deploy.stack import Stack
from tests.tasks.flower.tasks_page import STAGES, listed
from tests.tools import thorough

HERE = Path(__file__).parent / "browser"
PICTURES = ROOT / "out" / "console"
WORDS = "the mill stood by the river where a heron waited for the frost and nobody in the village had seen it"

pytestmark = thorough


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs that drive the browser, with their dependencies."""
    return node.installed(HERE, tmp_path_factory.mktemp("browser") / "programs")


def long_script() -> str:
    """Script of about two hours of audio, long enough for the browser."""
    words, order = WORDS.split(), random.Random(7)
    turns = (" ".join(order.choices(words, k=order.randint(8, 40))) for _ in range(900))
    return "\n\n".join(
        f"{name}: {turn.capitalize()}." for name, turn in zip("ABCD" * 225, turns, strict=True)
    )


@pytest.fixture
def running_job(console: Console) -> Iterator[str]:
    """ID of a decoding job, which is cancelled at the end."""
    app = Celery(broker=console.broker, backend=console.broker)
    before = {row["uuid"] for row in listed(console, "name:voxchord.diffusion")}
    sent = app.send_task("voxchord.render", kwargs={"script": long_script()}, queue="voxchord")

    def decoded() -> list[str]:
        rows = listed(console, "name:voxchord.diffusion state:SUCCESS")
        return [row["job"] for row in rows if row["uuid"] not in before]

    until(lambda: len(decoded()) >= 3, timeout_s=60)
    job = decoded()[0]
    yield job
    console.ask(f"/voxchord/jobs/{job}/cancel", b"", method="POST")
    sent.get(timeout=240, propagate=False)
    results.close(app)


def test_flower_shows_a_running_job(console: Console, driver: Path, running_job: str) -> None:
    environment = {"FLOWER_URL": console.url, "FLOWER_LOGIN": console.credentials}
    seen = node.walked(driver, "flower.mjs", PICTURES, environment, running_job)
    assert seen["complaints"] == []
    assert seen["stateOnTasks"] == "running"
    assert any("work@" in row and "gpu.diffusion" in row and "cpu" in row for row in seen["workers"])
    assert seen["stages"] == sorted(seen["stages"], key=STAGES.index)
    assert set(seen["jobs"]) == {running_job[:8]}
    stage, job, segment, state, voices, audio, speed, device, *_ = seen["decoded"]
    assert (stage, job, state, voices, device) == ("diffusion", running_job[:8], "SUCCESS", "4", "cpu")
    assert segment.isdigit()
    assert float(audio.removesuffix(" s")) > 10
    speeds = [float(text.removesuffix("×")) for text in seen["speeds"]]
    assert speeds == sorted(speeds, reverse=True)
    assert float(speed.removesuffix("×")) == speeds[0]
    assert seen["attempts"].startswith("Task ")
    assert seen["report"][0] == f"Job {running_job}"
    assert seen["jobFromTable"] == running_job
    assert seen["stateOnPage"] in ("running", "done", "gaps")
    assert {"Findings", "Timeline", "Stages"} <= set(seen["report"])
    assert not seen["wide"], "nothing sticks out of the page"
    assert seen["queues"] == "gpu.diffusion"
    assert any(row.startswith("gpu.diffusion") for row in seen["broker"])


def test_compose_services_show_workers_report_and_targets(stack: Stack, driver: Path) -> None:
    environment = {"FLOWER_URL": stack.flower, "PROMETHEUS_URL": stack.prometheus}
    environment["FLOWER_LOGIN"] = SECRETS["VOXCHORD_FLOWER_PASSWORD"]
    seen = node.walked(driver, "stack.mjs", PICTURES, environment, stack.jobs[-1])
    assert seen["complaints"] == []
    workers = {row.split()[0]: row for row in seen["workers"]}
    assert workers.keys() == {"intake@intake", "cpu@cpu", "gpu0@decode", "gpu0@gpu0"}
    assert "cpu.stitch" in workers["cpu@cpu"]
    for host in ("decode", "gpu0"):
        queues = ", ".join(sorted((f"gpu.{host}.0", "gpu.diffusion", "gpu.speaker")))
        assert queues in workers[f"gpu0@{host}"], "its own queue too"
    assert {f"Job {stack.jobs[-1]}", "Timeline", "Stages"} <= set(seen["report"])
    for job, up in {"voxchord": "4/4", "flower": "1/1", "node": "1/1", "dcgm": "1/1"}.items():
        assert f"{job} ({up} up)" in seen["targets"]
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]:
        assert all(rule["alert"] in seen["alerts"] for rule in group["rules"])
