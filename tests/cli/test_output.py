"""Tests of output paths: folders always have a name, which files beside them get."""

from pathlib import Path

import pytest

from cli.output import output_of
from pipeline.errors import OptionError


@pytest.mark.parametrize("text", [".", "./", ""])
def test_the_current_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert (output_of(text).path, output_of(text).folder) == (tmp_path, True)


def test_a_parent_folder_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert (output_of("../").path, output_of("../").folder) == (tmp_path, True)


@pytest.mark.parametrize("text", ["/", "//"])
def test_the_root_of_the_file_system_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="has no name; choose a folder of the book's own"):
        output_of(text)
