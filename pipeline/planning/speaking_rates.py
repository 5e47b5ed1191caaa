"""Speaking rates of a script's turns: a line's rate, its speaker's pace and the option `pace` multiply."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.engines.protocol import ANY_VOICE, Profile
from pipeline.planning.casting import Speaker
from pipeline.script.turns import Finding, Script, Turn


def paced(script: Script, speakers: Sequence[Speaker]) -> Script:
    """A script whose turns have the paces of their speakers."""
    paces = _paces(speakers)
    if not paces:
        return script
    turns = (replace(turn, rate=round(turn.rate * paces.get(turn.speaker, 1.0), 4)) for turn in script.turns)
    return replace(script, turns=tuple(turns))


def refused(turns: Sequence[Turn], speakers: Sequence[Speaker], profile: Profile) -> list[Finding]:
    """Find turns with a rate that the engine does not have, times the pace of their speaker.

    A pace that the engine does not have by itself is a problem of the cast.

    Args:
        turns: without the paces of their speakers.
    """
    paces = _paces(speakers)
    found = (
        Finding(turn.line, reason)
        for turn in turns
        if turn.rate != 1.0
        for reason in _refusals(turn.rate, paces.get(turn.speaker, 1.0), profile)
    )
    return list(dict.fromkeys(found))


def limited(
    turns: Sequence[Turn], speakers: Sequence[Speaker], profile: Profile, pace: Any = 1.0
) -> list[Finding]:
    """Find turns that are spoken at the limit of a voice instead: a notice per voice and rate.

    Args:
        turns: with the paces of their speakers.
        pace: the engine's option; one that is no number is refused elsewhere.
    """
    if not profile.voice_rates or isinstance(pace, bool) or not isinstance(pace, int | float):
        return []
    voices = {speaker.name: speaker for speaker in speakers}
    beyond: dict[tuple[str, float], Finding] = {}
    counts = Counter[tuple[str, float]]()
    for turn in turns:
        rate, speaker = round(turn.rate * pace, 4), voices.get(turn.speaker)
        if speaker is None:
            continue
        reason = _limitation(rate, speaker, profile)
        if reason is None:
            continue
        place = (speaker.voice, rate)
        counts[place] += 1
        beyond.setdefault(place, Finding(turn.line, reason))
    return [
        replace(finding, reason=f"{finding.reason}{_so_many_more(counts[place] - 1)}")
        for place, finding in beyond.items()
    ]


def _so_many_more(count: int) -> str:
    return f"; so {'is' if count == 1 else 'are'} {count} more" if count else ""


def _paces(speakers: Sequence[Speaker]) -> dict[str, float]:
    return {speaker.name: speaker.pace for speaker in speakers if speaker.pace != 1.0}


def _refusals(rate: float, pace: float, profile: Profile) -> Iterator[str]:
    total = round(rate * pace, 4)
    shown = f"rate {rate:g}" if pace == 1.0 else f"rate {rate:g} at a pace of {pace:g}, which is {total:g}"
    if profile.rates is None:
        remedy = "take [rate:…] out, or choose another engine"
        yield f"has {shown}, but engine {profile.name} has no other rate than its own; {remedy}"
    elif not profile.rates[0] <= total <= profile.rates[1]:
        yield f"has {shown}, but engine {profile.name} has {profile.rates[0]:g} to {profile.rates[1]:g}"


def _limitation(rate: float, speaker: Speaker, profile: Profile) -> str | None:
    """Reason why a voice is spoken at its limit; None within its limits."""
    is_named = speaker.hash.startswith("preset:") and speaker.voice in profile.voice_rates
    least, most = profile.voice_rates[speaker.voice if is_named else ANY_VOICE]
    if least <= rate <= most:
        return None
    nearest = least if rate < least else most
    if is_named:
        return f"has rate {rate:g} and is spoken at {nearest:g}, the limit of voice {speaker.voice}"
    return f"has rate {rate:g} and may be spoken at {nearest:g}, the limit of engine {profile.name}"
