"""Tests of recordings passed to `render` and `submit` as files."""

import io
from pathlib import Path

import numpy as np
import soundfile

from cli.scripts import register
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


def recording(hertz: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(hertz * 2 * np.pi * np.arange(24_000) / 16_000), 16_000, format="WAV")
    return file.getvalue()


def test_files_with_equal_names_are_different_voices(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path / "store")))
    others = voices.add("voice", recording(300))
    files = [tmp_path / folder / "voice.wav" for folder in ("alice", "bob")]
    for number, file in enumerate(files, 1):
        file.parent.mkdir()
        file.write_bytes(recording(100 * number))
    given = register({"Alice": str(files[0]), "Bob": str(files[1]), "Carl": "voice"}, voices)
    hashes = [voices.resolve(name) for name in given.values()]
    assert len(set(hashes)) == 3
    assert hashes[2] == others
    assert register({"Alice": str(files[0])}, voices) == {"Alice": given["Alice"]}


def test_files_named_like_presets_are_used(tmp_path: Path) -> None:
    voices, file = Voices(Store(str(tmp_path / "store"))), tmp_path / "wren.wav"
    file.write_bytes(recording(100))
    assert register({"Carl": str(file)}, voices)["Carl"].startswith("wren-")
