"""Checkpoints are located, identified by content, and rejected with a reason."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import VibeVoiceConfig

from bench.harness import fullsize, tiny
from pipeline.engines.vibevoice.checkpoint import architecture, footprint
from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.engine import VibeVoice
from pipeline.engines.vibevoice.inspection import inspect_checkpoint
from pipeline.engines.vibevoice.settings import EngineSettings
from pipeline.errors import EngineError
from tests.pipeline.engines.vibevoice import adapters


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


def test_the_revision_depends_on_the_weights_and_not_on_the_path(checkpoint: Path, copy: Path) -> None:
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
def test_the_revision_depends_on_tokenizer_and_feature_extractor(
    copy: Path, name: str, old: str, new: str
) -> None:
    before, path = open_checkpoint(str(copy)).revision(), copy / name
    changed = path.read_text().replace(old, new, 1)
    assert changed != path.read_text()
    path.write_text(changed)
    assert open_checkpoint(str(copy)).revision() != before


def test_two_trainings_of_one_architecture_have_two_revisions(checkpoint: Path, tmp_path: Path) -> None:
    other = tiny.save(tmp_path, seed=9)
    assert VibeVoice(str(other)).revision() != VibeVoice(str(checkpoint)).revision()


def test_a_folder_without_a_checkpoint_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"has no config\.json"):
        VibeVoice(str(tmp_path)).revision()


def test_a_path_that_does_not_exist_is_refused() -> None:
    with pytest.raises(EngineError, match="neither a folder nor an id of the form owner/name"):
        VibeVoice("/nowhere/at/all").revision()


def test_an_id_that_cannot_be_downloaded_reports_what_was_tried(
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


def test_an_unsupported_variant_is_rejected(copy: Path) -> None:
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


def shard(folder: Path, count: int = 5) -> list[Path]:
    """Split a checkpoint's weights as large ones are published; returns the shards."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, places, files = sorted(weights), {}, []
    for number in range(count):
        file = folder / f"model-{number + 1:05}-of-{count:05}.safetensors"
        save_file({name: weights[name] for name in names[number::count]}, file)
        places.update(dict.fromkeys(names[number::count], file.name))
        files.append(file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return files


def test_a_sharded_checkpoint_has_the_tensors_of_the_whole(checkpoint: Path, copy: Path) -> None:
    shard(copy)
    found, whole = open_checkpoint(str(copy)).check(), open_checkpoint(str(checkpoint)).check()
    assert found.tensors.keys() == whole.tensors.keys()
    assert all(found.tensors[name].sample() == one.sample() for name, one in whole.tensors.items())
    assert found.revision() == whole.revision(), "shards are a form of storage"


def test_missing_shards_are_named(copy: Path) -> None:
    for file in shard(copy)[1:]:
        file.unlink()
    (problem,) = inspect_checkpoint(str(copy)).problems
    assert problem.endswith(
        "there is no model-00002-of-00005.safetensors, model-00003-of-00005.safetensors, "
        "model-00004-of-00005.safetensors and 1 more; the download is incomplete: run it again"
    )


def test_a_truncated_shard_is_named(copy: Path) -> None:
    file = shard(copy)[2]
    file.write_bytes(file.read_bytes()[:-1])
    (problem,) = inspect_checkpoint(str(copy)).problems
    assert problem.startswith("model-00003-of-00005.safetensors has ")
    assert problem.endswith("the download is incomplete; run it again")


def test_shards_without_their_index_are_refused(copy: Path) -> None:
    shard(copy)
    (copy / "model.safetensors.index.json").unlink()
    with pytest.raises(EngineError, match=r"no model\.safetensors\.index\.json, which lists the shards"):
        open_checkpoint(str(copy))


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"]
)
def test_a_pointer_of_git_lfs_is_refused_with_the_remedy(copy: Path, name: str) -> None:
    (copy / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5408000000\n")
    with pytest.raises(EngineError, match=rf"{name} is a Git LFS pointer .*run `git lfs pull` in {copy}"):
        open_checkpoint(str(copy)).check().generation  # noqa: B018  # reads the last of the files


def test_an_adapter_given_as_a_model_is_refused_with_its_right_place(
    checkpoint: Path, tmp_path: Path
) -> None:
    adapters.adapt_language_model(checkpoint, tmp_path / "alice" / "lora", targets=["q_proj"])
    (problem,) = inspect_checkpoint(str(tmp_path / "alice")).problems
    assert problem == (
        f"{tmp_path / 'alice'} is a LoRA adapter; name the model that it was trained for before it: "
        f"MODEL+lora:{tmp_path / 'alice'}"
    )


def test_an_adapter_with_a_configuration_of_its_own_is_refused_as_a_model(tmp_path: Path) -> None:
    """The training saves the language model whole where it has no adapter."""
    (tmp_path / "diffusion_head").mkdir()
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    assert "is a LoRA adapter" in inspect_checkpoint(str(tmp_path)).problems[0]


def test_a_model_with_adapters_in_its_folder_stays_a_model(copy: Path, checkpoint: Path) -> None:
    adapters.adapt_language_model(checkpoint, copy / "lora", targets=["q_proj"])
    assert inspect_checkpoint(str(copy)).usable


@pytest.mark.parametrize("name", ["vibevoice-1.5b-q8_0.gguf", "pytorch_model.bin"])
def test_another_format_is_named(copy: Path, name: str) -> None:
    (copy / "model.safetensors").rename(copy / name)
    with pytest.raises(EngineError, match=rf"{name} is not supported: use the model's safetensors"):
        open_checkpoint(str(copy))


def test_a_quantised_checkpoint_is_refused_with_the_remedy(copy: Path) -> None:
    change_config(copy, quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(EngineError, match=r"is quantised.*use the one in bfloat16, and `quantize` for 8-bit"):
        open_checkpoint(str(copy))


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


def test_the_report_names_problems(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    report = inspect_checkpoint(str(copy))
    assert not report.usable
    assert report.problems == ("there is no tokenizer.json; download it",)


def test_the_report_of_a_complete_checkpoint_has_no_problems(checkpoint: Path) -> None:
    report = inspect_checkpoint(str(checkpoint))
    assert report.usable
    assert (report.slots, report.revision) == (8, VibeVoice(str(checkpoint)).revision())


def test_the_report_names_too_small_a_device(checkpoint: Path) -> None:
    report = inspect_checkpoint(str(checkpoint), EngineSettings(memory_bytes=100 << 20))
    assert report.problems[0].endswith("0.1 GB are free")
