"""Measured tests: what is not the voice does not shape it."""

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile
import soxr

from bench.harness.recordings import speech
from pipeline.arrays import Samples
from pipeline.engines.hibari.engine import _own_print
from pipeline.engines.hibari.vocal_tract import VocalTract, estimate, voiceprint
from pipeline.errors import VoiceError
from pipeline.voices.cleaning import clean, clipped_share, speech_bounds, speech_share
from tests.tools import slow

RATE_HZ = 16_000
PRESETS = ("wren", slow("heron"), slow("finch"), slow("crane+2"))
SPEECH_DB = -22.0


def level(samples: np.ndarray, decibel: float = SPEECH_DB) -> Samples:
    """Samples with an RMS level in dBFS."""
    return np.asarray(samples * 10 ** (decibel / 20) / np.sqrt(np.mean(samples**2)), np.float32)


@cache
def spoken(preset: str) -> Samples:
    return level(speech(preset=preset, sample_rate_hz=RATE_HZ))


def noise(count: int, decibel: float = SPEECH_DB, seed: int = 1) -> Samples:
    return level(np.random.default_rng(seed).standard_normal(count), decibel)


def time_s(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def hum(count: int, hertz: float, decibel: float) -> Samples:
    return level(np.sin(2 * np.pi * hertz * time_s(count / RATE_HZ)), decibel)


def voice_of(samples: Samples) -> VocalTract:
    return estimate(voiceprint(samples, RATE_HZ), _own_print())


@cache
def voice_of_preset(preset: str) -> VocalTract:
    return voice_of(spoken(preset))


def assert_close(found: VocalTract, expected: VocalTract) -> None:
    assert found.ratio == pytest.approx(expected.ratio, abs=0.03)
    assert found.pace == pytest.approx(expected.pace, abs=0.06)
    assert found.pitch == pytest.approx(expected.pitch, abs=0.03)


def moved(found: VocalTract, expected: VocalTract) -> float:
    return max(
        abs(found.ratio - expected.ratio), abs(found.pace - expected.pace), abs(found.pitch - expected.pitch)
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_clean_speech_stays_as_it_is(preset: str) -> None:
    cleaned = clean("Ann", spoken(preset), RATE_HZ)
    assert cleaned.notices == ()
    assert cleaned.samples.tobytes() == spoken(preset).tobytes()


SPOILT: dict[str, tuple[Callable[[Samples], Samples], str]] = {
    "an offset": (lambda s: s + np.float32(0.1), "a constant offset was removed"),
    "a great offset": (lambda s: s + np.float32(0.4), "a constant offset was removed"),
    "hum of 50 Hz": (lambda s: s + hum(len(s), 50, SPEECH_DB), "hum or rumble below 75 Hz was removed"),
    "hum of 60 Hz": (lambda s: s + hum(len(s), 60, SPEECH_DB), "hum or rumble below 75 Hz was removed"),
    "faint hum": (lambda s: s + hum(len(s), 50, SPEECH_DB - 15), "hum or rumble below 75 Hz was removed"),
}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("spoil", "notice"), SPOILT.values(), ids=SPOILT.keys())
def test_offsets_and_hum_do_not_shape_a_voice(
    preset: str, spoil: Callable[[Samples], Samples], notice: str
) -> None:
    cleaned = clean("Ann", spoil(spoken(preset)), RATE_HZ)
    assert cleaned.notices == (notice,)
    assert_close(voice_of(cleaned.samples), voice_of_preset(preset))


def test_an_offset_and_hum_do_shape_a_voice_that_is_not_cleaned() -> None:
    expected = voice_of_preset("heron")
    for name in ("an offset", "hum of 50 Hz"):
        assert moved(voice_of(SPOILT[name][0](spoken("heron"))), expected) > 0.1


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("room_db", [None, -60.0])
def test_silent_ends_do_not_shape_a_voice(preset: str, room_db: float | None) -> None:
    cleaned = clean("Ann", within_silence(preset, room_db), RATE_HZ)
    assert len(cleaned.samples) == pytest.approx(len(spoken(preset)), abs=0.6 * RATE_HZ)
    assert len(cleaned.notices) == 1
    assert cleaned.notices[0].endswith("s of silence at the end cut off")
    assert_close(voice_of(cleaned.samples), voice_of_preset(preset))


@pytest.mark.parametrize("preset", PRESETS)
def test_ends_with_the_noise_of_a_room_do_not_shape_the_pace(preset: str) -> None:
    cleaned = clean("Ann", within_silence(preset, -45), RATE_HZ)
    assert len(cleaned.samples) == pytest.approx(len(spoken(preset)), abs=0.7 * RATE_HZ)
    assert voice_of(cleaned.samples).pace == pytest.approx(voice_of_preset(preset).pace, abs=0.06)


def within_silence(preset: str, room_db: float | None = None) -> Samples:
    """Speech with 3 s of silence at both ends, in the noise of a room."""
    silence = np.zeros(3 * RATE_HZ, np.float32)
    samples = np.concatenate([silence, spoken(preset), silence])
    return samples if room_db is None else samples + noise(len(samples), room_db)


def test_silent_ends_do_shape_a_voice_that_is_not_cleaned() -> None:
    slow = voice_of(within_silence("finch+3"))
    assert voice_of_preset("finch+3").pace - slow.pace > 0.15


def test_clicks_within_silence_are_not_speech() -> None:
    samples = within_silence("wren")
    before = speech_bounds(samples, RATE_HZ)
    samples[RATE_HZ] = samples[-RATE_HZ] = 0.5
    assert speech_bounds(samples, RATE_HZ) == before


def test_recordings_with_too_little_speech_between_silence_are_refused() -> None:
    silence = np.zeros(3 * RATE_HZ, np.float32)
    word = spoken("wren")[RATE_HZ : RATE_HZ + RATE_HZ // 3]
    with pytest.raises(VoiceError, match=r"only 0\.\d s are not silent, less than 1 s"):
        clean("Ann", np.concatenate([silence, word, silence]), RATE_HZ)


def clipped(preset: str, gain_db: float, after: float = 0.5) -> Samples:
    samples = spoken(preset) / np.abs(spoken(preset)).max() * 10 ** (gain_db / 20)
    return np.asarray(after * np.clip(samples, -1, 1), np.float32)


@pytest.mark.parametrize("preset", PRESETS)
def test_clipped_recordings_are_noticed_and_badly_clipped_ones_refused(preset: str) -> None:
    assert clipped_share(spoken(preset)) == 0
    noticed = clean("Ann", clipped(preset, 9), RATE_HZ)
    assert noticed.notices[0].endswith("% of the recording is clipped; record at a lower level")
    assert_close(voice_of(noticed.samples), voice_of_preset(preset))
    with pytest.raises(VoiceError, match=r"% of the recording is clipped, more than 5%"):
        clean("Ann", clipped(preset, 24), RATE_HZ)


@pytest.mark.parametrize("preset", PRESETS)
def test_clipping_is_found_after_lossy_compression(preset: str) -> None:
    for gain_db, expected in ((0, False), (16, True)):
        file = io.BytesIO()
        soundfile.write(file, clipped(preset, gain_db), RATE_HZ, format="MP3")
        file.seek(0)
        found = clipped_share(soundfile.read(file, dtype="float32")[0])
        assert (found > 0.001) is expected


def melody(seconds: float, notes: tuple[int, ...], per_s: float = 4.0, depth: float = 0.0) -> np.ndarray:
    """Notes with eight harmonics, a fast onset and a slow decay; with vibrato."""
    dice = np.random.default_rng(1)
    played = []
    for _ in range(round(seconds * per_s)):
        at = time_s(1 / per_s)
        phase = 2 * np.pi * dice.choice(notes) * at + depth * np.sin(2 * np.pi * 5.5 * at)
        played.append(harmonics(phase / 2 / np.pi) * np.minimum(1, at / 0.02) * np.exp(-3 * at))
    return np.concatenate(played)


def harmonics(cycles: np.ndarray) -> np.ndarray:
    """Sum of eight harmonics at phases that make no steps."""
    orders = np.arange(1, 9)[:, None]
    return np.asarray((np.sin(2 * np.pi * orders * cycles + orders**2) / orders).sum(axis=0))


def drums(seconds: float) -> np.ndarray:
    dice = np.random.default_rng(1)
    beat = time_s(0.25)
    strokes = [
        dice.standard_normal(len(beat)) * np.exp(-beat / 0.03)
        + (number % 2) * 2 * np.sin(2 * np.pi * 60 * beat) * np.exp(-beat / 0.06)
        for number in range(round(4 * seconds))
    ]
    return np.concatenate(strokes)


NO_SPEECH: dict[str, Callable[[], np.ndarray]] = {
    "a sine": lambda: np.sin(2 * np.pi * 440 * time_s(4)),
    "a deep sine": lambda: np.sin(2 * np.pi * 120 * time_s(4)),
    "a sweep": lambda: np.sin(2 * np.pi * (100 + 100 * time_s(4)) * time_s(4)),
    "a dial tone": lambda: np.sin(2 * np.pi * 350 * time_s(4)) + np.sin(2 * np.pi * 440 * time_s(4)),
    "harmonics": lambda: harmonics(120 * time_s(4)),
    "white noise": lambda: noise(4 * RATE_HZ),
    "noise that swells like syllables": lambda: noise(4 * RATE_HZ) * np.abs(np.sin(4 * np.pi * time_s(4))),
    "a melody": lambda: melody(4, (262, 294, 330, 349, 392, 440)),
    "a low melody": lambda: melody(4, (110, 123, 131, 147, 165)),
    "a melody with vibrato": lambda: melody(4, (262, 294, 330, 349), depth=0.5),
    "chords": lambda: melody(4, (131, 165, 196), 1) + melody(4, (262, 330, 392), 2),
    "drums": lambda: drums(4),
    "a band": lambda: melody(4, (131, 165, 196), 2) + drums(4),
}


@pytest.mark.parametrize("made", NO_SPEECH.values(), ids=NO_SPEECH.keys())
def test_what_is_no_speech_is_refused_with_the_reason(made: Callable[[], np.ndarray]) -> None:
    with pytest.raises(VoiceError, match=r"is not speech: a voice is heard in \d%|is clipped") as caught:
        clean("Ann", level(made()), RATE_HZ)
    assert caught.value.voice == "Ann"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("above_db", [20, 10, 5])
def test_speech_in_noise_is_speech(preset: str, above_db: float) -> None:
    clear = spoken(preset)[: 4 * RATE_HZ]
    noisy = clear + noise(len(clear), SPEECH_DB - above_db)
    assert speech_share(noisy, RATE_HZ) > 0.5
    assert 0.2 <= speech_share(noisy, RATE_HZ, enough=0.2) < 0.25


def test_recordings_that_are_mostly_music_are_noticed() -> None:
    music = level(melody(6, (262, 294, 330, 349, 392, 440)))
    cleaned = clean("Ann", np.concatenate([spoken("wren")[: 3 * RATE_HZ], music]), RATE_HZ)
    assert cleaned.notices[0].startswith("only ")
    assert cleaned.notices[0].endswith("% of the recording is speech")


def test_long_recordings_of_a_high_sample_rate_are_cleaned() -> None:
    samples = np.resize(soxr.resample(spoken("crane+2"), RATE_HZ, 48_000), 60 * 48_000) + np.float32(0.2)
    cleaned = clean("Ann", samples, 48_000)
    assert cleaned.notices == ("a constant offset was removed",)
    assert abs(cleaned.samples.mean()) < 1e-4
