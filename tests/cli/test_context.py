from pathlib import Path

import pytest

from cli import context
from pipeline.errors import OptionError


def test_own_checkpoints_are_added_to_those_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("STATE", str(tmp_path)), ("MODELS", "house=/models/house"), ("MODEL", "house")):
        monkeypatch.setenv(f"VOXCHORD_{name}", value)
    found, model = context.with_engine(context.settings(), None, str(tmp_path / "mine"))
    assert model == "mine"
    assert found.checkpoint(model) == str(tmp_path / "mine")
    assert found.checkpoint(found.model) == "/models/house"


def test_folders_that_settings_cannot_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXCHORD_STATE", str(tmp_path))
    with pytest.raises(OptionError, match=r"model.*a,b' contains a comma"):
        context.with_engine(context.settings(), None, str(tmp_path / "a,b"))


def test_a_model_with_an_adapter_gets_a_name_and_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXCHORD_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("VOXCHORD_MODELS", "")
    monkeypatch.chdir(tmp_path)
    for name in ("base", "alice"):
        (tmp_path / name).mkdir()
    found, model = context.with_engine(context.settings(), None, "base+lora:alice@0.8")
    assert model == "base-alice-0.8"
    assert found.checkpoint(model) == f"{tmp_path / 'base'}+lora:{tmp_path / 'alice'}@0.8"
