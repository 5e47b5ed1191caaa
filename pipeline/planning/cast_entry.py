"""Entries of a cast: the voice, pace, level and other names of a speaker."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.errors import VoiceError
from pipeline.script.names import find, identity
from pipeline.script.turns import Script

KEYS = ("voice", "pace", "gain_db", "aliases")
PACE_MIN, PACE_MAX = 0.25, 4.0
GAIN_DB_MIN, GAIN_DB_MAX = -24.0, 12.0
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """Voice, pace, level and other names of a speaker."""

    voice: Any = None
    """A preset or a registered voice; None for the default."""
    pace: float = 1.0
    """Factor of the speaking rate."""
    gain_db: float = 0.0
    """Change of the level, after speakers are levelled against each other."""
    aliases: tuple[str, ...] = ()
    """Other names under which the speaker is written."""

    def given(self) -> Any:
        """The entry as a request has it: a voice alone, or a mapping."""
        found: dict[str, Any] = {} if self.voice is None else {"voice": self.voice}
        found |= {"pace": self.pace} if self.pace != 1.0 else {}
        found |= {"gain_db": self.gain_db} if self.gain_db else {}
        found |= {"aliases": list(self.aliases)} if self.aliases else {}
        return self.voice if found.keys() == {"voice"} else found


def entry_of(name: str, given: Any) -> Entry:
    """Read an entry of a request: a voice, or a mapping with `KEYS`.

    Raises:
        VoiceError: an unknown key, or a value that cannot be used.
    """
    if not isinstance(given, Mapping):
        return Entry(given)
    unknown = [str(key)[:_SHOWN] for key in given if key not in KEYS]
    if unknown:
        raise VoiceError(name, f"unknown key {unknown[0]!r}; there are {', '.join(KEYS)}")
    aliases = given.get("aliases") or []
    if not isinstance(aliases, list | tuple) or not all(isinstance(each, str) for each in aliases):
        raise VoiceError(name, "aliases is not a list of names")
    pace, gain_db = given.get("pace", 1.0), given.get("gain_db", 0.0)
    for key, value in (("pace", pace), ("gain_db", gain_db)):
        reason = number_problem(key, value)
        if reason:
            raise VoiceError(name, reason)
    return Entry(given.get("voice"), float(pace), float(gain_db), tuple(aliases))


def number_problem(key: str, value: Any) -> str | None:
    """Reason why a pace or a gain cannot be used; None if it can."""
    least, most = (PACE_MIN, PACE_MAX) if key == "pace" else (GAIN_DB_MIN, GAIN_DB_MAX)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{key} is not a number"
    return None if least <= value <= most else f"{key} {value:g} is not between {least:g} and {most:g}"


def with_voice(given: Any, voice: Any) -> Any:
    """The same entry with another voice."""
    return {**given, "voice": voice} if isinstance(given, Mapping) else voice


def voice_of(given: Any) -> Any:
    """Voice of an entry of a request; None if it has none."""
    return given.get("voice") if isinstance(given, Mapping) else given


def names_of(voices: Mapping[str, Any]) -> list[str]:
    """Names of all speakers, aliases included, which are evidence for the labels of a script."""
    return [*map(str, voices), *(alias for _, alias in _aliases(voices))]


def _aliases(voices: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Speaker and alias; entries that cannot be read have none."""
    for name, given in voices.items():
        aliases = given.get("aliases") if isinstance(given, Mapping) else None
        for alias in aliases if isinstance(aliases, list | tuple) else ():
            if isinstance(alias, str):
                yield str(name), alias


def with_names(script: Script, voices: Mapping[str, Any]) -> Script:
    """Give the turns of aliases to their speakers.

    Raises:
        VoiceError: two speakers have an alias, or it is the name of another.
    """
    owners: dict[str, str] = {identity(str(name)): str(name) for name in voices}
    for name, alias in _aliases(voices):
        owner = owners.setdefault(identity(alias), name)
        if owner != name:
            raise VoiceError(name, f"alias {alias[:_SHOWN]!r} is a name of {owner!r} already")
    renamed: dict[str, str] = {}
    for speaker in script.speakers:
        owner = owners.get(identity(speaker), "")
        if owner and identity(owner) != identity(speaker):
            renamed[speaker] = find(owner, script.speakers) or owner
    if not renamed:
        return script
    turns = tuple(
        replace(turn, speaker=renamed[turn.speaker]) if turn.speaker in renamed else turn
        for turn in script.turns
    )
    return replace(script, turns=turns)
