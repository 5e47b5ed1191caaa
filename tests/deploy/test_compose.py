"""Tests of Compose's commands, settings and health checks."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from bench.harness.services import free_port
from bench.harness.waiting import until
from pipeline.engines.registry import Engines
from tasks.flower import launch
from tasks.settings import PREFIX, Settings, load
from tasks.worker import commands
from tests.console import Console
from tests.deploy.compose import COMPOSE, OURS, ROOT, SECRETS, environment
from tests.tools import thorough, tool


def documented() -> dict[str, str]:
    """Names and values of `.env.example`, commented out or not."""
    return dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_example_lists_every_setting_with_default_and_description() -> None:
    names = {PREFIX + entry.name.upper(): entry for entry in fields(Settings)}
    text = (ROOT / ".env.example").read_text()
    shown = {name: value for name, value in documented().items() if name.startswith(PREFIX)}
    assert shown.keys() == names.keys()
    assert load({name: value for name, value in shown.items() if value}) == Settings()
    for name, entry in names.items():
        assert re.search(rf"# {re.escape(entry.metadata['doc'])}\n(# )?{name}=", text)


def test_example_lists_all_variables_of_compose() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert asked <= documented().keys()


def test_compose_passes_every_setting_with_its_default() -> None:
    for name in OURS:
        given = environment(name, SECRETS)
        settings = load({key: value for key, value in given.items() if key.startswith(PREFIX) and value})
        own = {"state", "store", "broker_url", "database_url", "flower_password"}
        for entry in fields(Settings):
            variable = PREFIX + entry.name.upper()
            assert variable in given or entry.name == "flower_password", f"{name} lacks {variable}"
            if entry.name not in own:
                assert getattr(settings, entry.name) == getattr(Settings(), entry.name)
                assert environment(name, {**SECRETS, variable: "x1"})[variable] == "x1"
        assert settings.broker_url == "redis://:brokerword@redis:6379/0"
        assert settings.database_url == "postgresql://voxchord:dataword@postgres:5432/voxchord"


@pytest.mark.parametrize("secret", SECRETS)
def test_services_do_not_start_without_passwords(secret: str) -> None:
    assert documented()[secret] == "", "the example holds no password of its own"
    users = {
        name
        for name, service in COMPOSE["services"].items()
        if any("${" + secret in str(value) for value in service.get("environment", {}).values())
    }
    assert users >= (
        {"flower"} if "FLOWER" in secret else {"grafana"} if "GRAFANA" in secret else OURS.keys()
    )
    for name in users:
        with pytest.raises(KeyError, match=secret):
            environment(name, {**SECRETS, secret: ""})


def test_services_are_confined() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["restart"] == "unless-stopped", name
        assert {"mem_limit", "healthcheck"} <= service.keys(), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert re.search(r":v?\d+\.\d+|\$\{IMAGE", service["image"]), f"{name} is pinned"
        assert service["cap_drop"] == ["ALL"], name
        assert name in OURS or service.get("user", "root").split(":")[0] != "root" or name == "dcgm-exporter"
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        if name in OURS:
            assert service["read_only"] is True, name
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert re.search(r"^USER voxchord$", dockerfile, re.MULTILINE)
    assert not re.search(r"PASSWORD|TOKEN|SECRET", dockerfile)


@contextmanager
def running(
    service: str, broker: str, store: str, *extra: str, state: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command of a service natively, with its environment and other server addresses.

    It has a state and a history of its own: rows that it carried would be missing from the others' figures.
    """
    command = [sys.executable, *OURS[service]["command"][1:], *extra]
    settings = environment(service, SECRETS)
    settings |= {
        "VOXCHORD_STATE": str(state),
        "VOXCHORD_STORE": store,
        "VOXCHORD_BROKER_URL": broker,
        "VOXCHORD_DATABASE_URL": "",
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    process = subprocess.Popen(
        command, cwd=ROOT, env={**clean, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def became(process: subprocess.Popen[bytes]) -> list[str]:
    """Command line of the process that replaced it."""

    def arguments() -> list[str]:
        return Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")[:-1]

    until(lambda: "celery" in arguments())
    return arguments()


@pytest.mark.parametrize("service", ["intake", "cpu", "decode", "gpu0"])
def test_worker_commands_match_the_local_service(service: str, tmp_path: Path) -> None:
    profile = Engines().load("hibari").profile
    spec = {
        "intake": commands.intake(2),
        "cpu": commands.cpu(2),
        "decode": commands.gpu("0", profile, 2),
        "gpu0": commands.gpu("0", profile, 1),
    }[service]
    with running(service, "redis://127.0.0.1:1/0", str(tmp_path / "store"), state=tmp_path) as process:
        assert became(process) == commands.command(spec, log_level="WARNING")


@thorough
def test_worker_health_checks_succeed_only_while_it_runs(console: Console, tmp_path: Path) -> None:
    check = [sys.executable, *OURS["cpu"]["healthcheck"]["test"][2:]]
    assert check[-1] == f"cpu@{OURS['cpu']['hostname']}"
    check[-1] = f"cpu@{os.uname().nodename}"
    env = {**os.environ, "VOXCHORD_BROKER_URL": console.broker}

    def healthy() -> bool:
        done = subprocess.run(check, cwd=ROOT, env=env, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    with running("cpu", console.broker, console.settings.store_url, state=tmp_path):
        until(healthy, timeout_s=60)
    check[check.index("-t") + 1] = "1"
    assert not healthy()


@thorough
def test_flower_command_and_health_check_work(console: Console, tmp_path: Path) -> None:
    port = free_port()
    check = [part.replace("5555", str(port)) for part in OURS["flower"]["healthcheck"]["test"][2:]]
    local = ["--address", "127.0.0.1", "--port", str(port)]  # the last one given counts
    with running("flower", console.broker, console.settings.store_url, *local, state=tmp_path) as process:
        expected = launch.command(Settings(state=tmp_path), port)
        assert became(process) == expected
        assert "me:word" not in " ".join(expected)
        until(
            lambda: subprocess.run([sys.executable, *check], capture_output=True, check=False).returncode == 0
        )


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    """Check the file with Debian's `docker-compose config`, which has the schema."""
    program = tool("docker-compose")
    (tmp_path / "env").write_text("\n".join(f"{name}={value}" for name, value in SECRETS.items()))
    for profile in ("cpu", "gpu", "metrics"):
        command = [program, "--env-file", str(tmp_path / "env"), "--profile", profile, "config", "--quiet"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    refused = subprocess.run(
        [program, "config", "--quiet"], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert refused.returncode != 0, "no passwords, no service"
