"""Adapters end to end: the audio changes, and equals that of a checkpoint merged beforehand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.harness import recordings
from bench.harness.controls import Watch
from pipeline.arrays import Samples
from pipeline.engines.protocol import Line, Options, Reference, SegmentText
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import Request, checked, split_options
from pipeline.script.parser import parse
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.pipeline.engines.vibevoice import adapters

SETTINGS = EngineSettings(device="cpu", slots=2, positions=512, frames=128, prefix_bytes=1 << 20)
SEGMENT = SegmentText((Line(0, "Hello there."), Line(1, "Hello to you.")), speakers=2, seed=7)
RATE_HZ, SCALE = 24_000, 0.5


DOUBLE: Options = {"dtype": "float64"}


def speak(model: str, given: Options = DOUBLE) -> Samples:
    """Render a segment of two speakers through all stages."""
    engine = VibeVoice(model, SETTINGS)
    options = engine.options(given)
    semantic = engine.semantic(engine.text(SEGMENT, options), options)
    voices = [engine.speaker(recording(seed), options) for seed in range(SEGMENT.speakers)]
    (heard,) = engine.diffusion(semantic, voices, SEGMENT.seed, options, Watch())
    return heard.samples


def recording(seed: int) -> Reference:
    samples = np.random.default_rng(seed).normal(0, 0.2, RATE_HZ).astype(np.float32)
    return Reference(samples=samples, sample_rate_hz=RATE_HZ)


@pytest.fixture(scope="module")
def adapted(talkative: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Name of a model with an adapter of every part, and of a checkpoint into which peft merged it."""
    folder = tmp_path_factory.mktemp("alice")
    weights: adapters.Weights = {}
    for kind in ("acoustic", "semantic"):
        weights |= adapters.replace_connector(talkative, folder, kind, scale=SCALE)
    weights |= adapters.adapt_head(talkative, folder, scale=SCALE)
    targets = ["q_proj", "v_proj", "gate_proj"]
    weights |= adapters.adapt_language_model(talkative, folder, scale=SCALE, targets=targets)
    merged = shutil.copytree(talkative, tmp_path_factory.mktemp("merged") / "model")
    adapters.replace_weights(merged, weights)
    return f"{talkative}+lora:{folder}@{SCALE}", str(merged)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        DOUBLE,
        {"dtype": "float32"},
        {"dtype": "bfloat16"},
        {"dtype": "bfloat16", "quantize": True},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_audio_equals_that_of_a_checkpoint_merged_beforehand(
    talkative: Path, adapted: tuple[str, str], options: Options
) -> None:
    name, merged = adapted
    heard, plain = speak(name, options), speak(str(talkative), options)
    assert np.array_equal(heard, speak(merged, options))
    assert heard.shape == plain.shape
    assert np.abs(heard - plain).max() > 0.01 * np.abs(plain).max()


@pytest.mark.slow
def test_each_part_changes_the_audio(talkative: Path, tmp_path: Path) -> None:
    plain = speak(str(talkative))
    for part in ("language", "head", "acoustic", "semantic"):
        folder = tmp_path / part
        if part == "language":
            adapters.adapt_language_model(talkative, folder, targets=["q_proj", "v_proj"])
        elif part == "head":
            adapters.adapt_head(talkative, folder)
        else:
            adapters.replace_connector(talkative, folder, part)
        heard = speak(f"{talkative}+lora:{folder}")
        assert not np.array_equal(heard, plain), part
        assert np.array_equal(speak(f"{talkative}+lora:{folder}@0"), plain), part


def test_each_scale_of_a_voice_has_its_own_segment_keys(adapted: tuple[str, str], tmp_path: Path) -> None:
    base, _, scale = adapted[0].rpartition("@")
    jobs = Jobs(Store(str(tmp_path)))
    jobs_and_keys = []
    for name in (base.partition("+")[0], f"{base}@{scale}", f"{base}@0.75"):
        engine = VibeVoice(name, SETTINGS)
        plan = jobs.plans.create(request(engine, jobs.store), engine.profile)
        jobs_and_keys += [plan.job, *(segment.key for segment in jobs.plans.segments(plan))]
    assert len(jobs_and_keys) == len(set(jobs_and_keys)) == 6


def request(engine: VibeVoice, store: Store) -> Request:
    registered = Voices(store)
    registered.add("ann", recordings.recording())
    options, rest = split_options({}, engine="vibevoice")
    return checked(parse("Ann: Hello."), {"Ann": "ann"}, options, rest, engine=engine, registered=registered)
