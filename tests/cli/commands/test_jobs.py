"""Tests of the commands on jobs."""

import getpass
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery, signature
from kombu.utils import json as kombu_json

from bench.harness import forked
from bench.harness.silence import Silence
from bench.harness.waiting import until
from cli.job_ids import find_job
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.local.service import LocalService
from tasks.orchestration.roots import Roots
from tasks.settings import Settings
from tests.cli.conftest import Run
from tests.cli.gated import GATE, SETTING
from tests.cli.running import Running


def test_jobs_can_be_cancelled_without_the_broker(ask: Run, tmp_path: Path) -> None:
    jobs, engine = Jobs(Store(str(tmp_path / "state" / "store"))), Silence()
    own, rest = split_options({}, engine="silence")
    request = checked(parse("Anna: Words."), {}, own, rest, engine=engine, registered=Voices(jobs.store))
    job = jobs.plans.create(request, engine.profile).job
    Roots(jobs).join(
        job, "a root", kombu_json.dumps(signature("voxchord.stitch", kwargs={"job": job}, task_id="a root"))
    )
    done = ask("cancel", job, VOXCHORD_BROKER_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 5
    assert "the broker does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert jobs.coordination.cancelled(job)


def test_jobs_are_found_by_id_prefix_and_task(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    first, second = "ab" + "0" * 18, "ab" + "1" * 18
    for job in (first, second):
        jobs.store.put(f"jobs/{job}/plan", b"{}")
    refused = jobs.intake.refuse("a refused task", OptionError("seed", "is no number")).job
    jobs.intake.accept("ab0", second)
    assert find_job(jobs, "ab00") == first
    assert find_job(jobs, "ab0") == second, "a whole task ID comes before a prefix"
    assert {find_job(jobs, name) for name in (refused, refused[:8], "a refused task")} == {refused}
    with pytest.raises(OptionError, match=f"2 job IDs start with 'ab': {first}, {second}; give more"):
        find_job(jobs, "ab")
    for unknown in ("", "c" * 20, "another task", "../jobs"):
        with pytest.raises(OptionError, match=r"no job ID starts with .*, and no accepted request has"):
            find_job(jobs, unknown)


@pytest.fixture
def gated_app(tmp_path: Path) -> Iterator[Celery]:
    """Another app on the broker of a service whose decodes wait at a gate."""
    name, _, place = SETTING.partition("=")
    settings = Settings(state=tmp_path / "state", engine=name, engines={name: place})
    with (
        LocalService(settings, concurrency=1, spawn=forked.spawn) as local,
        Celery("another-app", broker=local.broker_url, backend=local.broker_url) as app,
    ):
        yield app


def test_submitted_jobs_are_named_by_job_and_task(served: Run, running: Running, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("Ann: Submitted twice.\nBen: Accepted once.")
    sent = json.loads(served("submit", script, "--option", "format=wav", "--json").stdout)
    printed = served("submit", script, "--option", "format=wav")
    assert printed.stdout == sent["job"] + "\n", printed.stderr
    assert printed.stderr == ""

    for name in (sent["job"], sent["job"][:7], sent["task"]):
        state = served("status", name, "--json")
        assert json.loads(state.stdout)["job"] == sent["job"]
    running.app.AsyncResult(sent["task"]).get(timeout=60)
    out = tmp_path / "copy.wav"
    fetched = served("fetch", sent["task"], "-o", out)
    assert fetched.returncode == 0, fetched.stderr
    assert out.exists()
    finished = served("cancel", sent["task"])
    assert (finished.returncode, "already finished" in finished.stderr) == (4, True)

    bad = running.app.send_task("voxchord.render", kwargs={"script": "Ann: 🎉"}, queue="voxchord")
    with pytest.raises(Exception, match="party popper"):
        bad.get(timeout=60)
    state = served("status", bad.id, "--json")
    assert state.returncode == 4
    refused = json.loads(state.stdout)
    assert refused["state"] == "FAILED"
    assert "line 1: has 🎉 (party popper)" in refused["error"]
    for command in (["fetch", bad.id, "-o", out], ["cancel", refused["job"][:7]]):
        done = served(*command)
        assert done.returncode == 4
        assert f"job {refused['job']} was refused: line 1" in done.stderr

    def newest() -> list[tuple[str, str]]:
        rows = json.loads(served("jobs", "--limit", 2, "--json").stdout)
        return [(row["id"], row["state"]) for row in rows]

    until(lambda: newest() == [(refused["job"], "FAILED"), (sent["job"], "SUCCEEDED")])


@pytest.mark.slow
def test_cancelled_jobs_are_retried(ask: Run, gated_app: Celery, tmp_path: Path) -> None:
    script = "\n".join(f"{'Ann' if n % 2 else 'Ben'}: {n}. Some words that are a segment." for n in range(4))
    sent = gated_app.send_task("voxchord.render", kwargs={"script": script}, queue="voxchord")
    jobs = Jobs(Store(str(tmp_path / "state" / "store")))
    job = until(lambda: jobs.intake.job_of(str(sent.id)) or "")
    running = ask("retry", job)
    assert (running.returncode, "is running; `cancel` stops it" in running.stderr) == (3, True)
    assert ask("cancel", job).returncode == 0
    with pytest.raises(Exception, match="cancelled"):
        sent.get(timeout=60)
    done = ask("retry", job[:8])
    assert (done.returncode, done.stdout) == (0, f"job {job} runs again\n"), done.stderr
    (tmp_path / "state" / GATE).touch()
    state = json.loads(ask("status", job, "--watch", "--json").stdout)
    assert state["state"] == "SUCCEEDED"
    assert [re.sub(".*UTC ", "", action) for action in state["actions"]] == [
        f"{what} by {getpass.getuser()}@{socket.gethostname()} (cli)" for what in ("cancel", "retry")
    ]
    nothing = ask("retry", job)
    assert (nothing.returncode, "there is nothing to retry" in nothing.stderr) == (3, True)


@pytest.mark.parametrize(
    ("line", "options", "words"),
    [
        ("Ann: 🎉 Hello.", [], "line 1: has 🎉"),
        ("Ann: Hello.", ["--voice", "Ann=nobody"], "voice 'nobody': unknown"),
        ("Ann: Hello.", ["--option", "pace=9"], "option 'pace': 9 is not between"),
        ("Ann: Hello.", ["--option", "loud=1", "--option", "soft=1"], "option 'loud, soft': unknown"),
        ("Ann: Hello.", ["--option", "format=avi"], "option 'format': unknown value 'avi'"),
    ],
)
def test_submit_checks_as_render_does(
    ask: Run, tmp_path: Path, line: str, options: list[str], words: str
) -> None:
    script = tmp_path / "script.txt"
    script.write_text(line)
    done = ask("submit", script, *options, VOXCHORD_BROKER_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 3
    assert words in done.stderr
    if "format" not in words:
        rendered = ask("render", script, "-o", tmp_path / "out.wav", *options)
        assert (rendered.returncode, rendered.stderr) == (done.returncode, done.stderr)
