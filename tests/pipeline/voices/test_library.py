import hashlib
from pathlib import Path

import numpy as np
import pytest

from bench.harness.recordings import speech, wav
from pipeline.engines.hibari.engine import SAMPLE_RATE_HZ
from pipeline.errors import MissingArtifactError, VoiceError
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tests.pipeline.voices.files import file


def test_voices_are_resolved_by_name(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path)))
    digest = voices.add("Ann of the Hill", wav(speech()))
    assert voices.add("Bob.2", wav(speech(preset="crane"))) != digest
    assert voices.names() == ["Ann of the Hill", "Bob.2"]
    assert voices.resolve("Ann of the Hill") == digest
    reference = voices.load(digest)
    assert reference.sample_rate_hz == SAMPLE_RATE_HZ
    np.testing.assert_array_equal(reference.samples, speech())


def test_recordings_are_stored_under_their_hash(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path)))
    samples = (np.rint(speech() * 2048) / 2048).astype(np.float32)
    digest = voices.add("Ann", file(samples[:, None], container="FLAC"))
    payload = voices.store.need(f"voices/recordings/{digest}")
    assert hashlib.sha256(payload).hexdigest() == digest
    assert voices.add("The same", wav(samples)) == digest, "the sound counts, not the file"


def test_reregistered_names_use_the_new_recording(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path)))
    first, second = (voices.add("Ann", wav(speech()[: seconds * SAMPLE_RATE_HZ])) for seconds in (3, 4))
    assert voices.resolve("Ann") == second != first
    assert voices.load(first).samples is not None


def test_what_was_removed_from_a_recording_is_noticed(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path)))
    shifted = wav(speech() * np.float32(0.5) + np.float32(0.2))
    voices.add("Ann", shifted)
    assert voices.notices("Ann") == ("a constant offset was removed",)
    reference = voices.load(voices.resolve("Ann"))
    assert reference.samples is not None
    assert abs(reference.samples.mean()) < 1e-4
    voices.add("Ann", wav(speech()))
    assert voices.notices("Ann") == ()
    assert voices.notices("Nobody") == ()


def test_unknown_voices_are_named_with_the_available_ones(tmp_path: Path) -> None:
    voices = Voices(Store(str(tmp_path)))
    with pytest.raises(VoiceError, match="available: none"):
        voices.resolve("Ann")
    voices.add("Bob", wav(speech()))
    with pytest.raises(VoiceError, match="'Ann': unknown; available: Bob"):
        voices.resolve("Ann")


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a" * 65, "é", "a\n", "a%2fb", " a", "-a"])
def test_names_with_path_characters_are_refused(tmp_path: Path, name: str) -> None:
    voices = Voices(Store(str(tmp_path)))
    with pytest.raises(VoiceError, match="names have letters"):
        voices.add(name, wav(speech()))
    with pytest.raises(VoiceError, match="names have letters"):
        voices.resolve(name)


@pytest.mark.parametrize("digest", ["", "../names/Ann", "0" * 64, "A" * 64])
def test_missing_recordings_raise(tmp_path: Path, digest: str) -> None:
    with pytest.raises(MissingArtifactError):
        Voices(Store(str(tmp_path))).load(digest)
