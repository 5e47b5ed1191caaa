"""`doctor --model` says what a checkpoint is, or what is wrong with it and what to do."""

import json
from pathlib import Path

import pytest

from bench.harness import forked, tiny
from tests.cli.conftest import Run
from tests.pipeline.engines.vibevoice import adapters


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    forked.preload("pipeline.engines.vibevoice.device")
    return tiny.save(tmp_path_factory.mktemp("tiny"))


def findings(ask: Run, model: object, *, code: int) -> dict[str, list[str]]:
    """Details of the findings on a model, by what they are about."""
    done = ask("doctor", "--json", "--model", model)
    assert done.returncode == code, done.stderr
    found: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout):
        found.setdefault(finding["what"], []).append(finding["detail"])
    return found


def test_an_adapter_is_reported_beside_its_model(ask: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    adapters.adapt_language_model(checkpoint, folder)
    found = findings(ask, f"{checkpoint}+lora:{folder}@0.8", code=0)
    assert found["adapter"] == [f"{folder} changes 21 weights at scale 0.8"]
    assert "21 weights" not in str(findings(ask, checkpoint, code=0))


def test_an_adapter_in_place_of_a_model_is_named(ask: Run, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    adapters.adapt_language_model(checkpoint, folder)
    (problem,) = findings(ask, folder, code=3)["checkpoint"]
    assert "is a LoRA adapter" in problem
    assert problem.endswith(f"MODEL+lora:{folder}")


def test_of_many_problems_the_first_are_listed(ask: Run, checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 4
    (tmp_path / "config.json").write_text(json.dumps(config))
    problems = findings(ask, tmp_path, code=3)["checkpoint"]
    assert problems[0] == "the tensor model.language_model.layers.3.self_attn.q_proj.weight is missing"
    assert problems[5:] == ["and 7 more problems"]
