"""Tests of the whole pipeline on a tiny checkpoint of the real classes, with real workers."""

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import soundfile
from celery import Celery
from sqlalchemy import Engine, RowMapping, select
from transformers import VibeVoiceProcessor

from bench.harness import forked, tiny
from bench.harness.recordings import recording
from bench.harness.waiting import until
from db.database import open_database
from db.queries import catalog
from db.schema import task_run
from pipeline.engines.protocol import Line
from pipeline.engines.vibevoice.engine import PROFILE
from pipeline.jobs.artifacts import stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.planning.segmenter import text_of
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.local import processes
from tasks.local.service import LocalService
from tasks.settings import Settings
from tests.pipeline.engines.vibevoice import adapters, reference, segments

RATE_HZ = 24_000
SCRIPT = """\
Alice: The tide is out.
Bob: So it is, so it is.
[pause:1s]
Bob: Shall we go?
[pause:1s]
Alice: Yes, before it comes in again.
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("talkative"), talkative=True)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> tuple[str, Path]:
    """Name of the model with an adapter, and a checkpoint into which peft merged it."""
    folder = tmp_path_factory.mktemp("alice")
    weights = adapters.adapt_language_model(checkpoint, folder, scale=0.5, targets=["q_proj", "v_proj"])
    weights |= adapters.adapt_head(checkpoint, folder, scale=0.5)
    weights |= adapters.replace_connector(checkpoint, folder, "acoustic", scale=0.5)
    merged = Path(shutil.copytree(checkpoint, tmp_path_factory.mktemp("merged") / "model"))
    adapters.replace_weights(merged, weights)
    return f"{checkpoint}+lora:{folder}@0.5", merged


def spawn(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> processes.Process:
    """Start the worker of the device as the service does, with its own PyTorch, and fork the others."""
    start = processes.spawn if "threads" in command else forked.spawn
    return start(command, environment, log)


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, adapted: tuple[str, Path]
) -> Iterator[Settings]:
    """Service with this engine: a prefork worker for the CPU stages, a thread pool for the device."""
    models = {"tiny": str(checkpoint), "alice": adapted[0]}
    settings = Settings(
        state=tmp_path_factory.mktemp("service"),
        engine="vibevoice",
        model="tiny",
        models=models,
        slots=3,
    )
    with LocalService(settings, concurrency=1, spawn=spawn) as service:
        yield replace(settings, broker_url=service.broker_url)


def render(settings: Settings, jobs: Jobs, **options: str) -> Mapping[str, Any]:
    """Manifest of the script, rendered for another app."""
    for name, seed in (("a", 1), ("b", 2)):
        Voices(jobs.store).add(name, recording(seed))
    voices = {"Alice": "a", "Bob": "b"}
    with Celery("another-app", broker=settings.broker_url, backend=settings.broker_url) as app:
        kwargs = {
            "script": SCRIPT,
            "voices": voices,
            "options": {"dtype": "float64", "verify": "off", **options},
        }
        sent = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
        manifest: Mapping[str, Any] = sent.get(timeout=120)
    return manifest


def assert_samples_are_those_of_one_call(jobs: Jobs, job: str, checkpoint: Path) -> None:
    """Compare every segment with transformers' `generate()` on that checkpoint."""
    model = reference.load(checkpoint)
    processor = VibeVoiceProcessor.from_pretrained(checkpoint)
    for segment in jobs.plans.segments(jobs.plans.need(job)):
        conditions = jobs.store.need_arrays(stage_name(segment.key, "semantic"))
        found = jobs.store.need_arrays(stage_name(segment.key, "audio")).arrays["samples"].astype(np.float32)
        inputs = processor.apply_chat_template(
            chat(segment.speakers, text_of(segment).lines),
            tokenize=True,
            return_dict=True,
            processor_kwargs={"sampling_rate": RATE_HZ, "return_tensors": "pt"},
        )
        inputs = {**inputs, "input_values": inputs["input_values"].to(model.dtype)}
        most = int(conditions.meta["frames_max"])
        expected, _ = reference.generate(model, inputs, [segment.seed], tokens_max=most)
        assert found.size > PROFILE.frame_rate_hz
        assert segments.relative_error(found, expected[0].float()) <= 1e-6, "float32 in the store"


def test_worker_samples_match_transformers(settings: Settings, checkpoint: Path) -> None:
    jobs = Jobs(Store(settings.store_url))
    manifest = render(settings, jobs)
    assert manifest["segments"] == 3, "this engine gets its pauses between segments"
    history = open_database(settings.history_url)
    assert_the_decodes_cost_is_reported(history, manifest["job"])
    assert_loading_the_model_is_reported(history, manifest["job"])
    for stage in ("text", "semantic", "speaker", "diffusion"):
        rows = attempts(history, manifest["job"], stage)
        assert {(row["device"], row["dtype"]) for row in rows} == {("cpu", "float64")}
    history.dispose()
    assert_samples_are_those_of_one_call(jobs, manifest["job"], checkpoint)


@pytest.mark.slow
def test_real_workers_speak_with_an_adapter_as_one_call_on_merged_weights(
    settings: Settings, adapted: tuple[str, Path]
) -> None:
    jobs = Jobs(Store(settings.store_url))
    plain, manifest = render(settings, jobs), render(settings, jobs, model="alice")
    plans = [jobs.plans.need(one["job"]) for one in (plain, manifest)]
    keys = [segment.key for plan in plans for segment in jobs.plans.segments(plan)]
    assert len(set(keys)) == 6, "no segment of one voice serves the other"
    assert_samples_are_those_of_one_call(jobs, manifest["job"], adapted[1])


def assert_the_decodes_cost_is_reported(history: Engine, job: str) -> None:
    """Check facts that only the loop knows: time to the first frame and batch size."""
    for row in attempts(history, job, "diffusion"):
        assert 1 <= row["batch_size"] <= 3
        assert 0 < row["ttfa_s"] <= row["run_s"]


def assert_loading_the_model_is_reported(history: Engine, job: str) -> None:
    """Check that attempts that load a model, or wait for it, record the time."""
    for stage in ("text", "speaker", "diffusion"):
        rows = attempts(history, job, stage)
        cold = [row for row in rows if row["cold_start"] == 1]
        assert cold, stage
        assert all(0 < row["model_load_s"] <= row["run_s"] for row in cold)
        assert all(row["model_load_s"] is None for row in rows if row not in cold)
    answers = {row["task_name"]: row for row in catalog.run(history, "cold_start").records()}
    diffusion = answers["voxchord.diffusion"]
    assert 1 <= diffusion["n_cold"] <= 3
    assert 0 < diffusion["model_load_mean_s"] <= diffusion["run_cold_mean_s"]


def attempts(history: Engine, job: str, stage: str) -> list[RowMapping]:
    """Wait for the rows of all three segments of a stage."""
    query = select(task_run).where(task_run.c.job == job, task_run.c.task_name == f"voxchord.{stage}")

    def rows() -> list[RowMapping]:
        with history.connect() as connection:
            return list(connection.execute(query).mappings())

    until(lambda: len(rows()) == 3)
    return rows()


def chat(names: tuple[str, ...], lines: tuple[Line, ...]) -> list[Mapping[str, object]]:
    """Input of transformers' processor, with each voice at its speaker's first line."""
    turns: list[Mapping[str, object]] = []
    voiced: set[int] = set()
    for line in lines:
        content: list[dict[str, object]] = [{"type": "text", "text": line.text}]
        if line.slot not in voiced:
            samples, _ = soundfile.read(
                io.BytesIO(recording(1 + (names[line.slot] == "Bob"))), dtype="float32"
            )
            content.append({"type": "audio", "audio": samples})
        voiced.add(line.slot)
        turns.append({"role": str(line.slot), "content": content})
    return turns


def test_speakers_without_recordings_are_refused(settings: Settings) -> None:
    with Celery("another-app", broker=settings.broker_url, backend=settings.broker_url) as app:
        kwargs = {"script": "Carol: Hello."}
        sent = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
        with pytest.raises(Exception, match=r"Carol.*reference recording"):
            sent.get(timeout=60)
