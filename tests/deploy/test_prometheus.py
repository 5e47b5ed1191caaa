"""Tests of the Prometheus configuration and all alerts with promtool."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from tasks.metering.prometheus import Attempts, Here
from tests.deploy.compose import COMPOSE
from tests.tools import tool

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "prometheus"


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_promtool_accepts_the_configuration(arguments: tuple[str, ...]) -> None:
    program = tool("promtool")
    done = subprocess.run(
        [program, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_and_known_metrics(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Attempts(registry)
    registry.register(Here(tmp_path, lambda: 0, slots=1, gpu=False))
    known = {family.name for family in registry.collect()} | {"tts_build_info", "tts_queue_messages"}
    known |= {"tts_queue_oldest_seconds", "tts_worker_memory_limit_bytes", "tts_dead_letters"}
    known |= {"tts_jobs_not_resumed"}
    tried = (FOLDER / "alerts_test.yml").read_text()
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert f'alertname="{rule["alert"]}"' in tried
            assert f"alertname: {rule['alert']}}}" in tried
            for name in re.findall(r"tts_\w+", rule["expr"]):
                assert re.sub(r"_(total|bucket|sum|count)$", "", name) in known, name


def test_scrape_targets_are_services_of_compose() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert jobs.keys() == {"voxchord", "flower", "node", "dcgm"}
    for target in (target for targets in jobs.values() for target in targets):
        assert target.split(":")[0] in COMPOSE["services"]
