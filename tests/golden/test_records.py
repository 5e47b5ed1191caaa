"""Golden tests: records of release 0.1.0 are read."""

import gzip
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from db.database import open_database
from db.ingest import rows
from db.queries import jobs as history
from pipeline.engines.protocol import Uncontrolled
from pipeline.errors import MissingArtifactError
from pipeline.finalize import finish
from pipeline.jobs.artifacts import read_samples, speaker_name, stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import _page
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span
from pipeline.planning.segmenter import CUT_VERSION
from pipeline.store.artifacts import Store
from tasks.orchestration.roots import Roots
from tests.golden.ten_segments import JOB, PROFILE, REQUEST, segments

ROOT = Path(__file__).parent.parent.parent
RECORDS = Path(__file__).parent / "records"

KEYS_OF_0_1_0 = [
    "0822a7bdc8428b1b1cc20f704c834192",
    "5e3721530d0879036a89db644cd2b171",
    "68329f14e60975cfd5fa788fffbd4f57",
    "30f34357e44722e88e10b9bc6c44fd17",
    "9adfec4205aec5c6a366a83d7c7cb42c",
    "2d38cd720352ad6f6e59ecb766caf9b8",
    "7487bc51880c6f5e8f484255f0fa04ab",
    "ede26acb900171c7f1dbf063830c7818",
    "869aa79512bea34e044841c7cfe06c6c",
    "f01ca621a83733897068425f1bd1bb6f",
    "a7ec08c3a69babae525787530504bd99",
    "3e84dee353ee3c2ce52be369822facdc",
]
"""Keys of the stored plan, whose segments were cut by the first version of the rules."""


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Store(str(shutil.copytree(RECORDS / "store", tmp_path / "store"))))


def lines(planned: list[PlannedSegment]) -> list[PlannedLine]:
    return [line for segment in planned for line in segment.lines]


def test_plans_and_pages_are_read(jobs: Jobs) -> None:
    plan = jobs.plans.need(JOB)
    assert (plan.options, plan.speakers, plan.revision) == (
        replace(REQUEST.options, verify="off"),
        REQUEST.speakers,
        REQUEST.revision,
    )
    assert dict(plan.engine_options) == dict(REQUEST.engine_options)
    assert (plan.segments, plan.turns, plan.words, plan.characters) == (12, 13, 210, 1001)
    stored = list(jobs.plans.segments(plan))
    assert [segment.key for segment in stored] == KEYS_OF_0_1_0
    assert lines(stored) == lines(segments())


def test_copies_of_plans_and_pages_are_read(jobs: Jobs, tmp_path: Path) -> None:
    for name in ("plan", "plan.00000"):
        (tmp_path / "store" / "jobs" / JOB / name).write_bytes(b"damaged")
    stored = list(jobs.plans.segments(jobs.plans.need(JOB)))
    assert [segment.key for segment in stored] == KEYS_OF_0_1_0


def test_equal_requests_find_the_plan(jobs: Jobs) -> None:
    found = jobs.plans.need(JOB)
    assert jobs.plans.create(REQUEST, PROFILE) == found


def test_damaged_plans_of_another_segmentation_are_planned_anew(jobs: Jobs, tmp_path: Path) -> None:
    for name in ("plan.00000", "plan.00000~"):
        (tmp_path / "store" / "jobs" / JOB / name).write_bytes(b"damaged")
    assert jobs.plans.create(REQUEST, PROFILE).cut == CUT_VERSION
    assert list(jobs.plans.segments(jobs.plans.need(JOB))) == segments()


def test_pages_of_another_segmentation_are_not_mixed_into_a_plan(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "mixed"))
    page = f"jobs/{JOB}/plan.00000"
    older = (RECORDS / "store" / page).read_bytes()
    store.objects.replace(page, older)
    jobs = Jobs(store)
    plan = jobs.plans.create(REQUEST, PROFILE)
    assert list(jobs.plans.segments(plan)) == segments(), "a page that another release had left is replaced"
    store.objects.replace(page, older)
    elsewhere = Jobs(Store(f"{tmp_path}/./mixed"))
    _page.cache_clear()
    with pytest.raises(MissingArtifactError):
        elsewhere.plans.segment(JOB, 0)


def test_flags_failures_and_waiters_are_read(jobs: Jobs) -> None:
    roots = Roots(jobs)
    assert roots.claimed_by(JOB) == "root-1"
    assert roots.sent(JOB)
    assert roots.waiting(JOB) == {"root-1": '{"task": "x"}'}
    assert jobs.coordination.opened() == [JOB]
    assert jobs.coordination.open_attempts(JOB, "000009.diffusion") == [{"host": "h", "pid": 1}]
    assert jobs.outcomes.failures(JOB) == {9: "the segment can't be decoded"}
    assert jobs.coordination.run_no(JOB) == 1


def test_segment_metadata_samples_and_embeddings_are_read(jobs: Jobs) -> None:
    plan = jobs.plans.need(JOB)
    assert jobs.artifacts.missing(plan) == [9]
    first = jobs.plans.segment(JOB, 0)
    heard = first.lines[0].text
    assert heard.startswith("The lamp at the point has been dark for eleven years.")
    span = Span(start=0, samples=400, line=0, lines=1, text=heard, lufs=-20.5, true_peak=0.1)
    assert jobs.artifacts.audio(first) == SegmentAudio(8000, 400, (span,))
    assert np.array_equal(
        read_samples(jobs.store, first.key), (0.1 * np.sin(np.arange(400) * 0.3)).astype(np.float32)
    )
    tokens = jobs.store.need_arrays(stage_name(first.key, "text"))
    assert (tokens.arrays["ids"].tolist(), dict(tokens.meta)) == ([0, 1, 2, 3], {"language": "en"})
    voice = jobs.store.need_arrays(speaker_name(plan, plan.speakers[0]))
    assert voice.arrays["voice"].tolist() == [1.0, 1.0]


def test_manifests_are_read_and_rebuilt(jobs: Jobs, tmp_path: Path) -> None:
    before = jobs.outcomes.manifest(JOB)
    assert before is not None
    assert (before["version"], before["state"], before["speed"]) == (1, "gaps", 382.68)
    subtitles = (tmp_path / "store" / before["subtitles"]["vtt"]["name"]).read_text()
    assert finish(jobs, jobs.plans.need(JOB), PROFILE, Uncontrolled()) == before, "the existing one"
    assert (tmp_path / "store" / before["subtitles"]["vtt"]["name"]).read_text() == subtitles
    assert (tmp_path / "store" / before["audio"]["name"]).stat().st_size == before["audio"]["bytes"]


def test_history_databases_are_read(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(gzip.decompress((RECORDS / "history.db.gz").read_bytes()))
    engine = open_database(f"sqlite:///{tmp_path}/history.db")
    job = history.get_job(engine, JOB)
    assert job is not None
    assert (job["state"], job["audio_s"], job["words"]) == ("SUCCEEDED", 4.74625, 210)
    assert history.count_attempts(engine, JOB) == 3
    progress = history.progress(engine, JOB)
    assert progress["voxchord.diffusion"]["states"] == {"SUCCESS": 1, "FAILURE": 1}
    assert progress["voxchord.diffusion"]["audio_s"] == 0.05
    with engine.connect() as connection:
        found = connection.execute(text("SELECT attempts, wasted_attempts FROM v_job")).one()
    engine.dispose()
    assert tuple(found) == (3, 1)


def test_spooled_lines_are_read() -> None:
    lines = (RECORDS / "spool.rows").read_bytes().splitlines()
    found = [rows.parse(line) for line in lines]
    assert [table for table, _ in found] == ["job", "job", "task_run", "task_run", "task_run"]
    assert (found[1][1]["id"], found[1][1]["state"]) == (JOB, "SUCCEEDED")
    assert found[3][1]["rss_peak_bytes"] == 1 << 30


_LOADS = """
import pickle, runpy, sys
import flower.options
from tornado.options import options
options.address = "127.0.0.1"
runpy.run_path("deploy/flowerconfig.py")
with open(sys.argv[1], "rb") as file:
    state = pickle.load(file)
task, worker = state.tasks["u-1"], state.workers["cpu@host"]
print(task.stage, task.job, task.segment, task.voices, task.audio_s, task.state, worker.sw_ident)
"""


def test_saved_flower_states_are_read(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _LOADS, str(RECORDS / "flower_events.pickle")],
        cwd=ROOT,
        env={**os.environ, "VOXCHORD_STATE": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stdout.split() == ["diffusion", JOB, "4", "2", "61.3", "SUCCESS", "voxchord"], found.stderr
