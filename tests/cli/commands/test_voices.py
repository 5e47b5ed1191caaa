"""Tests of recordings passed to `render` and `submit` as files."""

from pathlib import Path

from bench.harness.recordings import recording
from cli.scripts import GivenVoices, register
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


def registered(given: dict[str, str], voices: Voices) -> dict[str, str]:
    found = register(GivenVoices(given, {}), voices)
    assert not found.unusable
    return found.voices


def test_files_with_equal_names_are_different_voices(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path / "store")))
    others = voices.add("voice", recording(3))
    files = [tmp_path / folder / "voice.wav" for folder in ("alice", "bob")]
    for number, file in enumerate(files, 1):
        file.parent.mkdir()
        file.write_bytes(recording(number))
    given = registered({"Alice": str(files[0]), "Bob": str(files[1]), "Carl": "voice"}, voices)
    hashes = [voices.resolve(name) for name in given.values()]
    assert len(set(hashes)) == 3
    assert hashes[2] == others
    assert registered({"Alice": str(files[0])}, voices) == {"Alice": given["Alice"]}


def test_files_named_like_presets_are_used(tmp_path: Path) -> None:
    voices, file = Voices(Store(str(tmp_path / "store"))), tmp_path / "wren.wav"
    file.write_bytes(recording(1))
    assert registered({"Carl": str(file)}, voices)["Carl"].startswith("wren-")
