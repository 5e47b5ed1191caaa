"""A checkpoint is found, known by its content, and refused with its reason."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import VibeVoiceConfig

from bench.harness import fullsize, tiny
from pipeline.engines.vibevoice.checkpoint import architecture, footprint
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.inspection import inspect_checkpoint
from pipeline.engines.vibevoice.settings import Settings
from pipeline.errors import EngineError


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def change_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_tensors_of_a_real_checkpoint_are_those_expected(checkpoint: Path, untied: Path) -> None:
    for folder in (checkpoint, untied):
        found = open_checkpoint(str(folder))
        assert {name: tensor.shape for name, tensor in found.tensors.items()} == found.architecture.shapes()


def test_the_published_dimensions_have_the_published_sizes() -> None:
    published: VibeVoiceConfig = fullsize.config((151643, 151652, 151653, 151654))
    found = architecture.read(published.to_dict())
    assert sum(footprint.count(shape) for shape in found.shapes().values()) == 2_704_021_987
    assert found.language.position_values * 2 == 28_672
    assert found.hop == 3200


def test_the_revision_follows_the_weights_and_not_the_place(checkpoint: Path, copy: Path) -> None:
    before = open_checkpoint(str(checkpoint)).revision()
    assert open_checkpoint(str(copy)).revision() == before
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert open_checkpoint(str(copy)).revision() != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("tokenizer.json", '"version":', '"version" :'), ("processor_config.json", "normalize_audio", "other")],
)
def test_the_revision_follows_all_that_shapes_the_sound(copy: Path, name: str, old: str, new: str) -> None:
    before, path = open_checkpoint(str(copy)).revision(), copy / name
    changed = path.read_text().replace(old, new, 1)
    assert changed != path.read_text()
    path.write_text(changed)
    assert open_checkpoint(str(copy)).revision() != before


def test_two_trainings_of_one_architecture_have_two_revisions(checkpoint: Path, tmp_path: Path) -> None:
    other = tiny.save(tmp_path, seed=9)
    assert VibeVoice(str(other)).revision() != VibeVoice(str(checkpoint)).revision()


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"has no config\.json"):
        VibeVoice(str(tmp_path)).revision()


def test_a_path_that_does_not_exist_is_refused() -> None:
    with pytest.raises(EngineError, match="neither a folder nor an id of the form owner/name"):
        VibeVoice("/nowhere/at/all").revision()


def test_an_id_that_can_t_be_fetched_says_what_was_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        EngineError, match=r"no such folder, it is not in the hub's cache.*`hf download some/one`"
    ):
        VibeVoice("some/one").revision()


def test_another_kind_of_model_is_refused(copy: Path) -> None:
    change_config(copy, model_type="qwen2")
    with pytest.raises(EngineError, match="of model_type 'qwen2', not 'vibevoice'"):
        VibeVoice(str(copy)).revision()


def test_a_variant_that_is_not_computed_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    change_config(copy, text_config=config["text_config"] | {"hidden_act": "relu"})
    with pytest.raises(EngineError, match=r"text_config\.hidden_act is 'relu'"):
        VibeVoice(str(copy)).revision()


def test_a_checkpoint_without_weights_is_refused(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(EngineError, match=r"lacks its weights: there is no model\.safetensors"):
        VibeVoice(str(copy)).revision()


def test_an_incomplete_download_is_refused(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(EngineError, match="the download is incomplete"):
        VibeVoice(str(copy)).revision()


def test_a_damaged_header_is_refused(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"no weights at all, but long enough to be some")
    with pytest.raises(EngineError, match="damaged"):
        VibeVoice(str(copy)).revision()


def test_a_tensor_of_another_shape_is_named(checkpoint: Path, copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    change_config(copy, text_config=config["text_config"] | {"intermediate_size": 100})
    with pytest.raises(
        EngineError, match=r"gate_proj\.weight has the shape \(96, 64\), not \(100, 64\) \(and 8 more\)"
    ):
        VibeVoice(str(copy)).revision()


def test_the_doctor_hears_what_is_wrong(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    report = inspect_checkpoint(str(copy))
    assert not report.usable
    assert report.problems == ("there is no tokenizer.json",)


def test_the_doctor_hears_that_a_complete_checkpoint_fits(checkpoint: Path) -> None:
    report = inspect_checkpoint(str(checkpoint))
    assert report.usable
    assert (report.slots, report.revision) == (8, VibeVoice(str(checkpoint)).revision())


def test_the_doctor_hears_that_a_device_is_too_small(checkpoint: Path) -> None:
    report = inspect_checkpoint(str(checkpoint), Settings(memory_bytes=100 << 20))
    assert report.problems[0].endswith("0.1 GB are free")
