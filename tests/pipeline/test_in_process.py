"""Commands as they are heard: whole renders of the embedded engine in this process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipeline.engines.hibari.engine import Hibari
from pipeline.in_process import render
from pipeline.planning.check import check
from pipeline.planning.lexicon import Lexicon
from pipeline.planning.pronunciation import Pronunciation
from pipeline.planning.request import JobOptions, accepted
from pipeline.script.parser import read
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

HIBARI = Hibari()
WORDS = "the boats lay on the beach and nobody had moved them for a week"


class Rendered:
    def __init__(self, text: str, folder: Path, lexicon: dict[str, Any] | None = None) -> None:
        registered = Voices(Store(str(folder / "voices")))
        pronunciation = Pronunciation(Lexicon(lexicon or {}))
        found = check(read(text), {}, engine=HIBARI, registered=registered, pronunciation=pronunciation)
        found.raise_for_problems()
        options = JobOptions("hibari", format="wav", verify="off")
        request = accepted(found, options, HIBARI.options({}), engine=HIBARI)
        self.store, self.manifest = render(request, HIBARI, registered, folder / "store")
        self.words = json.loads(self.store.objects.read(self.manifest["words"]["name"]) or b"[]")
        self.turns = json.loads(self.store.objects.read(self.manifest["turns"]["name"]) or b"[]")
        audio = folder / "audio.wav"
        audio.write_bytes(self.store.objects.read(self.manifest["audio"]["name"]) or b"")
        self.samples, self.rate_hz = soundfile.read(audio)

    def length_s(self, turn: int) -> float:
        return float(self.turns[turn]["end_s"] - self.turns[turn]["start_s"])

    def sound(self, turn: int) -> Any:
        start, end = (round(self.turns[turn][name] * self.rate_hz) for name in ("start_s", "end_s"))
        return self.samples[start:end]


def test_a_rate_changes_the_length_of_its_words_alone(tmp_path: Path) -> None:
    found = Rendered(
        f"{WORDS}.\n\n[rate:0.75]{WORDS}.[/rate]\n\n{WORDS}.\n\n[rate:1.5]{WORDS}.[/rate]", tmp_path
    )
    usual, slow, again, fast = map(found.length_s, range(4))
    assert again == pytest.approx(usual, rel=0.02)
    assert slow / usual == pytest.approx(1 / 0.75, rel=0.08)
    assert fast / usual == pytest.approx(1 / 1.5, rel=0.08)


def test_a_voice_within_a_turn_is_another_voice(tmp_path: Path) -> None:
    found = Rendered(f"{WORDS}. [voice:heron]{WORDS}.[/voice] {WORDS}.", tmp_path)
    assert [turn["speaker"] for turn in found.turns] == ["Narrator", "heron", "Narrator"]
    centres = [_centre_hz(found.sound(turn), found.rate_hz) for turn in range(3)]
    assert centres[1] < 0.9 * centres[0], "heron's vocal tract is longer"
    assert centres[2] == pytest.approx(centres[0], rel=0.05)


def test_spelled_words_take_longer_and_keep_their_place_in_the_word_times(tmp_path: Path) -> None:
    found = Rendered("My [spell]nasa[/spell] card.\n\nMy nasa card.", tmp_path)
    spelled, read_out = (
        next(word for word in found.words if word["turn"] == turn and word["word"] == "nasa")
        for turn in (0, 1)
    )
    lengths = [word["end_s"] - word["start_s"] for word in (spelled, read_out)]
    assert lengths[0] > 1.3 * lengths[1]
    assert [word["word"] for word in found.words] == ["My", "nasa", "card.", "My", "nasa", "card."]


def test_ipa_and_respelling_sound_alike_and_unlike_the_spelling(tmp_path: Path) -> None:
    lexicon = {"Nuala": {"ipa": "ˈsiːbɔːt"}}
    by_lexicon = Rendered("We took Nuala home.", tmp_path / "a", lexicon)
    by_tag = Rendered('We took <phoneme ph="ˈsiːbɔːt">Nuala</phoneme> home.', tmp_path / "b")
    as_written = Rendered("We took Nuala home.", tmp_path / "c")
    assert np.array_equal(by_lexicon.samples, by_tag.samples)
    assert not np.array_equal(by_lexicon.samples, as_written.samples)
    assert [word["word"] for word in by_tag.words] == ["We", "took", "Nuala", "home."]


def test_word_times_have_the_words_as_written_and_as_spoken(tmp_path: Path) -> None:
    text = "It cost $4 million at 8:30–9:15 in 2015, see [say:Noola]Nuala[/say] and [say:/stɪk/]him[/say]."
    found = Rendered(text, tmp_path)
    assert [(word["word"], word["spoken"]) for word in found.words] == [
        ("It", None),
        ("cost", None),
        ("$4", "four"),
        ("million", "million dollars"),
        ("at", None),
        ("8:30—9:15", "eight thirty to nine fifteen"),
        ("in", None),
        ("2015,", "twenty fifteen,"),
        ("see", None),
        ("Nuala", "Noola"),
        ("and", None),
        ("him.", None),
    ]
    times = [(word["start_s"], word["end_s"]) for word in found.words]
    assert all(start <= end for start, end in times)
    assert times == sorted(times)


def _centre_hz(samples: Any, rate_hz: int) -> float:
    """Centre of the spectrum's power below 4 kHz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    low = frequencies < 4000
    return float((power[low] * frequencies[low]).sum() / power[low].sum())
