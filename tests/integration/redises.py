"""Debian's Redis on loopback, with TLS, or as master and replica with Sentinels."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.harness.services import free_port
from bench.harness.waiting import until
from tests.tools import tool

PASSWORD = "brokerword"  # noqa: S105 - of servers that live as long as a test
MASTER = "voxchord"
SENTINELS = 3


@dataclass(frozen=True, slots=True)
class Certificate:
    """Create a self-signed certificate of 127.0.0.1."""

    file: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(made.key), "-out", str(made.file))
    command = [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    return made


@contextmanager
def running(file: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server with that configuration, and kill it at the end."""
    process = subprocess.Popen(
        [tool("redis-server"), str(file), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def server(folder: Path, port: int, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "redis.conf"
    file.write_text("")  # a Sentinel writes what it learns into its file
    place = ("--dir", str(folder), "--bind", "127.0.0.1", "--port", str(port))
    with running(file, *place, *arguments) as process:
        yield process


@contextmanager
def encrypted(folder: Path) -> Iterator[tuple[str, Certificate]]:
    """Run a server with TLS only; yields its URL and the certificate to trust."""
    port, made = free_port(), certificate(folder)
    tls = ["--tls-port", str(port), "--tls-cert-file", str(made.file), "--tls-key-file", str(made.key)]
    tls += ["--tls-ca-cert-file", str(made.file), "--tls-auth-clients", "no", "--requirepass", PASSWORD]
    with server(folder / "redis", 0, *tls):
        url = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
        _until(lambda: redis.Redis.from_url(url, ssl_ca_certs=str(made.file)).ping())
        yield url, made


@dataclass(frozen=True, slots=True)
class Group:
    """A master, a replica and Sentinels."""

    url: str
    servers: dict[int, "subprocess.Popen[bytes]"]
    """Servers by port."""
    sentinel_port: int

    def master(self) -> int:
        """Port of the current master, from the Sentinels."""
        with redis.Redis(port=self.sentinel_port) as client:
            return int(client.sentinel_master(MASTER)["port"])


@contextmanager
def sentinels(folder: Path) -> Iterator[Group]:
    """Run the servers; a failover takes two seconds."""
    first, second, watching = free_port(), free_port(), [free_port() for _ in range(SENTINELS)]
    common = ["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--appendonly", "yes"]
    common += ["--repl-diskless-sync-delay", "0"]
    with contextlib.ExitStack() as stack:
        servers = {
            first: stack.enter_context(server(folder / "first", first, *common)),
            second: stack.enter_context(
                server(folder / "second", second, *common, "--replicaof", f"127.0.0.1 {first}")
            ),
        }
        _until(lambda: _replicated(second))
        for number, port in enumerate(watching):
            place = folder / f"sentinel{number}"
            place.mkdir()
            watch = f"sentinel monitor {MASTER} 127.0.0.1 {first} 2\nsentinel auth-pass {MASTER} {PASSWORD}\n"
            watch += f"sentinel down-after-milliseconds {MASTER} 1000\n"
            watch += f"sentinel failover-timeout {MASTER} 5000\n"
            stack.enter_context(_sentinel(place, port, watch))
        group = Group(
            ";".join(f"sentinel://:{PASSWORD}@127.0.0.1:{port}/0" for port in watching), servers, watching[0]
        )
        _until(lambda: _watched(group))
        yield group


@contextmanager
def _sentinel(folder: Path, port: int, watch: str) -> Iterator[None]:
    file = folder / "sentinel.conf"
    file.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n{watch}")
    with running(file, "--sentinel"):
        yield


def _replicated(port: int) -> bool:
    with redis.Redis(port=port, password=PASSWORD) as client:
        return str(client.info("replication")["master_link_status"]) == "up"


def _watched(group: Group) -> bool:
    with redis.Redis(port=group.sentinel_port) as client:
        known = client.sentinel_master(MASTER)
        return bool(known["num-other-sentinels"] == SENTINELS - 1 and known["num-slaves"] == 1)


def _until(come: Callable[[], object]) -> None:
    def came() -> object:
        with contextlib.suppress(redis.RedisError, KeyError):
            return come()
        return None

    until(came)
