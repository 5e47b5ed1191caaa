"""Casting: a voice for every speaker of a script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engines.protocol import Profile
from pipeline.errors import VoiceError
from pipeline.script.names import find
from pipeline.voices.library import Voices


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker of a job with its voice."""

    name: str
    voice: str
    """Requested name: a preset of the engine or a registered recording."""
    hash: str
    """`preset:<name>`, or the SHA-256 of the recording."""


@dataclass(slots=True)
class Cast:
    """The speakers that have a voice, and why others have none."""

    speakers: list[Speaker] = field(default_factory=list)
    """Speakers, in the order in which they first speak."""
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    """(speaker or "", voice or speaker, reason)."""


def cast(names: Sequence[str], voices: Mapping[str, Any], profile: Profile, registered: Voices) -> Cast:
    """Give every speaker a voice; nobody's problem hides another's.

    Args:
        names: speakers, in the order in which they first speak.
        voices: a preset or a registered voice by the speaker's name, however that is spelled.
    """
    result = Cast()
    given = _by_speaker(names, voices, result)
    free = [preset for preset in profile.presets if preset not in given.values()]
    for name in names:
        voice = given.get(name)
        if voice is None and profile.reference_needed:
            result.problems.append(
                (name, name, f"engine {profile.name} needs a reference recording for every speaker")
            )
            continue
        if voice is None and not free:
            count = len(profile.presets)
            result.problems.append(
                (
                    name,
                    name,
                    f"no voice left: all {count} presets are assigned; {_remedy(name, profile)}",
                )
            )
            continue
        try:
            result.speakers.append(
                _speaker(name, free.pop(0) if voice is None else voice, profile, registered)
            )
        except VoiceError as error:
            result.problems.append((name, error.voice, error.reason))
    return result


def _remedy(name: str, profile: Profile) -> str:
    presets = ", ".join(profile.presets)
    return f'give `--voice "{name}=VOICE"` with a recording, or one of {presets} for two speakers'


def _by_speaker(names: Sequence[str], voices: Mapping[str, Any], result: Cast) -> dict[str, Any]:
    """Voices under the speakers' names as the script has them."""
    found: dict[str, Any] = {}
    for name, voice in voices.items():
        speaker = find(str(name), names)
        if speaker is None:
            known = ", ".join(names[:8]) or "none"
            result.problems.append(
                ("", str(voice), f"assigned to {name!r}, who does not speak; speakers: {known}")
            )
        elif speaker in found and found[speaker] != voice:
            result.problems.append(
                (speaker, str(voice), f"assigned to {name!r}, who already has {found[speaker]!r}")
            )
        else:
            found[speaker] = voice
    return found


def _speaker(name: str, voice: Any, profile: Profile, registered: Voices) -> Speaker:
    if not isinstance(voice, str):
        raise VoiceError(name, f"{voice!r} is not a voice name")
    if voice in profile.presets:
        return Speaker(name, voice, f"preset:{voice}")
    return Speaker(name, voice, registered.resolve(voice))
