"""One script in each dialect, rendered: it sounds the same in all, and a recogniser hears the words alone."""

import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.harness.dialects import DIALECTS, Turns, random_turns
from bench.harness.listening import Comparison, compare, normal_words, transcribe
from tests.tasks.conftest import Service

NAMES = ("Nora", "Theo", "Mara", "Edwin", "Jonas", "Ilse", "Dr. Watson", "Captain Hale")
SENTENCES = (
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The hogs were fed chopped corn and garbage.",
    "The boy was there when the sun rose.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
    "The salt breeze came across from the sea.",
    "The girl at the booth sold fifty bonds.",
    "The train to the coast leaves at half past nine.",
    "She has two dogs, three cats and one bird.",
    "You said that the fourth board was rotten!",
    "Is it good to be here again?",
)
"""Sentences that the recogniser writes down word for word, so that a difference is the render's."""
UNSPOKEN = (
    "quietly laughing laughs sighs fade interior exterior kitchen night day cut continued speaker character "
    "text line emotion calm title dialogue clock turn arrow bracket dash colon slash asterisk quote"
)
"""Words of directions, scene headings, keys and marks in the dialects."""
ERROR_RATE_MAX = 0.03
"""Bound of word errors over all scripts; measured: 0.0006, and no word missed or added."""


@dataclass(frozen=True)
class Render:
    """One finished job of a script."""

    turns: Turns
    manifest: Mapping[str, Any]
    audio: bytes

    @property
    def said(self) -> str:
        return " ".join(text for _, text in self.turns)


def turns_of(dialect: str) -> Turns:
    return random_turns(random.Random(dialect), NAMES, returns=True, sentences=SENTENCES)


def rendered(service: Service, scripts: Mapping[str, str | Sequence[Mapping[str, str]]]) -> dict[str, Any]:
    """Manifests of scripts that are rendered at the same time."""
    sent = {name: service.send(script, options={"format": "wav"}) for name, script in scripts.items()}
    return {name: result.get(timeout=300) for name, result in sent.items()}


@pytest.mark.parametrize("dialect", ["bold, colon outside", "time before", "screenplay", "vtt", "csv"])
def test_a_script_sounds_the_same_in_every_dialect(service: Service, dialect: str) -> None:
    turns = turns_of("the same")[:3]
    turns = [*turns, (turns[0][0], "Is that so?")]
    listed = [{"speaker": name, "text": text} for name, text in turns]
    found = rendered(service, {"turns": listed, dialect: DIALECTS[dialect].write(turns)})
    if DIALECTS[dialect].form != "screenplay":  # which writes the names in capitals
        speakers = [(each["name"], each["words"]) for each in found[dialect]["script"]["speakers"]]
        assert speakers == [(each["name"], each["words"]) for each in found["turns"]["script"]["speakers"]]
    assert service.audio(found[dialect]) == service.audio(found["turns"])


@pytest.fixture(scope="module")
def renders(service: Service) -> dict[str, Render]:
    turns = {dialect: turns_of(dialect) for dialect in DIALECTS}
    manifests = rendered(service, {name: DIALECTS[name].write(turns[name]) for name in DIALECTS})
    return {
        name: Render(turns[name], manifest, service.audio(manifest)) for name, manifest in manifests.items()
    }


@pytest.fixture(scope="module")
def comparisons(renders: dict[str, Render]) -> dict[str, Comparison]:
    found = {}
    for name, render in renders.items():
        samples, rate_hz = soundfile.read(io.BytesIO(render.audio), dtype="float32")
        found[name] = compare(render.said, transcribe(np.asarray(samples), rate_hz))
    return found


@pytest.mark.listen
@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_label_tag_or_time_is_heard_and_no_word_is_missed(
    renders: dict[str, Render], comparisons: dict[str, Comparison], dialect: str
) -> None:
    found, render = comparisons[dialect], renders[dialect]
    assert found.missed == ()
    more = [*found.added, *(word for _, heard in found.replaced for word in heard.split())]
    names = " ".join(name for name, _ in render.turns)
    unspoken = {*normal_words(names), *UNSPOKEN.split()} - set(normal_words(render.said))
    assert not unspoken & set(more)
    assert not [word for word in found.added if any(map(str.isdigit, word))]
    assert found.error_rate <= 2 * ERROR_RATE_MAX, found


@pytest.mark.listen
def test_few_words_are_heard_as_others(comparisons: dict[str, Comparison]) -> None:
    errors = sum(found.errors for found in comparisons.values())
    assert errors / sum(found.words for found in comparisons.values()) <= ERROR_RATE_MAX


@pytest.mark.listen
def test_a_label_that_is_read_aloud_is_heard(service: Service) -> None:
    """Control: read as prose, the same script's labels are heard."""
    turns = turns_of("plain")
    sent = service.send(DIALECTS["plain"].write(turns), options={"format": "wav", "form": "prose"})
    samples, rate_hz = soundfile.read(io.BytesIO(service.audio(sent.get(timeout=60))), dtype="float32")
    found = compare(" ".join(text for _, text in turns), transcribe(np.asarray(samples), rate_hz))
    assert len(found.added) >= len(turns) / 2
