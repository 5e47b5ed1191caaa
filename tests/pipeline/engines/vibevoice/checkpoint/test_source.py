"""Names of models are read, and those that mean nothing are refused."""

from pathlib import Path

import pytest

from pipeline.engines.vibevoice.checkpoint.source import Source, locate, parse
from pipeline.errors import EngineError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vibevoice/VibeVoice-1.5B-hf", Source("vibevoice/VibeVoice-1.5B-hf")),
        ("/models/at@home", Source("/models/at@home")),
        ("/m+lora:/a", Source("/m", "/a", 1.0)),
        ("/m+lora:owner/alice@0.8", Source("/m", "owner/alice", 0.8)),
        ("/m+lora:/a@home@1.5", Source("/m", "/a@home", 1.5)),
    ],
)
def test_a_name_is_read(name: str, expected: Source) -> None:
    assert parse(name) == expected
    assert parse(str(expected)) == expected


@pytest.mark.parametrize("scale", ["11", "-0.1", "nan", "inf"])
def test_a_scale_out_of_range_is_refused(scale: str) -> None:
    with pytest.raises(EngineError, match=f"scale {scale} is not from 0 to 10"):
        parse(f"/m+lora:/a@{scale}")


def test_a_scale_that_is_no_number_is_refused_with_the_remedy() -> None:
    with pytest.raises(EngineError, match=r"'home' is not a number; .* as in /m\+lora:/a@home@1"):
        parse("/m+lora:/a@home")


@pytest.mark.parametrize("name", ["+lora:/a", "/m+lora:", "/m+lora:/a+lora:/b"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(EngineError, match="is not of the form CHECKPOINT"):
        parse(name)


def test_paths_become_absolute_and_hub_ids_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alice").mkdir()
    found = parse("owner/name+lora:alice@0.5").absolute()
    assert found == Source("owner/name", str(tmp_path / "alice"), 0.5)
    assert found.name == "name-alice-0.5"


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").touch()
    with pytest.raises(EngineError, match=r"model\.gguf' is a file; give the folder"):
        locate(str(tmp_path / "model.gguf"))
