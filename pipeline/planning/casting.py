"""Casting: a voice for every speaker of a script.

Default voices are a function of the set of names: they depend neither on the order of the lines nor on how a
name is spelled. Every pair of a name and a voice has a fixed affinity (rendezvous hashing), and the highest
affinities are matched first, which gives the one stable matching. Another name moves only speakers with whom
it collides, and those with whom these collide in turn.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.engines.protocol import Profile
from pipeline.errors import VoiceError
from pipeline.planning.cast_entry import Entry, entry_of
from pipeline.script.names import find, skeleton
from pipeline.script.turns import NARRATOR
from pipeline.voices.library import Voices

_NAMES_SHOWN = 12
_VOICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+()-]{0,127}")
_NAME_SHOWN = 60
_NUMBERED = re.compile(r"speaker (\d{1,3})")
_PINNED = "give `--voice` or `--cast` (the task's `voices`) to pin them"


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker of a job with its voice."""

    name: str
    voice: str
    """Requested name: a preset of the engine or a registered recording."""
    hash: str
    """`preset:<name>`, or the SHA-256 of the recording."""
    pace: float = 1.0
    """Factor of the speaking rate of all its turns."""
    gain_db: float = 0.0
    """Change of its level."""


@dataclass(frozen=True, slots=True)
class CastProblem:
    """Reason why one speaker or several have no voice."""

    reason: str
    speaker: str = ""
    """The speaker, or the first of them; empty if nobody of that name speaks."""
    voice: str = ""
    """The voice that cannot be used; empty if none was given."""
    given: str = ""
    """The speaker's name as it was given beside the script."""


@dataclass(slots=True)
class Cast:
    """The speakers that have a voice, and why others have none."""

    speakers: list[Speaker] = field(default_factory=list)
    """Speakers, in the order in which they first speak."""
    problems: list[CastProblem] = field(default_factory=list)
    notices: list[tuple[str, str]] = field(default_factory=list)
    """(speaker, reason)."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A voice that was given for a speaker."""

    name: str
    """The speaker's name as it was given."""
    entry: Entry

    @property
    def voice(self) -> Any:
        return self.entry.voice


def cast(names: Sequence[str], voices: Mapping[str, Any], profile: Profile, registered: Voices) -> Cast:
    """Give every speaker a voice; nobody's problem hides another's.

    Args:
        names: speakers, in the order in which they first speak.
        voices: entries by the speaker's name, however that is spelled; see `pipeline.planning.cast_entry`.
    """
    result = Cast()
    given = _by_speaker(names, voices, result)
    waiting = [name for name in names if name not in given or given[name].voice is None]
    taken = {each.voice for each in given.values() if isinstance(each.voice, str)}
    defaults = {} if profile.reference_needed else default_voices(waiting, profile, taken=taken)
    for name in names:
        entry = given[name].entry if name in given else Entry()
        voice = defaults.get(name) if entry.voice is None else entry.voice
        result.problems += [
            CastProblem(reason, name, "", given[name].name) for reason in _beyond(entry, profile)
        ]
        if voice is None:
            continue
        try:
            speaker = _speaker(name, voice, profile, registered)
            result.speakers.append(replace(speaker, pace=entry.pace, gain_db=entry.gain_db))
        except VoiceError as error:
            result.problems.append(CastProblem(error.reason, name, error.voice, given[name].name))
            continue
        if not result.speakers[-1].hash.startswith("preset:"):
            notices = registered.notices(voice)
            result.notices += [(name, f"voice {voice!r}: {reason}") for reason in notices]
    without = [name for name in waiting if name not in defaults]
    if without:
        result.problems.append(CastProblem(_remedy(without, profile), without[0]))
    _notice_defaults(defaults, profile, result)
    return result


def _beyond(entry: Entry, profile: Profile) -> Iterator[str]:
    """Reasons why an engine cannot speak as an entry says."""
    if entry.pace != 1.0 and profile.rates is None:
        yield f"pace {entry.pace:g}: engine {profile.name} has no other rate than its own"
    elif entry.pace != 1.0 and profile.rates and not profile.rates[0] <= entry.pace <= profile.rates[1]:
        least, most = profile.rates
        yield f"pace {entry.pace:g}: engine {profile.name} has {least:g} to {most:g}"
    if entry.gain_db and not profile.separates_lines:
        yield f"gain_db {entry.gain_db:g}: engine {profile.name} does not report who speaks when"


def default_voices(
    names: Collection[str], profile: Profile, *, taken: Collection[str] = ()
) -> dict[str, str]:
    """Assign presets to names, then variations of presets, then all of them again.

    Args:
        taken: voices that other speakers were given.

    Returns:
        Voices by name. Names are missing if there are more than presets, and the engine cannot vary these.
    """
    keys = {skeleton(name): name for name in names}
    assigned: dict[str, str] = {}
    for voices in (profile.presets, profile.variations):
        waiting = [key for key in keys if key not in assigned]
        assigned |= _matched(waiting, [voice for voice in voices if voice not in taken], profile)
    if profile.variations:
        every = (*profile.presets, *profile.variations)
        assigned |= {key: _first(key, every, profile) for key in keys if key not in assigned}
    return {name: assigned[key] for key, name in keys.items() if key in assigned}


def _matched(keys: Sequence[str], voices: Sequence[str], profile: Profile) -> dict[str, str]:
    """Match speakers and voices by falling affinity, each at most once."""
    pairs = sorted(
        ((_affinity(key, voice, profile), key, voice) for key in keys for voice in voices), reverse=True
    )
    matched: dict[str, str] = {}
    used: set[str] = set()
    for _, key, voice in pairs:
        if key not in matched and voice not in used:
            matched[key] = voice
            used.add(voice)
    return matched


def _first(key: str, voices: Sequence[str], profile: Profile) -> str:
    """The voice with the highest affinity."""
    return max(voices, key=lambda voice: _affinity(key, voice, profile))


def _affinity(key: str, voice: str, profile: Profile) -> tuple[bool, bytes]:
    """Rank of a voice for a speaker, and of the speaker for the voice.

    `Narrator` and `Speaker 1` come first for the first voice, `Speaker 2` for the second, and so on.
    """
    numbered = _NUMBERED.fullmatch(key)
    place = int(numbered[1]) - 1 if numbered else 0 if key == skeleton(NARRATOR) else None
    voices = (*profile.presets, *profile.variations)
    home = place is not None and 0 <= place < len(voices) and voices[place] == voice
    return home, hashlib.blake2b(f"{voice}\0{key}".encode(), digest_size=8).digest()


def _notice_defaults(defaults: Mapping[str, str], profile: Profile, result: Cast) -> None:
    """Report default voices that are shared, varied, or depend on who else speaks."""
    for voice in dict.fromkeys(defaults.values()):
        sharing = [name for name, assigned in defaults.items() if assigned == voice]
        if len(sharing) > 1:
            result.notices.append((sharing[0], f"{_listed(sharing)} share the voice {voice}; {_PINNED}"))
    varied = [name for name, voice in defaults.items() if voice in profile.variations]
    if varied:
        result.notices.append(
            (
                varied[0],
                f"there are more speakers than presets: {_listed(varied)} "
                f"{'has a variation' if len(varied) == 1 else 'have variations'} of a preset; {_PINNED}",
            )
        )
    presets = profile.presets
    moved = [
        name
        for name, voice in defaults.items()
        if voice in presets and voice != _first(skeleton(name), presets, profile)
    ]
    if moved:
        result.notices.append(
            (
                moved[0],
                f"the default {'voice' if len(moved) == 1 else 'voices'} of {_listed(moved)} may change when "
                f"speakers are added or removed; {_PINNED}",
            )
        )


def _remedy(names: Sequence[str], profile: Profile) -> str:
    have = "has no voice" if len(names) == 1 else "have no voice"
    why = (
        f"engine {profile.name} needs a reference recording for every speaker"
        if profile.reference_needed
        else f"all {len(profile.presets)} presets of engine {profile.name} are assigned"
    )
    example = f'`--voice "{names[0]}={"NAME" if profile.named_voices else "FILE"}"`'
    return f"{_listed(names)} {have}: {why}; give {example} for each, or `--cast FILE` (the task's `voices`)"


def _listed(names: Sequence[str]) -> str:
    """Names for a message.

    >>> _listed(["Ann", "Bo", "Cy"])
    'Ann, Bo and Cy'
    """
    shown = list(names[:_NAMES_SHOWN])
    if len(names) > len(shown):
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _by_speaker(names: Sequence[str], voices: Mapping[str, Any], result: Cast) -> dict[str, _Given]:
    """Voices under the speakers' names as the script has them."""
    found: dict[str, _Given] = {}
    for each, entry in voices.items():
        name, speaker = str(each), find(str(each), names)
        try:
            found_entry = entry_of(name, entry)
        except VoiceError as error:
            result.problems.append(CastProblem(error.reason, speaker or "", name, name))
            continue
        voice = found_entry.voice
        if speaker is None:
            known = _listed(names) if names else "none"
            result.problems.append(
                CastProblem(
                    f"assigned to {name!r}, who does not speak; speakers: {known}", "", str(voice or ""), name
                )
            )
        elif speaker in found and found[speaker].voice != voice:
            reason = f"assigned to {name!r}, who already has {found[speaker].voice!r}"
            result.problems.append(CastProblem(reason, speaker, str(voice), name))
        elif found_entry != Entry():
            found[speaker] = _Given(name, found_entry)
    return found


def _speaker(name: str, voice: Any, profile: Profile, registered: Voices) -> Speaker:
    if not isinstance(voice, str):
        raise VoiceError(name, f"{voice!r} is not a voice name")
    if voice in profile.presets or voice in profile.variations:
        return Speaker(name, voice, f"preset:{voice}")
    if profile.named_voices:
        return Speaker(name, _checked_name(voice), f"preset:{voice}")
    digest = registered.find(voice)
    if digest is None:
        raise VoiceError(voice, f"unknown; available: {_available(profile, registered)}")
    return Speaker(name, voice, digest)


def _checked_name(voice: str) -> str:
    """Validate the name of a voice that only the speaker stage can find."""
    if not _VOICE_NAME.fullmatch(voice):
        raise VoiceError(voice[:_NAME_SHOWN], "not the name of a voice; the engine takes no recordings")
    return voice


def _available(profile: Profile, registered: Voices) -> str:
    kinds = {
        "presets": profile.presets,
        "variations": profile.variations,
        "recordings": registered.shared_names(),
    }
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names) or "none"
