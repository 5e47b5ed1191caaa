"""Tests of the times of hibari's words: the sound is unchanged, and words are where they are heard."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hibari import Hibari as Voice
from hibari.voices import DEFAULT, voice_path

from pipeline.arrays import Arrays
from pipeline.engines.hibari import durations
from pipeline.engines.hibari.engine import SAMPLE_RATE_HZ, Hibari
from pipeline.engines.protocol import Line, Reference, SegmentText, Uncontrolled, Utterance

TEXTS = (
    "Hello and welcome to Planet in Peril.",
    "In 2015, it rose by 3.5% — that's $4 million for Dr. Smith's well-known shop!",
    "Okay... “so what?” I said; nobody answered, of course, and the rain began again.",
    "No.",
)
ENGINE = Hibari()


@cache
def voices() -> tuple[Voice, Voice]:
    """The voice as shipped, and with durations."""
    return Voice(threads=1), durations.load()


def conditions(text: str) -> Arrays:
    options = ENGINE.options({})
    return ENGINE.semantic(ENGINE.text(SegmentText((Line(0, text),), 1, 1), options), options)


def decoded(semantic: Arrays, preset: str = "wren") -> Sequence[Utterance]:
    options = ENGINE.options({})
    speaker = ENGINE.speaker(Reference(preset=preset), options)
    return ENGINE.diffusion(semantic, [speaker], 1, options, Uncontrolled())


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("speed", [0.7, 1.0, 1.4])
def test_the_further_output_leaves_the_sound_as_it_is(text: str, speed: float) -> None:
    shipped, extended = voices()
    for chunk in shipped.phonemize(text):
        inputs = {
            "ids": np.array([shipped.ids(chunk)], np.int64),
            "speed": np.array([speed], np.float32),
        }
        expected = shipped.sess.run(list(durations.SOUND), inputs)
        *found, frames = extended.sess.run([*durations.SOUND, durations.FRAMES], inputs)
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)
        assert frames.shape == (len(shipped.ids(chunk)),)
        assert 2 * frames.sum() == expected[-1].shape[-1]


def test_another_model_without_that_node_is_refused() -> None:
    import onnxruntime

    data = Path(voice_path(DEFAULT)).read_bytes()
    changed = durations.with_durations(data).replace(b"/Clip_output_0", b"/Clop_output_0")
    assert onnxruntime.InferenceSession(changed)  # renamed everywhere: the same graph
    with pytest.raises(Exception, match="Clip_output_0"):
        onnxruntime.InferenceSession(
            durations.with_durations(data.replace(b"/Clip_output_0", b"/Clop_output_0"))
        )


@pytest.mark.parametrize("text", TEXTS)
def test_phonemes_are_those_of_the_shipped_front_end(text: str) -> None:
    shipped, extended = voices()
    expected = [shipped.ids(chunk) for chunk in shipped.phonemize(text)]
    assert [ids for ids, _ in durations.phonemes(extended, text)] == expected


@pytest.mark.parametrize("preset", ["wren", "heron", "finch"])
@pytest.mark.parametrize("text", TEXTS)
def test_words_have_times_in_order_within_the_samples(text: str, preset: str) -> None:
    for utterance in decoded(conditions(text), preset):
        assert len(utterance.words) == len(utterance.text.split())
        edges = [edge for word in utterance.words for edge in word]
        assert edges == sorted(edges)
        assert edges[-1] <= len(utterance.samples)
        spoken = [end - start for start, end in utterance.words if end > start]
        assert min(spoken) > 0.02 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("preset", ["wren", "heron", "finch"])
def test_words_are_where_sound_is(preset: str) -> None:
    (utterance,) = decoded(conditions(TEXTS[0]), preset)
    energy = np.square(utterance.samples, dtype=np.float64)
    first, last = utterance.words[0][0], utterance.words[-1][1]
    inside = energy[first:last].sum() / energy.sum()
    assert inside > 0.97
    assert first > 0.15 * SAMPLE_RATE_HZ, "the pad before the first word is not a part of it"


def test_numbers_and_signs_belong_to_their_written_words() -> None:
    (utterance,) = decoded(conditions(TEXTS[1]))
    lengths_s = {
        word: (end - start) / SAMPLE_RATE_HZ
        for word, (start, end) in zip(utterance.text.split(), utterance.words, strict=True)
    }
    assert lengths_s["2015,"] > 0.8
    assert lengths_s["3.5%"] > 1.0
    assert lengths_s["—"] == 0
    assert lengths_s["million"] > 0.7, "dollars are spoken after it"
    assert lengths_s["for"] < 0.5


def test_conditions_of_an_earlier_release_have_no_word_times() -> None:
    found = conditions(TEXTS[0])
    earlier = Arrays({name: found.arrays[name] for name in ("ids", "chunks")}, found.meta)
    (expected,), (utterance,) = decoded(found), decoded(earlier)
    assert utterance.words == ()
    np.testing.assert_array_equal(utterance.samples, expected.samples)
