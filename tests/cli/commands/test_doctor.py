"""`doctor --model` says what a checkpoint is, or what is wrong with it and what to do."""

import json
import sqlite3
from pathlib import Path

import pytest

from bench.harness import tiny
from tests.cli.conftest import Run
from tests.pipeline.engines.openai.speech_server import error, speech_server
from tests.pipeline.engines.vibevoice import adapters


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def test_a_history_of_a_later_release_is_named(ask: Run, tmp_path: Path) -> None:
    assert ask("jobs").returncode == 0
    with sqlite3.connect(tmp_path / "state" / "history.db") as history:
        history.execute("UPDATE alembic_version SET version_num = '9999'")
    done = ask("jobs")
    assert done.returncode == 0
    assert "a later release of voxchord made the history (revision 9999)" in done.stderr
    checked = ask("doctor", "--json")
    assert checked.returncode == 3
    (finding,) = (each for each in json.loads(checked.stdout) if each["what"] == "history")
    assert finding["state"] == "bad"
    assert "revision 9999" in finding["detail"]


def speech_server_finding(ask: Run, **settings: str) -> dict[str, str]:
    done = ask("doctor", "--json", **settings)
    assert "sk-secret" not in done.stdout + done.stderr
    (found,) = (each for each in json.loads(done.stdout) if each["what"] == "speech server")
    return dict(found)


def test_a_speech_server_is_asked_for_its_models_and_voices(ask: Run) -> None:
    assert speech_server_finding(ask)["state"] == "off"
    with speech_server() as server:
        given = {"VOXCHORD_OPENAI_URL": server.url, "VOXCHORD_OPENAI_KEY": "sk-secret"}
        server.models, server.voices = {"data": [{"id": "tts-1"}]}, {"voices": ["anna"]}
        found = speech_server_finding(ask, **given)
        assert (found["state"], found["detail"].split(": ")[1]) == (
            "ok",
            "models 1, voices 1; no default voices",
        )
        assert {each.headers["authorization"] for each in server.asked} == {"Bearer sk-secret"}
        server.models = error(401)
        assert speech_server_finding(ask, **given)["state"] == "bad"
    away = speech_server_finding(ask, **given)
    assert away["state"] == "bad"
    assert away["detail"].endswith("cannot be reached")
