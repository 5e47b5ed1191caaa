"""Quoted speech in prose, which a second voice can speak."""

import re
from collections.abc import Iterable, Iterator

from pipeline.script.events import Event, speaker, words
from pipeline.script.turns import NARRATOR

QUOTED = "Quoted"
"""Name of the speaker of quoted speech; it is parted from narration if it is given a voice."""
_QUOTATION = re.compile(r"“[^“”]*(?:”|$)|\"[^\"]*(?:\"|$)|«[^«»]*(?:»|$)|„[^„“”]*(?:[“”]|$)")
_SPEECH_END = (",", ".", "!", "?", "…", "—", "–", "-", ";", ":")


def with_speakers(events: Iterable[Event]) -> Iterator[Event]:
    """Give quoted speech to `QUOTED` and everything else to the narrator."""
    current = NARRATOR
    for event in events:
        if event.kind != "words":
            yield event
            continue
        for name, text in parted(event.text):
            if name != current:
                yield speaker(event.line, name)
            current = name
            yield words(event.line, text)


def parted(text: str) -> list[tuple[str, str]]:
    """Part a paragraph into narration and quoted speech, by speaker.

    Words in quotes are speech if punctuation is before the closing quote, or if they are the paragraph.

    >>> parted("“You are late,” said Fox. “Go.”")
    [('Quoted', '“You are late,”'), ('Narrator', 'said Fox.'), ('Quoted', '“Go.”')]
    >>> parted("The “expert” said no.")
    [('Narrator', 'The “expert” said no.')]
    """
    parts: list[tuple[str, str]] = []
    position = 0
    for found in _QUOTATION.finditer(text):
        whole = not text[: found.start()].strip() and not text[found.end() :].strip()
        if not whole and not _is_speech(found[0]):
            continue
        _add(parts, NARRATOR, text[position : found.start()])
        _add(parts, QUOTED, found[0])
        position = found.end()
    _add(parts, NARRATOR, text[position:])
    return parts


def _is_speech(quotation: str) -> bool:
    inner = quotation[1:].rstrip('”"»“')
    return inner.rstrip().endswith(_SPEECH_END) and any(map(str.isalnum, inner))


def _add(parts: list[tuple[str, str]], name: str, text: str) -> None:
    """Add a part; one without a word, such as a full stop, goes to the part before it."""
    text = text.strip()
    if any(map(str.isalnum, text)) or (text and not parts):
        parts.append((name, text))
    elif text:
        last, before = parts[-1]
        parts[-1] = (last, f"{before}{text}")
