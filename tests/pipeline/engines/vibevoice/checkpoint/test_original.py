"""The original layout is read like transformers' conversion of it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.harness import fullsize
from pipeline.engines.vibevoice.checkpoint import architecture
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.original import convert, rename
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.inspection import inspect_checkpoint
from pipeline.engines.vibevoice.model import noise_schedule
from pipeline.errors import EngineError
from tests.pipeline.engines.vibevoice import adapters
from tests.pipeline.engines.vibevoice.original_layout import original_config, original_name, save_original

PUBLISHED = (1204, "c3aa5825ac83c061ee3809ef8c02225a6b99528b8a6ba9daa645222e9240ee3b")
"""Count and SHA-256 of the sorted names that the original's modules have at the published size, as its own
code makes them (vibevoice-community/VibeVoice at b9d5612).
"""


@pytest.fixture
def original(checkpoint: Path, tmp_path: Path) -> Path:
    return save_original(checkpoint, tmp_path / "original")


def change_config(folder: Path, part: str, **values: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {part: config[part] | values}))


def published() -> dict[str, Any]:
    found: dict[str, Any] = fullsize.config((151643, 151652, 151653, 151654)).to_dict()
    return found


def test_the_published_names_are_the_original_codes() -> None:
    names = [original_name(name) for name in architecture.read(published()).shapes()]
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
    assert (len(names), digest) == PUBLISHED


def test_every_name_is_converted_and_converted_names_stay() -> None:
    for name in architecture.read(published()).shapes():
        assert rename(original_name(name)) == name
        assert rename(name) == name


def test_the_published_configuration_is_converted(tmp_path: Path) -> None:
    found = architecture.read(convert(original_config(published()), tmp_path))
    assert found == architecture.read(published())


@pytest.mark.parametrize("tied", [True, False])
def test_the_weights_are_those_of_the_converted_checkpoint(
    checkpoint: Path, untied: Path, tmp_path: Path, tied: bool
) -> None:
    folder = checkpoint if tied else untied
    found = open_checkpoint(str(save_original(folder, tmp_path / "original"))).check()
    converted = open_checkpoint(str(folder)).check()
    assert found.architecture == converted.architecture
    first, second = (Weights(one, torch.float32, torch.device("cpu")) for one in (found, converted))
    assert all(torch.equal(first(name), second(name)) for name in converted.tensors)


def test_schedule_and_feature_extractor_are_those_of_the_converted_checkpoint(
    checkpoint: Path, original: Path
) -> None:
    found, converted = open_checkpoint(str(original)), open_checkpoint(str(checkpoint))
    first, second = (
        noise_schedule.levels(one.generation["noise_scheduler_config"], 10) for one in (found, converted)
    )
    assert first == second
    for name in ("normalize_audio", "target_dB_FS", "eps"):
        assert found.feature_extractor[name] == converted.feature_extractor[name]


def test_an_adapter_fits_the_original_layout(checkpoint: Path, original: Path, tmp_path: Path) -> None:
    expected = adapters.adapt_head(checkpoint, tmp_path)
    named = open_checkpoint(f"{original}+lora:{tmp_path}").check()
    found = Weights(named, torch.float32, torch.device("cpu"))
    assert max(float((found(name) - weight).abs().max()) for name, weight in expected.items()) <= 1e-7


def test_the_report_names_the_layout(original: Path) -> None:
    report = inspect_checkpoint(str(original))
    assert report.usable
    assert report.converted


def test_a_missing_tokenizer_is_named_with_its_place(original: Path) -> None:
    (original / "tokenizer.json").unlink()
    (problem,) = inspect_checkpoint(str(original)).problems
    assert "`hf download Qwen/Qwen2.5-7B tokenizer.json --local-dir" in problem
    assert "or use the converted vibevoice/VibeVoice-1.5B-hf" in problem


@pytest.mark.parametrize(
    ("part", "values", "reason"),
    [
        ("decoder_config", {"rope_scaling": {"type": "yarn"}}, r"rope_type is 'yarn'"),
        ("acoustic_tokenizer_config", {"mixer_layer": "conv"}, "mixer_layer is 'conv'"),
        ("acoustic_tokenizer_config", {"decoder_depths": "3-1"}, r"decoder_depths is \[3, 1\]"),
        ("semantic_tokenizer_config", {"layernorm": "LN"}, "layernorm is 'LN'"),
        ("diffusion_head_config", {"prediction_type": "epsilon"}, "prediction_type is 'epsilon'"),
    ],
)
def test_an_unsupported_variant_is_rejected(
    original: Path, part: str, values: dict[str, object], reason: str
) -> None:
    change_config(original, part, **values)
    with pytest.raises(EngineError, match=reason):
        open_checkpoint(str(original))


def test_the_models_for_streaming_and_recognition_are_refused(original: Path) -> None:
    path = original / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "vibevoice_streaming"}))
    with pytest.raises(EngineError, match="of model_type 'vibevoice_streaming', not 'vibevoice': the models"):
        open_checkpoint(str(original))


def test_an_entry_that_is_missing_is_named(original: Path) -> None:
    path = original / "config.json"
    config = json.loads(path.read_text())
    del config["semantic_tokenizer_config"]
    path.write_text(json.dumps(config))
    with pytest.raises(EngineError, match=r"original config\.json in .* has no 'semantic_tokenizer_config'"):
        open_checkpoint(str(original))
