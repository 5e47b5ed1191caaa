"""Faults while takes are checked and made again, and workers that do not know the check."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from bench.harness.fleet import QUICK, Fleet
from bench.harness.waiting import until
from pipeline import finalize, stages
from pipeline.checking import light
from pipeline.checking.checkers import LightChecker
from pipeline.engines.protocol import Uncontrolled
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.broker.consumers import unserved, waiting_unserved
from tasks.broker.queues import CPU, GPU
from tasks.local.processes import ROOT
from tests.takes import SETTING, BadTakes

pytestmark = pytest.mark.slow
STAGES = ",".join((*GPU, *CPU))
OLD_STAGES = ",".join(name for name in (*GPU, *CPU) if name != "cpu.verify")
SETTINGS = {**QUICK, "VOXCHORD_ENGINE": "takes", "VOXCHORD_ENGINES": SETTING}
WORDS = " ".join(f"w{n}" for n in range(24))
SCRIPT = "\n".join(f"Anna: faults:noise+silent {WORDS} in{n}" for n in range(4))
OPTIONS = {"wait_ms": 300}
LIMIT_S = 120


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    layout = {"intake": "voxchord", "old": OLD_STAGES, "work0": STAGES, "work1": STAGES}
    with Fleet(tmp_path_factory.mktemp("takes"), settings=SETTINGS, layout=layout, forked=True) as fleet:
        yield fleet


def undisturbed(folder: Path) -> str:
    """Hash of the same job's file, made in this process."""
    jobs, engine = Jobs(Store(str(folder))), BadTakes()
    options, rest = split_options(OPTIONS, engine="takes")
    registered, checker = Voices(jobs.store), light.identity()
    request = checked(parse(SCRIPT), {}, options, rest, engine=engine, registered=registered, checker=checker)
    plan = jobs.plans.create(request, engine.profile)
    for segment in jobs.plans.segments(plan):
        work = SegmentWork(jobs.store, plan, segment, engine)
        stages.prepare(work)
        while not work.finished:
            stages.diffusion(work, Uncontrolled())
            stages.verify(work, LightChecker())
    return str(finalize.finish(jobs, plan, engine.profile, Uncontrolled())["audio"]["sha256"])


def stored(fleet: Fleet, part: str) -> int:
    """Number of artifacts of segments with this part in their names."""
    return sum(part in name for name, _, _ in list(fleet.jobs.store.objects.names("segments")))


def test_jobs_wait_for_a_worker_that_knows_the_check_and_say_so(fleet: Fleet) -> None:
    fleet.start("intake", "old")
    fleet.ready("intake", "old")
    result = fleet.send(f"Anna: faults:noise {WORDS} older")
    until(lambda: waiting_unserved(fleet.app, CPU), LIMIT_S)
    assert waiting_unserved(fleet.app, CPU) == unserved(fleet.app, CPU) == ["cpu.verify"]
    assert not result.ready()
    fleet.start("work0", "work1")
    fleet.ready("work0", "work1")
    assert result.get(timeout=LIMIT_S)["verify"]["replaced"] == 1
    assert unserved(fleet.app, CPU) == []


def test_kills_in_the_check_and_between_takes_change_no_byte(fleet: Fleet, tmp_path: Path) -> None:
    before = {part: stored(fleet, part) for part in ("verdict.000", "take.001.request", "verdict.001")}
    result = fleet.send(SCRIPT, OPTIONS)
    for part, name in (("verdict.000", "work0"), ("take.001.request", "work1"), ("verdict.001", "work0")):
        until(lambda part=part: stored(fleet, part) > before[part], LIMIT_S)  # type: ignore[misc]
        fleet.kill(name)
        fleet.start(name)
    manifest = result.get(timeout=LIMIT_S)
    assert manifest["audio"]["sha256"] == undisturbed(tmp_path)
    verify = manifest["verify"]
    assert (verify["segments_checked"], verify["takes_made"], verify["replaced"]) == (4, 8, 4)


def test_the_finished_start_is_fetched_while_the_rest_is_made(fleet: Fleet, tmp_path: Path) -> None:
    known, output = fleet.planned(), tmp_path / "start.flac"
    result = fleet.send(SCRIPT.replace("in0", "first"), {"wait_ms": 2500, "verify": "off"})
    job = fleet.job(known)
    plan = fleet.jobs.plans.need(job)
    until(lambda: 0 not in fleet.jobs.artifacts.missing(plan), LIMIT_S)
    command = [sys.executable, "voxchord.py", "fetch", job, "--so-far", "-o", str(output)]
    done = subprocess.run(
        command, cwd=ROOT, env=fleet.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert soundfile.info(output).duration > 5
    assert result.get(timeout=LIMIT_S)["duration_s"] >= soundfile.info(output).duration
