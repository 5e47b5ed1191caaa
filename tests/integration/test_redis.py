"""Tests of Redis with Sentinels, including a failover during a job, and with TLS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery

from bench.harness.fleet import QUICK, Fleet
from bench.harness.services import Rabbit, free_port
from bench.harness.waiting import until
from tasks.local.processes import ROOT
from tests.integration.conftest import LAYOUT, LIMIT_S, Quiet, audio, script
from tests.integration.redises import MASTER, certificate, encrypted, sentinels
from tests.tools import thorough

pytestmark = thorough
SCRIPT = script(30)


@contextmanager
def fleet_at(folder: Path, broker: str, results: str, **settings: str) -> Iterator[Fleet]:
    """Workers, and another app with the same addresses."""
    app = Celery("another-app", broker=broker, backend=results)
    ca = settings.get("VOXCHORD_TLS_CA")
    if broker.startswith("sentinel"):
        app.conf.broker_transport_options = app.conf.result_backend_transport_options = {
            "master_name": MASTER
        }
    if ca:
        app.conf.redis_backend_use_ssl = {"ssl_cert_reqs": "required", "ssl_ca_certs": ca}
        app.conf.broker_use_ssl = (
            {"ca_certs": ca} if broker.startswith("amqp") else app.conf.redis_backend_use_ssl
        )
    given = {**QUICK, **settings, "VOXCHORD_RESULT_URL": results}
    with Fleet(folder, settings=given, broker_url=broker, app=app, layout=LAYOUT, forked=True) as fleet:
        fleet.start()
        fleet.ready()
        yield fleet


def doctor(**settings: str) -> dict[str, str]:
    """Finding of `doctor` about the broker."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOXCHORD_")}
    done = subprocess.run(
        [sys.executable, "voxchord.py", "doctor", "--json"],
        cwd=ROOT,
        env={**clean, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found: dict[str, str] = next(entry for entry in json.loads(done.stdout) if entry["what"] == "broker")
    return found


def test_jobs_survive_a_failover(tmp_path: Path, quiet: Quiet) -> None:
    with sentinels(tmp_path / "redis") as group:
        settings = {"VOXCHORD_SENTINEL_MASTER": MASTER}
        assert doctor(VOXCHORD_BROKER_URL=group.url, **settings)["state"] == "ok"
        with fleet_at(tmp_path / "fleet", group.url, group.url, **settings) as fleet:
            result = fleet.send(SCRIPT)
            until(lambda: fleet.trying("diffusion"), LIMIT_S)
            master = group.master()
            group.servers[master].kill()
            assert fleet.jobs.artifacts.missing(fleet.jobs.plans.need(fleet.job()))
            until(lambda: group.master() != master, LIMIT_S)
            job = fleet.job()
            until(lambda: fleet.jobs.outcomes.manifest(job), LIMIT_S)
            manifest = fleet.app.AsyncResult(result.id).get(timeout=LIMIT_S)
            assert audio(fleet, manifest) == quiet.audio(SCRIPT)
            again = fleet.send(SCRIPT, {"format": "wav"}).get(timeout=LIMIT_S)
            assert again["segments"] == manifest["segments"]


def test_messages_and_results_use_tls_and_other_authorities_are_refused(tmp_path: Path, quiet: Quiet) -> None:
    with encrypted(tmp_path) as (url, trusted):
        ca = str(trusted.file)
        with fleet_at(tmp_path / "fleet", url, url, VOXCHORD_TLS_CA=ca) as fleet:
            assert audio(fleet, fleet.send(SCRIPT).get(timeout=LIMIT_S)) == quiet.audio(SCRIPT)
        assert doctor(VOXCHORD_BROKER_URL=url, VOXCHORD_TLS_CA=ca)["state"] == "ok"
        other = certificate(tmp_path / "other")
        for stranger in ({}, {"VOXCHORD_TLS_CA": str(other.file)}):
            assert doctor(VOXCHORD_BROKER_URL=url, **stranger)["state"] == "bad"


def test_rabbitmq_uses_tls(tmp_path: Path, quiet: Quiet) -> None:
    made, port = certificate(tmp_path / "rabbit"), free_port()
    config = (
        f"listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {made.file}\n"
        f"ssl_options.keyfile = {made.key}\nssl_options.cacertfile = {made.file}\n"
        "ssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false"
    )
    with encrypted(tmp_path / "redis") as (results, trusted):
        both = tmp_path / "both.pem"
        both.write_text(made.file.read_text() + trusted.file.read_text())
        rabbit = Rabbit(tmp_path / "rabbit", config=config)
        try:
            url = f"amqps://guest:guest@127.0.0.1:{port}//"
            with fleet_at(tmp_path / "fleet", url, results, VOXCHORD_TLS_CA=str(both)) as fleet:
                assert audio(fleet, fleet.send(SCRIPT).get(timeout=LIMIT_S)) == quiet.audio(SCRIPT)
            assert (
                doctor(VOXCHORD_BROKER_URL=url, VOXCHORD_RESULT_URL=results, VOXCHORD_TLS_CA=str(both))[
                    "state"
                ]
                == "ok"
            )
            refused = doctor(VOXCHORD_BROKER_URL=url, VOXCHORD_RESULT_URL=results)
            assert (refused["state"], "guest:guest" in refused["detail"]) == ("bad", False)
        finally:
            rabbit.close()
