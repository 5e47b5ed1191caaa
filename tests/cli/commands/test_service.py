"""Tests of `up` where it cannot start."""

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tasks.local.processes import ROOT
from tests.cli.conftest import Run


@pytest.mark.parametrize("option", ["--http-port", "--flower-port"])
def test_a_port_in_use_is_refused_by_name(tmp_path: Path, option: str) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {"--http-port": "0", "--flower-port": "0", option: str(port)}
        done = subprocess.run(
            [sys.executable, "voxchord.py", "up", *(word for pair in ports.items() for word in pair)],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "VOXCHORD_STATE": str(tmp_path / "state")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode != 0
    assert f"port {port} cannot be used" in " ".join(done.stderr.split())
    assert option in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("up", "--http-port", "65536"), ("up", "--flower-port", "-1"), ("flower", "--port", "65536")],
)
def test_ports_out_of_range_are_usage_errors(ask: Run, arguments: tuple[str, ...]) -> None:
    done = ask(*arguments)
    assert done.returncode == 2
    assert f"Invalid value for '{arguments[1]}': Input should be" in done.stderr
