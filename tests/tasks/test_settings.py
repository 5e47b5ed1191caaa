"""Tests of the settings: their values, their errors, and the version."""

from pathlib import Path

import pytest

from pipeline.errors import OptionError
from tasks.settings import VERSION, load

ROOT = Path(__file__).parent.parent.parent


def test_settings_are_read_from_the_environment() -> None:
    given = load({"VOXCHORD_STALLED_S": "7", "VOXCHORD_METERING": "false", "VOXCHORD_MODELS": "a=/b,c=d/e"})
    assert (given.stalled_s, given.metering, given.models) == (7, False, {"a": "/b", "c": "d/e"})


@pytest.mark.parametrize(
    ("name", "value"), [("VOXCHORD_STALLED_S", "soon"), ("VOXCHORD_METERING", "maybe"), ("VOXCHORD_NO", "1")]
)
def test_invalid_settings_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(OptionError, match=name):
        load({name: value})


def test_versions_agree() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {VERSION}\n" in (ROOT / "CHANGELOG.md").read_text()
