"""What somebody asks for: a script, voices for its speakers, options. Checked before any work starts."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Engine, Options, Profile
from pipeline.errors import OptionError, ScriptError, VoiceError
from pipeline.script.names import find
from pipeline.script.turns import Script
from pipeline.voices.library import Voices

FORMATS = ("flac", "wav", "opus", "mp3")
ON_ERROR = ("fail", "gap")
_TITLE_MAX = 200


@dataclass(frozen=True, slots=True)
class JobOptions:
    """The options of a job that are not the engine's own."""

    engine: str
    model: str | None = None
    """A name that the service knows for a checkpoint; never a path."""
    format: str = "flac"
    title: str = ""
    seed: int = 0
    """Another seed, another take of the whole script."""
    on_error: str = "fail"
    """What to do when a segment can't be made: 'fail' the job, or leave a marked 'gap' of silence."""
    device: str | None = None
    """`<host>.<n>`: keep both GPU stages of this job on that one device."""


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Options of how a script is read. They shape turns, and turns a job's id: none of them is part of it."""

    form: str | None = None
    """A key of `pipeline.script.form.FORMS`; None recognises it."""
    encoding: str | None = None
    """Encoding of a script in bytes; None is UTF-8, or UTF-16 and UTF-32 with a byte order mark."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker of a job and the voice behind the name."""

    name: str
    voice: str
    """The name it was asked for by: a preset of the engine or a registered recording."""
    hash: str
    """`preset:<name>`, or the SHA-256 of the recording."""


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request: everything is known, nothing has been made."""

    script: Script
    speakers: tuple[Speaker, ...]
    options: JobOptions
    engine_options: Options
    revision: str
    """The weights and the version of the stages."""

    @property
    def job(self) -> str:
        """The job's id: equal requests are one job."""
        content = {
            "turns": [(t.speaker, t.text, t.pause_ms, t.continues) for t in self.script.turns],
            "speakers": [(s.name, s.hash) for s in self.speakers],
            "options": {name: getattr(self.options, name) for name in JobOptions.__slots__},
            "engine": dict(self.engine_options),
            "revision": self.revision,
        }
        return hashlib.sha256(canonical_json(content)).hexdigest()[:20]


def checked(
    script: Script,
    voices: Mapping[str, Any],
    options: JobOptions,
    engine_options: Options,
    *,
    engine: Engine,
    registered: Voices,
) -> Request:
    """Check a script against its voices and its engine.

    Raises:
        ScriptError: a turn that the engine can't speak.
        VoiceError: a voice that isn't known, or a speaker without one.
        OptionError: an option of the engine that isn't known or out of range.
        EngineError: no usable checkpoint.
    """
    refused = [(turn.line, refusal) for turn in script.turns if (refusal := engine.refuses(turn.text))]
    if refused:
        raise ScriptError.of(refused)
    speakers = _speakers(script, voices, engine.profile, registered)
    revision = f"{engine.revision()} v{engine.profile.stage_version}"
    return Request(script, speakers, options, engine.options(engine_options), revision)


def split_options(given: Mapping[str, Any], *, engine: str) -> tuple[JobOptions, Options]:
    """The job's own options and, apart from them, the engine's.

    Args:
        engine: the engine where the options name none.

    Raises:
        OptionError: a value that is not allowed.
    """
    for name, value in given.items():
        if isinstance(value, str) and any(unicodedata.category(letter) == "Cs" for letter in value):
            raise OptionError(str(name), "has half a character (a lone surrogate), which is no text")
    own = {name: given[name] for name in JobOptions.__slots__ if given.get(name) is not None}
    ours = {*JobOptions.__slots__, *ReadingOptions.__slots__}
    rest = {str(name): value for name, value in given.items() if name not in ours}
    for name, value in rest.items():
        if not isinstance(value, str | int | float):
            raise OptionError(name, "is not a number, a word or a truth value")
    for name, value in own.items():
        kind = int if name == "seed" else str
        if not isinstance(value, kind) or isinstance(value, bool):
            raise OptionError(name, f"{value!r} is not {'a whole number' if kind is int else 'text'}")
    options = JobOptions(**{"engine": engine, **own})
    _one_of("format", options.format, FORMATS)
    _one_of("on_error", options.on_error, ON_ERROR)
    if not 0 <= options.seed < 2**32:
        raise OptionError("seed", f"{options.seed} is not from 0 to {2**32 - 1}")
    if len(options.title) > _TITLE_MAX or any(unicodedata.category(c) == "Cc" for c in options.title):
        raise OptionError("title", f"is longer than {_TITLE_MAX} characters or has control characters")
    if options.device is not None and not re.fullmatch(
        r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.\d+", options.device
    ):
        raise OptionError("device", f"{options.device!r} is not <host>.<n>")
    return options, rest


def reading_options(given: Mapping[str, Any]) -> ReadingOptions:
    """Pick the options of how the script is read.

    Raises:
        OptionError: a value that is no text.
    """
    own = {name: given[name] for name in ReadingOptions.__slots__ if given.get(name) is not None}
    for name, value in own.items():
        if not isinstance(value, str):
            raise OptionError(name, f"{value!r} is not text")
    return ReadingOptions(**own)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(option, f"{value!r} is unknown; there are {', '.join(allowed)}")


def _speakers(
    script: Script, voices: Mapping[str, Any], profile: Profile, registered: Voices
) -> tuple[Speaker, ...]:
    voices = _by_speaker(script, voices)
    free = [preset for preset in profile.presets if preset not in voices.values()]
    speakers = []
    for name in script.speakers:
        voice = voices.get(name)
        if voice is None:
            if profile.reference_needed:
                raise VoiceError(
                    name, f"the engine {profile.name} needs a reference recording for every speaker"
                )
            if not free:
                raise VoiceError(name, f"has no voice: the engine's {len(profile.presets)} presets are taken")
            voice = free.pop(0)
        speakers.append(_speaker(name, voice, profile, registered))
    return tuple(speakers)


def _by_speaker(script: Script, voices: Mapping[str, Any]) -> dict[str, Any]:
    """Voices under the speakers' names as the script has them.

    Raises:
        VoiceError: a voice for somebody who doesn't speak, or two for one speaker.
    """
    found: dict[str, Any] = {}
    for name, voice in voices.items():
        speaker = find(str(name), script.speakers)
        if speaker is None:
            known = ", ".join(script.speakers[:8])
            raise VoiceError(str(voice), f"is for {name!r}, who doesn't speak; there are {known}")
        if speaker in found and found[speaker] != voice:
            raise VoiceError(str(voice), f"is for {name!r}, who has the voice {found[speaker]!r} already")
        found[speaker] = voice
    return found


def _speaker(name: str, voice: Any, profile: Profile, registered: Voices) -> Speaker:
    if not isinstance(voice, str):
        raise VoiceError(name, f"{voice!r} is not the name of a voice")
    if voice in profile.presets:
        return Speaker(name, voice, f"preset:{voice}")
    return Speaker(name, voice, registered.resolve(voice))
