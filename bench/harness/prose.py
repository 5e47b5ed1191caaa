"""Conversations in plain English, generated from a seed: as many different ones as a bench needs."""

import random
from collections.abc import Iterator

_PEOPLE = ("my sister", "the mayor", "our neighbour", "the captain", "her uncle", "a nurse", "the teacher")
_PLACES = ("by the river", "in the market", "behind the church", "at the harbour", "on the hill", "in town")
_TIMES = ("last winter", "in the spring of 1998", "two years ago", "on Monday morning", "before the storm")
_THINGS = ("a wooden boat", "the old piano", "twelve apple trees", "a letter from Canada", "the broken clock")
_VERBS = ("bought", "repaired", "sold", "found", "painted", "forgot", "measured", "carried home")
_VIEWS = ("wonderful", "rather strange", "completely useless", "too expensive", "quite beautiful", "unlikely")
_PATTERNS = (
    "{Person} {verb} {thing} {place}, and nobody asked why.",
    "I remember that {person} {verb} {thing} {time}.",
    "Do you really believe that {person} lives {place}?",
    "It cost {number} pounds, which I thought was {view}.",
    "We walked for {small} miles {place} before it began to rain.",
    "If {person} comes back, tell them about {thing}.",
    "There were {number} people {place}, and half of them had seen {thing}.",
    "That sounds {view}, but you should ask {person} first.",
    "{Time}, the water rose by almost {small} feet.",
    "Somebody left {thing} {place} and never returned.",
    "The report says that {number} houses were built {time}.",
    "Well, {person} told me the same story {place}.",
    "You could have {verb} {thing} without any help at all.",
    "Every evening the children sing {place} until the lamps go out.",
    "Nothing about this is simple, and {person} knows it better than we do.",
    "Perhaps the answer is {view}; let us wait and see what happens.",
    "They closed the bridge {time} because the stones were loose.",
    "A small dog followed {person} all the way home and slept under the table.",
    "Would you like some tea while we talk about {thing}?",
    "He opened the window, looked at the sky, and decided to stay another week.",
    "The train was {small} minutes late, so we missed the beginning of the concert.",
    "I have never understood how {person} {verb} {thing} so quickly.",
)
_SHORT = ("Is that so?", "I see.", "Of course not.", "Go on, please.", "That is true.", "How wonderful!")


def turns(seed: int, speakers: int) -> Iterator[tuple[int, str]]:
    """Yield turns without end: the speaker's number and one to four sentences."""
    chance = random.Random(seed)
    speaker = 0
    while True:
        sentences = [_sentence(chance) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.15:
            sentences = [chance.choice(_SHORT)]
        yield speaker, " ".join(sentences)
        speaker = (speaker + chance.randint(1, speakers - 1)) % speakers


def _sentence(chance: random.Random) -> str:
    person, time = chance.choice(_PEOPLE), chance.choice(_TIMES)
    return chance.choice(_PATTERNS).format(
        person=person,
        Person=person[0].upper() + person[1:],
        time=time,
        Time=time[0].upper() + time[1:],
        place=chance.choice(_PLACES),
        thing=chance.choice(_THINGS),
        verb=chance.choice(_VERBS),
        view=chance.choice(_VIEWS),
        number=chance.choice((12, 25, 40, 70, 150, 300, 1200)),
        small=chance.choice(("two", "three", "five", "nine", "eleven")),
    )
