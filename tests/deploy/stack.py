"""Compose's services on this machine after some jobs, for tests of dashboards and alerts."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from celery import Celery

from bench.harness.waiting import until
from tasks.metering.flight_recorder import OrphanedRecords
from tests.deploy.compose import ROOT, SECRETS
from tests.deploy.natively import Containers
from tests.tools import tool

SERVICES = (
    *("redis", "postgres", "intake", "cpu", "decode", "gpu0", "flower"),
    *("node-exporter", "dcgm-exporter", "prometheus", "serve"),
)
"""Services of Compose without Grafana, which is not available. `gpu0` uses a stub of the driver."""
SECRETS_AND_FIGURES = {
    **SECRETS,
    "VOXCHORD_METRICS_PORT": "9300",
    "VOXCHORD_METRICS_ADDRESS": "0.0.0.0",  # noqa: S104 - a network of its own
}
"""Variables of `.env` for `--profile metrics`."""
_LONG_S = 32
"""Length above which attempts have samples in the history."""
_TURN = " ".join(
    9 * ["The heron stood beside the weir and counted slowly while rain came over the far hills to him."]
)


@dataclass(frozen=True, slots=True)
class Stack:
    """The running services and their addresses."""

    containers: Containers
    prometheus: str
    flower: str
    history: str
    """Database URL of Grafana's data source, with its role and password."""
    began: float
    jobs: list[str]
    """IDs of finished jobs, in order."""

    def ask(self, path: str, **parameters: Any) -> Any:
        """Send a request to Prometheus' HTTP API."""
        url = f"{self.prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]


def script(segments: int, seed: str) -> str:
    """Script of that many turns, each long enough to be a segment.

    >>> len(script(2, "a").splitlines()), len(script(1, "a").split())
    (2, 166)
    """
    return "\n".join(f"{('Anna', 'Bert')[n % 2]}: {seed} number {n}. {_TURN}" for n in range(segments))


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Bring everything up, and let it do what leaves traces: jobs that end well, one that fails, a slow "
    "one."""
    began = time.time()
    shipped = {"./deploy/prometheus": _often(folder / "prometheus")}
    with Containers(folder, SECRETS_AND_FIGURES, shipped, _driver(folder / "driver")) as containers:
        containers.up(*(name for name in SERVICES if name != "serve"))
        _create_key(containers)
        containers.up("serve")
        broker = f"redis://:{SECRETS['REDIS_PASSWORD']}@127.0.0.1:{containers.publish('redis', 6379)}/0"
        prometheus, flower = (
            f"http://127.0.0.1:{containers.publish(name, port)}"
            for name, port in (("prometheus", 9090), ("flower", 5555))
        )
        stack = Stack(containers, prometheus, flower, _history(containers), began, [])
        with Celery(broker=broker, backend=broker) as app:
            _work(stack, app)
        yield stack


def _create_key(containers: Containers) -> None:
    """Create a key, without which `serve` refuses an address that others reach."""
    command = ["python", "voxchord.py", "keys", "create", "operator"]
    subprocess.run(containers.running["intake"].enter(command), check=True, capture_output=True, timeout=60)


def _often(folder: Path) -> Path:
    """Configuration of Prometheus with shorter intervals, so that tests need not wait for minutes."""
    shutil.copytree(ROOT / "deploy" / "prometheus", folder)
    config = folder / "prometheus.yml"
    text = re.sub(r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s", config.read_text())
    config.write_text(text)
    return folder


def _driver(folder: Path) -> Path:
    """Compile the stub of NVIDIA's library."""
    folder.mkdir()
    source = ROOT / "tests" / "deploy" / "driver" / "nvml.c"
    compiler = [tool("gcc"), "-shared", "-fPIC", "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(compiler, check=True, timeout=60)
    return folder


def _history(containers: Containers) -> str:
    """Database URL of the provisioned data source, with another port."""
    text = (ROOT / "deploy" / "grafana" / "provisioning" / "datasources" / "voxchord.yml").read_text()
    source = next(each for each in yaml.safe_load(text)["datasources"] if each["uid"] == "voxchord-history")
    name, port = source["url"].split(":")
    variable = source["secureJsonData"]["password"].removeprefix("$")
    database = source["jsonData"]["database"]
    published = containers.publish(name, int(port))
    return f"postgresql://{source['user']}:{SECRETS[variable]}@127.0.0.1:{published}/{database}"


def _work(stack: Stack, app: Celery) -> None:
    def job(text: str, **options: Any) -> Any:
        return app.send_task("voxchord.render", kwargs={"script": text, "options": options}, queue="voxchord")

    stack.jobs.append(job(script(2, "First")).get(timeout=120)["job"])  # counters are born
    time.sleep(3)  # and seen, so that the next jobs are seen to raise them
    refused = job("Anna: Hello.", format="tape")
    assert refused.get(timeout=60, propagate=False).__class__.__name__ == "OptionError"
    long = job(script(1, "Long"), device="gpu0.0")
    _hold_up(stack.containers.folder / "volumes" / "gpu0" / "history" / "open")
    stack.jobs.append(long.get(timeout=120)["job"])
    stack.jobs.append(job(script(40, "Many")).get(timeout=240)["job"])
    _until_recorded(stack)


def _hold_up(recorders: Path) -> None:
    """Let the process that decodes stand still for a while, as on a machine that does: its attempt takes "
    "long."""
    busy = until(lambda: list(_decoding(recorders)), 60)
    pid = busy[0].pid
    time.sleep(0.2)  # past the beginning, before the end: the model is yet to be loaded
    os.kill(pid, signal.SIGSTOP)
    time.sleep(_LONG_S)
    os.kill(pid, signal.SIGCONT)


def _decoding(recorders: Path) -> Iterator[OrphanedRecords]:
    """Flight recorders of decoding processes."""
    for path in recorders.glob("*.open"):
        recorder = OrphanedRecords(path)
        if any(record["task_name"] == "voxchord.diffusion" for record in recorder.records()):
            yield recorder


def _until_recorded(stack: Stack) -> None:
    """Wait until Prometheus has scraped the rows of the last job."""
    query = 'sum(tts_task_attempts_total{task="voxchord.stitch"})'

    def recorded() -> bool:
        found = stack.ask("query", query=query)["result"]
        return any(float(each["value"][1]) >= len(stack.jobs) for each in found)

    until(recorded, 60, every_s=0.5)
    time.sleep(2)
