"""Tests of several hosts that share nothing but the network."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.harness.fleet import QUICK
from bench.harness.waiting import until
from tests.integration.conftest import LIMIT_S, Quiet, script
from tests.integration.hosts import ROOT, Host, hosts
from tests.tools import thorough

pytestmark = thorough
SCRIPT = script(30)
OURS = str(ROOT / "voxchord.py")
QUERY = """
import json, sys
from sqlalchemy import create_engine, text
with create_engine(sys.argv[1].replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
    rows = connection.execute(text(sys.argv[2])).all()
print(json.dumps([list(row) for row in rows]))
"""


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host, Host]]:
    """Servers, intake and CPU worker on the first host, a decoding worker on the second."""
    folder = tmp_path_factory.mktemp("hosts")
    with hosts("vox-a", "vox-b", "vox-c") as (a, b, c):
        servers = subprocess.Popen(
            [
                *("ip", "netns", "exec", a.namespace),
                sys.executable,
                "-m",
                "tests.integration.servers",
                a.address,
                folder,
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert servers.stdout
        assert servers.stdin
        try:
            settings = {**json.loads(servers.stdout.readline()), **QUICK, "VOXCHORD_LOG_LEVEL": "INFO"}
            for host in (a, b, c):
                host.environment = settings
            work(a, folder, "--intake", "1")
            work(a, folder, "--cpu", "1")
            work(b, folder, "--gpu", "0")
            for name in ("vox-a--intake", "vox-a--cpu", "vox-b--gpu"):
                until(lambda name=name: b" ready." in (folder / name).read_bytes(), LIMIT_S)  # type: ignore[misc]
            yield a, b, c
        finally:
            for host in (a, b, c):
                host.die()
            servers.stdin.close()
            servers.wait(60)
            servers.stdout.close()


def work(host: Host, folder: Path, kind: str, number: str) -> None:
    host.start(sys.executable, OURS, "worker", kind, number, log=folder / f"{host.name}{kind}")


def submit(host: Host, script: str, **options: str) -> None:
    given = [part for name, value in options.items() for part in ("--option", f"{name}={value}")]
    host.run(sys.executable, OURS, "submit", "-", *given, stdin=script)


def rows(host: Host, query: str) -> list[list[Any]]:
    url = host.environment["VOXCHORD_DATABASE_URL"]
    found: list[list[Any]] = json.loads(host.run(sys.executable, "-c", QUERY, url, query))
    return found


def finished(host: Host, jobs: int) -> str:
    """Wait for that many successful jobs; returns the newest."""
    query = "select id from job where state = 'SUCCEEDED' order by created_epoch"
    until(lambda: len(rows(host, query)) >= jobs, LIMIT_S, 1)
    return str(rows(host, query)[-1][0])


def fetched(host: Host, job: str) -> str:
    """Hash of the file that `fetch` copies to a host."""
    program = "$0 $1 fetch $2 -o a.flac >&2 && sha256sum < a.flac"
    return host.run("sh", "-c", program, sys.executable, OURS, job).split()[0]


def test_hosts_share_no_place_to_write(three: tuple[Host, Host, Host]) -> None:
    a, b, _ = three
    a.run("sh", "-c", "echo mine > /tmp/mine")
    assert b.run("sh", "-c", "cat /tmp/mine 2>/dev/null || echo none").strip() == "none"
    for host in (a, b):
        for place in (ROOT, Path("/"), Path("/var/tmp"), Path("/root"), Path("/etc")):
            program = f"touch {place}/written 2>/dev/null && echo wrote || echo refused"
            assert host.run("sh", "-c", program).strip() == "refused", place
    names = [host.run("hostname").strip() for host in (a, b)]
    assert names == ["vox-a", "vox-b"]


def test_jobs_decoded_on_other_hosts_have_the_same_bytes(
    three: tuple[Host, Host, Host], quiet: Quiet
) -> None:
    a, b, _ = three
    submit(a, SCRIPT)
    job = finished(a, 1)
    expected = hashlib.sha256(quiet.audio(SCRIPT)).hexdigest()
    assert [fetched(a, job), fetched(b, job)] == [expected, expected]
    where = rows(
        a, "select distinct task_name, host from task_run where job is not null and state = 'SUCCESS'"
    )
    assert dict(where) == {
        **{f"voxchord.{stage}": "vox-a" for stage in ("render", "text", "semantic", "verify", "stitch")},
        **{f"voxchord.{stage}": "vox-b" for stage in ("speaker", "diffusion")},
    }


def test_work_of_dead_hosts_is_finished_by_others(
    three: tuple[Host, Host, Host], tmp_path: Path, quiet: Quiet
) -> None:
    a, b, c = three
    submit(a, SCRIPT, seed="9")
    query = "select count(*) from task_run where task_name = 'voxchord.diffusion'"
    before = rows(a, query)[0][0]
    until(lambda: rows(a, query)[0][0] > before, LIMIT_S, 0.2)
    b.die()
    work(c, tmp_path, "--gpu", "0")
    job = finished(a, 2)
    decoded = rows(a, "select job, host from task_run where task_name = 'voxchord.diffusion'")
    assert {tuple(row) for row in decoded} >= {(job, "vox-b"), (job, "vox-c")}
    assert fetched(a, job) == hashlib.sha256(quiet.audio(SCRIPT, {"seed": 9})).hexdigest()
