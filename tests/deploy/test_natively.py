"""Tests of Compose's services in namespaces: confinement, health and alerts."""

import os
import subprocess
import time
from pathlib import Path

import redis

from bench.harness.waiting import until
from tests.deploy.compose import COMPOSE, SECRETS
from tests.deploy.natively import Container
from tests.deploy.stack import SERVICES, Stack
from tests.tools import thorough

pytestmark = thorough


def inside(container: Container, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        container.enter(list(command)), capture_output=True, text=True, timeout=60, check=False
    )


def main_process(container: Container) -> int:
    """Process of the command, below the confining tools."""
    assert container.process is not None
    return container.process.pid  # each of them replaces itself by the next


def test_every_service_but_grafana_runs() -> None:
    assert set(SERVICES) == COMPOSE["services"].keys() - {"grafana"}


def test_services_are_healthy_after_their_jobs(stack: Stack) -> None:
    for name, container in stack.containers.running.items():
        assert container.check(), name
    assert len(stack.jobs) == 3


def test_services_run_confined(stack: Stack) -> None:
    for name, container in stack.containers.running.items():
        pid = main_process(container)
        facts = Path(f"/proc/{pid}/status").read_text()
        status = dict(line.split(":\t", 1) for line in facts.splitlines() if ":\t" in line)
        assert (status["NoNewPrivs"], int(status["CapEff"], 16), int(status["CapBnd"], 16)) == ("1", 0, 0), (
            name
        )
        assert (status["Uid"].split()[0] == "0") == (name == "dcgm-exporter"), name
        network = os.stat(f"/proc/{pid}/ns/net").st_ino
        assert network == os.stat(f"/proc/{container.holder.pid}/ns/net").st_ino != _own_network()
        assert inside(container, "hostname").stdout.strip() == container.service.get("hostname", name)
        if container.service.get("read_only"):
            assert "Read-only" in inside(container, "touch", "/app/new").stderr, name
        if container.cgroup is not None:
            assert str(pid) in (container.cgroup / "cgroup.procs").read_text().split(), name
            assert (container.cgroup / "memory.failcnt").read_text().strip() == "0", (
                f"{name} needs more memory"
            )


def test_killed_brokers_restart_with_their_data(stack: Stack) -> None:
    """Check after the append-only file was written, which happens once a second."""
    broker = stack.containers.running["redis"]
    port = stack.containers.publish("redis", 6379)
    with redis.Redis(port=port, password=SECRETS["REDIS_PASSWORD"]) as client:
        client.set("retained", "yes", ex=600)
        before = client.dbsize()
        time.sleep(1.5)
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()
        assert not broker.check()
        broker.start()
        stack.containers.wait("redis")
        assert client.get("retained") == b"yes"
        assert client.dbsize() >= before // 2, "what expired meanwhile is gone"
    until(stack.containers.running["cpu"].check, timeout_s=90)


def test_ended_services_are_unhealthy_and_alerted(stack: Stack) -> None:
    """Run this test last, since it ends all services but Prometheus."""
    for name in ("serve", "flower", "gpu0", "decode", "cpu", "intake", "node-exporter", "dcgm-exporter"):
        container = stack.containers.running[name]
        container.stop()
        assert not container.check(), name
    until(lambda: stack.ask("query", query="absent(tts_build_info) == 1")["result"])
    until(lambda: "NoWorker" in {alert["labels"]["alertname"] for alert in stack.ask("alerts")["alerts"]})
    for name in ("postgres", "redis", "prometheus"):
        container = stack.containers.running[name]
        container.stop()
        assert not container.check(), name


def _own_network() -> int:
    return os.stat("/proc/self/ns/net").st_ino
