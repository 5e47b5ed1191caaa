"""Broker, database and object store on one address of a network namespace, until standard input ends.

    python -m tests.integration.servers ADDRESS FOLDER

Prints the settings of a worker that uses them, as one line of JSON.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.harness.services import S3, Postgres
from bench.harness.waiting import until
from tasks.local.valkey import Valkey

_PASSWORD = "networkword"  # noqa: S105 - of servers that live as long as a test


@contextmanager
def broker(address: str, folder: Path) -> Iterator[str]:
    server = Valkey(folder, bind=f"127.0.0.1 {address}", appendonly="yes", save="")
    server.start()
    try:
        yield server.url.replace("127.0.0.1", address)
    finally:
        server.stop()


@contextmanager
def database(address: str) -> Iterator[str]:
    """PostgreSQL of the wheel, restarted to listen on the network."""
    wheel = Postgres(durable=False)
    with psycopg.connect(wheel.url(), autocommit=True) as connection:
        connection.execute(f"ALTER USER postgres PASSWORD '{_PASSWORD}'")
    wheel.stop()
    with (wheel.folder / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.77.0.0/24 scram-sha-256\n")
    program = Path(wheel.psql).with_name("postgres")
    command = ["runuser", "-u", "pgserver", "--", str(program), "-D", str(wheel.folder), "-h", address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql://postgres:{_PASSWORD}@{address}:5432/postgres"
    try:
        _until_it_answers(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _until_it_answers(url: str) -> None:
    def answers() -> bool:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    until(answers)


def main(address: str, folder: Path) -> None:
    objects = S3(address)
    with broker(address, folder) as broker_url, database(address) as database_url:
        settings = {
            **objects.environment,
            "VOXCHORD_BROKER_URL": broker_url,
            "VOXCHORD_DATABASE_URL": database_url,
            "VOXCHORD_STORE": f"{objects.new_bucket()}/voxchord",
        }
        print(json.dumps(settings), flush=True)
        sys.stdin.read()
    objects.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
