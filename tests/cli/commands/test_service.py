"""Tests of `up` where it cannot start."""

import socket
from contextlib import closing

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("option", ["--http-port", "--flower-port"])
def test_a_port_in_use_is_refused_by_name(ask: Run, option: str) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {"--http-port": "0", "--flower-port": "0", option: str(port)}
        done = ask("up", *(word for pair in ports.items() for word in pair))
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
