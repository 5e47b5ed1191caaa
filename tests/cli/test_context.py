from pathlib import Path

import pytest

from cli import context
from pipeline.errors import OptionError


def test_a_checkpoint_of_ones_own_is_known_beside_those_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("STATE", str(tmp_path)), ("MODELS", "house=/models/house"), ("MODEL", "house")):
        monkeypatch.setenv(f"VOXCHORD_{name}", value)
    found, model = context.with_engine(context.settings(), None, str(tmp_path / "mine"))
    assert model == "mine"
    assert found.checkpoint(model) == str(tmp_path / "mine")
    assert found.checkpoint(found.model) == "/models/house"


def test_a_folder_that_the_settings_can_t_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXCHORD_STATE", str(tmp_path))
    with pytest.raises(OptionError, match=r"model.*a,b' has a comma"):
        context.with_engine(context.settings(), None, str(tmp_path / "a,b"))
