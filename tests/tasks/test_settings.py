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


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"VOXCHORD_HANDOVER": "films", "VOXCHORD_LIBRARY": "x"}, "'films' is neither books nor all"),
        ({"VOXCHORD_HANDOVER": "all"}, "needs VOXCHORD_LIBRARY or"),
        ({"VOXCHORD_AUDIOBOOKSHELF_URL": "shelf:13378"}, "is no http or https address"),
        ({"VOXCHORD_AUDIOBOOKSHELF_URL": "http://[shelf"}, "is no http or https address"),
        ({"VOXCHORD_AUDIOBOOKSHELF_URL": "http://shelf:13378"}, "VOXCHORD_AUDIOBOOKSHELF_KEY.*is missing"),
        (
            {"VOXCHORD_AUDIOBOOKSHELF_URL": "http://shelf:13378", "VOXCHORD_AUDIOBOOKSHELF_KEY": "k\u00e9y"},
            "VOXCHORD_AUDIOBOOKSHELF_KEY.*not ASCII",
        ),
    ],
)
def test_settings_of_the_hand_over_are_checked(variables: dict[str, str], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        load(variables)


def test_versions_agree() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {VERSION}\n" in (ROOT / "CHANGELOG.md").read_text()
