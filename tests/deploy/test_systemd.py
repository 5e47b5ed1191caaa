"""Tests of the systemd units against Compose's commands, graceful shutdown and systemd itself."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from tasks.settings import PREFIX, load
from tests.deploy.compose import COMPOSE, ROOT
from tests.tools import thorough, tool

FOLDER = ROOT / "deploy" / "systemd"
HOME = "/opt/voxchord"
SERVICES = {
    "voxchord-intake.service": "intake",
    "voxchord-cpu.service": "cpu",
    "voxchord-gpu@.service": "gpu0",
    "voxchord-flower.service": "flower",
    "voxchord-serve.service": "serve",
}


def unit(name: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]  # as the standard library's page has it
    parsed.read(FOLDER / name)
    return parsed


def test_every_unit_is_covered() -> None:
    assert {path.name for path in FOLDER.glob("*.service")} == set(SERVICES)


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_units_start_the_commands_of_compose(name: str, service: str) -> None:
    service_of = unit(name)["Service"]
    python, *command = service_of["ExecStart"].replace("%i", "0").split()
    expected = [part.replace("0.0.0.0", "127.0.0.1") for part in COMPOSE["services"][service]["command"]]  # noqa: S104 - replaced
    assert (python, command) == (f"{HOME}/.venv/bin/python", expected[1:])
    assert service_of["WorkingDirectory"] == HOME
    assert service_of["MemoryMax"].lower() == COMPOSE["services"][service]["mem_limit"]


@pytest.mark.parametrize(
    "name", [name for name, service in SERVICES.items() if service not in ("flower", "serve")]
)
def test_units_stop_the_main_process_with_enough_time(name: str) -> None:
    service = unit(name)["Service"]
    assert service["KillMode"] == "mixed", "a child of the pool that gets SIGTERM dies of it"
    assert f"{service['TimeoutStopSec']}s" == COMPOSE["services"]["intake"]["stop_grace_period"]
    assert (service["Restart"], service["OOMPolicy"]) == ("always", "continue")


def test_example_environment_is_valid() -> None:
    lines = (FOLDER / "environment.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    found = load({name: value for name, value in given.items() if name.startswith(PREFIX)})
    state = f"/var/lib/{unit('voxchord-intake.service')['Service']['StateDirectory']}"
    assert str(found.state) == state


@thorough
def test_systemd_accepts_the_units_and_their_confinement(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    for path in FOLDER.glob("voxchord*"):
        (tmp_path / path.name).write_text(path.read_text().replace(HOME, str(ROOT)))
    units = [str(tmp_path / name.replace("@", "@0")) for name in SERVICES]
    (tmp_path / "voxchord-gpu@0.service").symlink_to(tmp_path / "voxchord-gpu@.service")
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", *units, str(tmp_path / "voxchord.target")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for place in units:
        said = subprocess.run(
            [analyze, "security", "--offline=true", "--no-pager", place],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        exposure = re.search(r"exposure level for .*: (\d+\.\d+)", said.stdout)
        assert exposure, said.stdout[-300:]
        assert float(exposure[1]) < 4, said.stdout
