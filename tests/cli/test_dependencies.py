"""Tests of engines whose optional packages are missing, on a Python that does not have them."""

import json
import socket
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from subprocess import PIPE, CompletedProcess

import pytest
from celery import Celery

from bench.harness.silence import Silence
from bench.harness.waiting import until
from cli.job_ids import find_job
from db.database import open_database
from db.queries.jobs import get_job
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from tasks.local.embedded_broker import EmbeddedBroker
from tasks.local.service import LocalService
from tasks.settings import Settings
from tests.cli.conftest import ROOT, environment
from tests.tools import slow

MISSING = ("torch", "functorch", "transformers", "tokenizers", "llvmlite")
ADVICE = (
    f"engine vibevoice needs torch, tokenizers, llvmlite, which is not installed on {socket.gethostname()}; "
    "run `pip install -c constraints.txt '.[vibevoice]'` there"
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with the packages of this one, without those of VibeVoice."""
    folder = tmp_path_factory.mktemp("lean")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if not package.name.startswith(MISSING):
            (packages / package.name).symlink_to(package)
    return folder / "bin" / "python"


Lean = Callable[[Sequence[str], Mapping[str, str], Path], CompletedProcess[str]]


@pytest.fixture(scope="module")
def lean(python: Path) -> Iterator[Lean]:
    """Runs a command with that Python; its output passes through files in a folder."""
    command = [str(python), "-m", "tests.cli.command_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        asked, answers = server.stdin, server.stdout

        def run(
            arguments: Sequence[str], variables: Mapping[str, str], folder: Path
        ) -> CompletedProcess[str]:
            print(json.dumps([arguments, variables, str(folder)]), file=asked, flush=True)
            code = int(answers.readline())
            out, err = ((folder / name).read_text() for name in ("stdout.txt", "stderr.txt"))
            return CompletedProcess(list(arguments), code, out, err)

        yield run


@contextmanager
def running_broker(folder: Path) -> Iterator[None]:
    broker = EmbeddedBroker(folder / "state")
    broker.start()
    yield
    broker.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "SCRIPT", "--engine", "vibevoice"],
        slow(["render", "SCRIPT", "-o", "OUT", "--engine", "vibevoice"]),
        slow(["submit", "SCRIPT", "--option", "engine=vibevoice"]),
        slow(["up"]),
        ["worker", "--gpu", "0"],
    ],
    ids=" ".join,
)
def test_commands_say_what_to_install(lean: Lean, tmp_path: Path, arguments: list[str]) -> None:
    script = tmp_path / "script.txt"
    script.write_text("Ann: One line.")
    named = {"SCRIPT": str(script), "OUT": str(tmp_path / "out.flac")}
    variables = environment(tmp_path)
    if arguments[0] in ("up", "worker"):
        variables["VOXCHORD_ENGINE"] = "vibevoice"
    if arguments[0] == "worker":
        variables["VOXCHORD_BROKER_URL"] = "redis://127.0.0.1:1/0"
    with running_broker(tmp_path) if arguments[0] == "submit" else nullcontext():
        done = lean([named.get(each, each) for each in arguments], variables, tmp_path)
    assert (done.returncode, done.stderr) == (3, f"error: {ADVICE}\n")


def test_doctor_says_what_to_install(lean: Lean, tmp_path: Path) -> None:
    def findings(**variables: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
        done = lean(["doctor", "--json"], environment(tmp_path) | variables, tmp_path)
        found = json.loads(done.stdout)
        return done.returncode, {
            each["what"]: (each["state"], each["detail"], each["advice"]) for each in found
        }

    detail = "torch, tokenizers, llvmlite is not installed"
    advice = "pip install -c constraints.txt '.[vibevoice]'"
    code, found = findings()
    assert (code, found["vibevoice"]) == (0, ("off", detail, advice))
    code, found = findings(VOXCHORD_ENGINE="vibevoice")
    assert (code, found["vibevoice"]) == (3, ("bad", detail, advice))


class Incomplete(Silence):
    """Engine whose last stage imports a package that is not installed."""

    def diffusion(self, *_: object) -> object:  # type: ignore[override]
        import no_such_package_of_an_engine  # type: ignore[import-not-found]

        return no_such_package_of_an_engine


def failure(settings: Settings, job: str) -> str:
    """Wait until a job has failed; returns the reason in the history."""
    history = open_database(settings.history_url)
    until(lambda: (get_job(history, job) or {}).get("state") == "FAILED")
    reason = str((get_job(history, job) or {})["error"])
    history.dispose()
    return reason


@pytest.mark.slow
def test_jobs_fail_with_the_reason_if_only_the_worker_lacks_a_package(tmp_path: Path) -> None:
    places = {"incomplete": f"{__name__}:Incomplete", "elsewhere": "no_such_module_of_an_engine:Engine"}
    settings = Settings(state=tmp_path / "state", engines=places)
    jobs = Jobs(Store(settings.store_url))
    with (
        LocalService(settings, concurrency=1) as local,
        Celery("another-app", broker=local.broker_url, backend=local.broker_url) as app,
    ):
        for engine, package in (
            ("incomplete", "no_such_package_of_an_engine is needed"),
            ("elsewhere", "engine elsewhere needs no_such_module_of_an_engine"),
        ):
            kwargs = {"script": "Ann: One line.", "options": {"engine": engine}}
            sent = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
            with pytest.raises(
                Exception, match=f"{package}, which is not installed on .*; run `pip install no_"
            ):
                sent.get(timeout=60)
            job = find_job(jobs, str(sent.id))
            assert failure(settings, job).count(package) == 1
