"""Adapters are merged like peft does, and rejected if they do not fit."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import VibeVoiceForConditionalGeneration

from pipeline.engines.vibevoice.checkpoint.files import open_checkpoint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.inspection import inspect_checkpoint
from pipeline.errors import EngineError
from tests.pipeline.engines.vibevoice import adapters
from tests.pipeline.engines.vibevoice.original_layout import Head

CPU = torch.device("cpu")
ATTENTION = "base_model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.fixture(scope="module")
def trained(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapter of two projections of the language model."""
    folder = tmp_path_factory.mktemp("trained") / "alice"
    adapters.adapt_language_model(checkpoint, folder, targets=["q_proj", "down_proj"])
    return folder


@pytest.fixture
def adapter(trained: Path, tmp_path: Path) -> Path:
    """Copy of that adapter, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "alice"))


def opened(checkpoint: Path, adapter: Path, scale: float = 1.0) -> Weights:
    named = f"{checkpoint}+lora:{adapter}@{scale}"
    return Weights(open_checkpoint(named).check(), torch.float32, CPU)


def differences(weights: Weights, expected: adapters.Weights) -> Iterator[float]:
    """Largest error of each weight."""
    for name, weight in expected.items():
        yield float((weights(name) - weight).abs().max())


def change_settings(adapter: Path, **values: object) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_tensors(adapter: Path, change: dict[str, torch.Tensor | None]) -> None:
    """Add tensors to an adapter's file, or take those out that are None."""
    file = adapter / "adapter_model.safetensors"
    found = load_file(file) | change
    save_file({name: one for name, one in found.items() if one is not None}, file)


# -- merging ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 0.8])
@pytest.mark.parametrize(
    "others",
    [
        {},
        {"use_rslora": True, "r": 3},
        {"targets": r".*\.(1|2)\.(mlp\.up_proj|self_attn\.[qo]_proj)"},
        {"layers_to_transform": [1], "layers_pattern": "layers"},
        {"fan_in_fan_out": True},
        {"rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.up_proj": 8}, "alpha_pattern": {"v_proj": 40}},
        {"init_lora_weights": "gaussian", "lora_dropout": 0.05},
    ],
    ids=lambda given: "-".join(given) or "plain",
)
@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to True:UserWarning")
def test_the_language_model_equals_what_peft_merges(
    checkpoint: Path, tmp_path: Path, scale: float, others: dict[str, Any]
) -> None:
    expected = adapters.adapt_language_model(checkpoint, tmp_path, scale=scale, **others)
    base, found = load_file(checkpoint / "model.safetensors"), opened(checkpoint, tmp_path, scale)
    assert max(differences(found, expected)) <= 1e-7
    assert found.merge is not None
    changed = {name for name in expected if not torch.equal(found(name), base[name])}
    assert changed == {name for name in expected if not torch.equal(expected[name], base[name])}
    assert changed == found.merge.changes.keys()


def test_the_diffusion_head_equals_what_peft_merges(checkpoint: Path, tmp_path: Path) -> None:
    expected = adapters.adapt_head(checkpoint, tmp_path, scale=0.8)
    found = opened(checkpoint, tmp_path, 0.8)
    assert max(differences(found, expected)) <= 1e-7
    assert found.merge is not None
    assert len(found.merge.changes) == 2 + 3 * 2 + 1, "two at the start, three in each layer, one at the end"


def test_an_adapter_of_transformers_own_classes_fits(checkpoint: Path, tmp_path: Path) -> None:
    """Its names begin at the whole model, and the head's are transformers'."""
    model = VibeVoiceForConditionalGeneration.from_pretrained(checkpoint)
    wrapped = adapters.adapt(model, adapters.settings(["q_proj", "cond_proj", "linear_2"]), tmp_path)
    expected = adapters.merged(wrapped, "")
    expected.pop("lm_head.weight")
    assert max(differences(opened(checkpoint, tmp_path), expected)) <= 1e-7


def test_an_adapter_saved_as_a_pickle_fits(checkpoint: Path, adapter: Path) -> None:
    expected = opened(checkpoint, adapter)("model.language_model.layers.0.self_attn.q_proj.weight")
    file = adapter / "adapter_model.safetensors"
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    found = opened(checkpoint, adapter)("model.language_model.layers.0.self_attn.q_proj.weight")
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", ["acoustic", "semantic"])
def test_a_whole_connector_replaces_the_checkpoints(checkpoint: Path, tmp_path: Path, kind: str) -> None:
    expected = adapters.replace_connector(checkpoint, tmp_path, kind)
    found = opened(checkpoint, tmp_path)
    assert len(expected) == 5
    assert max(differences(found, expected)) == 0


def test_a_scale_goes_that_part_of_the_way_to_whole_weights(checkpoint: Path, tmp_path: Path) -> None:
    expected = adapters.replace_connector(checkpoint, tmp_path, "acoustic", scale=0.25)
    assert max(differences(opened(checkpoint, tmp_path, 0.25), expected)) == 0
    base = load_file(checkpoint / "model.safetensors")
    assert all(torch.equal(opened(checkpoint, tmp_path, 0)(name), base[name]) for name in expected)


@pytest.mark.parametrize("name", ["diffusion_head/model.safetensors", "diffusion_head_full.bin"])
def test_a_whole_diffusion_head_replaces_the_checkpoints(checkpoint: Path, tmp_path: Path, name: str) -> None:
    whole = {name: 2 * one for name, one in Head(checkpoint).base.state_dict().items()}
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    if file.suffix == ".bin":
        torch.save(whole, file)
    else:
        save_file(whole, file)
    found = opened(checkpoint, tmp_path)
    base = load_file(checkpoint / "model.safetensors")
    head = [name for name in base if name.startswith("model.diffusion_head.")]
    assert len(head) == len(whole)
    assert all(torch.equal(found(name), 2 * base[name]) for name in head)


def test_an_adapter_of_the_head_goes_before_the_copy_beside_it(checkpoint: Path, tmp_path: Path) -> None:
    """The training always writes the whole head as well, with names of peft's own."""
    expected = adapters.adapt_head(checkpoint, tmp_path)
    torch.save({"base_model.model.base.cond_proj.base_layer.weight": 1}, tmp_path / "diffusion_head_full.bin")
    assert max(differences(opened(checkpoint, tmp_path), expected)) <= 1e-7


def test_the_output_of_a_training_is_an_adapter_too(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    shutil.move(adapter, tmp_path / "output" / "lora")
    assert opened(checkpoint, tmp_path / "output").merge is not None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_merged_weights_are_those_of_a_checkpoint_merged_beforehand(
    half: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    """Merged weights are rounded to the checkpoint's own type, whatever the type of arithmetic."""
    adapter, saved = tmp_path / "adapter", shutil.copytree(half, tmp_path / "saved")
    adapters.adapt_language_model(half, adapter)
    named = open_checkpoint(f"{half}+lora:{adapter}@0.7").check()
    exact = Weights(named, torch.float64, CPU)
    names = named.architecture.shapes()
    adapters.replace_weights(saved, {name: exact(name) for name in names})
    merged, beforehand = (
        Weights(open_checkpoint(name).check(), dtype, CPU)
        for name in (f"{half}+lora:{adapter}@0.7", str(saved))
    )
    assert all(torch.equal(merged(name), beforehand(name)) for name in names)
    assert not torch.equal(
        merged("model.language_model.layers.0.mlp.up_proj.weight"),
        Weights(open_checkpoint(str(half)), dtype, CPU)("model.language_model.layers.0.mlp.up_proj.weight"),
    )


# -- revision ----------------------------------------------------------------------------------------


def test_the_revision_depends_on_the_adapter_and_its_scale(checkpoint: Path, adapter: Path) -> None:
    def revision(name: object) -> str:
        return open_checkpoint(str(name)).revision()

    first = revision(f"{checkpoint}+lora:{adapter}")
    assert first == revision(f"{checkpoint}+lora:{adapter}@1")
    assert len({revision(checkpoint), first, revision(f"{checkpoint}+lora:{adapter}@0.8")}) == 3
    change_settings(adapter, lora_alpha=17)
    second = revision(f"{checkpoint}+lora:{adapter}")
    change_tensors(adapter, {ATTENTION: torch.zeros(4, 64)})
    assert len({first, second, revision(f"{checkpoint}+lora:{adapter}")}) == 3


def test_the_revision_does_not_depend_on_the_path(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(adapter, tmp_path / "other")
    first, second = (
        open_checkpoint(f"{checkpoint}+lora:{folder}@0.8").revision() for folder in (adapter, copy)
    )
    assert first == second


# -- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"peft_type": "IA3"}, "an adapter of type 'IA3'; only 'LORA' can be merged"),
        ({"use_dora": True}, "use_dora = True is not supported"),
        ({"bias": "lora_only"}, "bias = 'lora_only' is not supported"),
        ({"lora_bias": True}, "lora_bias = True is not supported"),
        ({"modules_to_save": ["lm_head"]}, r"modules_to_save = \['lm_head'\] is not supported"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights = 'pissa' is not supported"),
        ({"alora_invocation_tokens": [1, 2]}, r"alora_invocation_tokens = \[1, 2\] is not supported"),
        ({"invented_next_year": {"a": 1}}, "invented_next_year = {'a': 1} is not supported"),
        ({"r": 8}, r"down_proj has A \(4, 96\) and B \(64, 4\); for rank 8 .* should be \(8, 96\)"),
        ({"r": None}, r"adapter_config\.json lacks an entry or has one of the wrong type"),
        ({"target_modules": ["q_proj"]}, r"layers\.0\.mlp\.down_proj, which it does not target"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_merged_are_named(
    checkpoint: Path, adapter: Path, values: dict[str, object], reason: str
) -> None:
    change_settings(adapter, **values)
    with pytest.raises(EngineError, match=reason):
        opened(checkpoint, adapter)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({ATTENTION: None}, r"incomplete: layers\.0\.self_attn\.q_proj has no lora_A"),
        (
            {
                "base_model.model.layers.7.mlp.down_proj.lora_A.weight": torch.zeros(4, 96),
                "base_model.model.layers.7.mlp.down_proj.lora_B.weight": torch.zeros(64, 4),
            },
            r"changes layers\.7\.mlp\.down_proj, which the model does not have",
        ),
        (
            {ATTENTION.replace("lora_A.weight", "lora_magnitude_vector"): torch.zeros(64)},
            "lora_magnitude_vector, but only LoRA of linear layers is supported",
        ),
        (
            {
                "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": torch.zeros(4, 64),
                "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": torch.zeros(64, 4),
            },
            r"changes model\.language_model\.layers\.0\.self_attn\.q_proj\.weight twice",
        ),
        ({ATTENTION: torch.zeros(4, 128)}, r"A \(4, 128\) and B \(64, 4\).*trained for another model"),
    ],
    ids=["no-A", "unknown-module", "magnitudes", "twice", "shape"],
)
def test_tensors_that_do_not_fit_are_named(
    checkpoint: Path, adapter: Path, tensors: dict[str, torch.Tensor | None], reason: str
) -> None:
    change_tensors(adapter, tensors)
    with pytest.raises(EngineError, match=reason):
        opened(checkpoint, adapter)


@pytest.mark.parametrize("module", ["lm_head", "model.language_model.embed_tokens"])
def test_an_adapter_of_the_vocabulary_is_refused(untied: Path, adapter: Path, module: str) -> None:
    """The CPU stage reads rows of these tables without the device."""
    rows = open_checkpoint(str(untied)).architecture.language.vocabulary
    sides = {f"{module}.lora_A.weight": torch.zeros(4, 64), f"{module}.lora_B.weight": torch.zeros(rows, 4)}
    change_settings(adapter, target_modules=["q_proj", "down_proj", module])
    change_tensors(adapter, dict(sides))
    with pytest.raises(
        EngineError, match=rf"changes {module}, which the model does not have or which cannot"
    ):
        opened(untied, adapter)


def test_an_adapter_of_convolutions_is_refused(checkpoint: Path, adapter: Path) -> None:
    module = "model.audio_tower.encoder.stem.conv.conv"
    sides = {f"{module}.lora_A.weight": torch.zeros(4, 1, 7), f"{module}.lora_B.weight": torch.zeros(2, 4, 1)}
    change_settings(adapter, target_modules=["q_proj", "down_proj", "conv"])
    change_tensors(adapter, dict(sides))
    with pytest.raises(EngineError, match=r"stem\.conv\.conv, which is not a linear layer"):
        opened(checkpoint, adapter)


def test_a_connector_of_another_model_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "semantic_connector").mkdir()
    torch.save({"fc1.weight": torch.zeros(64, 128)}, tmp_path / "semantic_connector" / "pytorch_model.bin")
    with pytest.raises(
        EngineError, match=r"fc1\.weight in the shape \(64, 128\), and the model has \(64, 24\)"
    ):
        opened(checkpoint, tmp_path)


class Unwanted:
    """An object that a pickle could run code with."""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no pickle", "is damaged, or not a file of tensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (Unwanted(), "is damaged, or not a file of tensors"),
        ([1, 2], "is not a dictionary of tensors"),
    ],
    ids=["damaged", "pointer", "object", "list"],
)
def test_a_pickle_of_anything_else_is_refused(
    checkpoint: Path, tmp_path: Path, content: object, reason: str
) -> None:
    file = tmp_path / "acoustic_connector" / "pytorch_model.bin"
    file.parent.mkdir()
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(EngineError, match=reason):
        opened(checkpoint, tmp_path)


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_half_an_adapter_is_refused(checkpoint: Path, adapter: Path, missing: str) -> None:
    (adapter / missing).unlink()
    with pytest.raises(EngineError, match=rf"is incomplete: there is no {missing}"):
        opened(checkpoint, adapter)


def test_a_truncated_adapter_is_refused(checkpoint: Path, adapter: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(EngineError, match="the download is incomplete; run it again"):
        opened(checkpoint, adapter)


def test_a_folder_without_an_adapter_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"is not a LoRA adapter: it has no adapter_config\.json"):
        opened(checkpoint, tmp_path)


def test_an_adapter_that_does_not_exist_is_refused(checkpoint: Path) -> None:
    with pytest.raises(EngineError, match="no adapter: '/nowhere' is neither a folder nor an id"):
        opened(checkpoint, Path("/nowhere"))


# -- report ----------------------------------------------------------------------------------------


def test_the_report_counts_the_adapted_weights(checkpoint: Path, adapter: Path) -> None:
    report = inspect_checkpoint(f"{checkpoint}+lora:{adapter}@0.8")
    assert report.usable
    assert (report.adapter, report.adapter_scale, report.adapted) == (str(adapter), 0.8, 6)


def test_the_report_says_what_is_wrong_with_a_pickle(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "semantic_connector").mkdir()
    torch.save({"fc3.weight": torch.zeros(1)}, tmp_path / "semantic_connector" / "pytorch_model.bin")
    (problem,) = inspect_checkpoint(f"{checkpoint}+lora:{tmp_path}").problems
    assert "changes fc3.weight, which the model does not have" in problem
