"""Requests: a script, voices for its speakers, and options; validated before any work starts."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pipeline.books.reader import read
from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Engine, Options
from pipeline.errors import OptionError
from pipeline.file_formats import ARCHIVES, AUDIO_FORMATS, DEFAULT_AUDIO_FORMAT, READ_ALONG
from pipeline.planning.cast_entry import names_of
from pipeline.planning.casting import Speaker
from pipeline.planning.check import Check, Summary, check
from pipeline.planning.pronunciation import AS_ENGINE, Pronunciation
from pipeline.planning.unspeakable import ERROR, SKIP, SPELL, UNSPEAKABLE
from pipeline.script.turns import Script, Turn
from pipeline.voices.library import Voices

ON_ERROR = ("fail", "gap")
VERIFY = ("off", "light", "full")
LOUDNESS = ("podcast", "audiobook", "broadcast")
TAKES_MAX = 20
FIRST_WORDS_MIN, FIRST_WORDS_MAX = 4, 1000
SPLIT_HOURS_MIN, SPLIT_HOURS_MAX = 0.001, 1000
JOB_ID = "[0-9a-f]{20}"
"""Pattern of a job ID."""
_TITLE_MAX = 200
_NAME_MAX, _VALUE_MAX = 40, 60
"""Most characters of an option's name and of its value in a message."""
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "takes_max": (1, TAKES_MAX),
    "first_segment_words": (FIRST_WORDS_MIN, FIRST_WORDS_MAX),
    "split_hours": (SPLIT_HOURS_MIN, SPLIT_HOURS_MAX),
}
"""Least and highest value by option."""
_KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(_NUMBERS, (int, "an integer")),
    "split_hours": ((int, float), "a number"),
}
"""Type and its noun of options that are not strings."""
_PATTERNS = {
    "device": (re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.\d+"), "<host>.<n>"),
    "base_job": (re.compile(JOB_ID), "a job ID, which has 20 hexadecimal digits"),
    "namespace": (
        re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"),
        "<32 hexadecimal digits>/<as many>/<name>",
    ),
    "segment_owner": (re.compile(r"[0-9a-f]{32}"), "32 hexadecimal digits"),
    "webhook": (re.compile(r"https?://[!-~]{1,2000}"), "an http or https address"),
}


@dataclass(frozen=True, slots=True)
class JobOptions:
    """Options of a job, without those of its engine."""

    engine: str
    model: str | None = None
    """Name of a checkpoint in the settings; never a path."""
    format: str = DEFAULT_AUDIO_FORMAT
    title: str = ""
    seed: int = 0
    """Seed of the noise; another seed gives another take of the whole script."""
    on_error: str = "fail"
    """Handling of failed segments: 'fail' the job, or leave a 'gap' of silence."""
    device: str | None = None
    """Device for both GPU stages, `<host>.<n>`."""
    verify: str = "light"
    """Check of every take: 'off', 'light' (measurements), or 'full' (a recogniser and further models)."""
    takes_max: int = 3
    """Most takes of a segment that fails its check; the best one is retained."""
    base_job: str | None = None
    """Job whose takes chosen by hand are adopted for unchanged segments."""
    first_segment_words: int | None = None
    """Words of the first segment; each of the next ones has twice as many, up to the engine's size."""
    namespace: str | None = None
    """Owner, run and name of the request, which make it a job of its own; its segments are shared."""
    webhook: str | None = None
    """Address that is called when the job has finished or failed."""
    segment_owner: str | None = None
    """Owner of the segments, which are shared with jobs of the same owner alone. They sound the same."""
    loudness: str | None = None
    """Loudness preset of the file: 'podcast', 'audiobook' or 'broadcast'."""
    split_hours: float | None = None
    """Most hours of each file of an archive, split at chapters or turns; None: a file per chapter."""


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """Options of parsing. They affect the job ID through the turns only."""

    form: str | None = None
    """A key of `pipeline.script.form.FORMS`; None recognises it."""
    encoding: str | None = None
    """Encoding of a script in bytes; None is UTF-8, or UTF-16 and UTF-32 with a byte order mark."""
    symbols: str | None = None
    """One of `pipeline.script.plain.SYMBOLS`: emoji and other pictures; None follows `unspeakable`."""
    chapters: str | None = None
    """Chapters of a book that are read, see `pipeline.books.selection.selected`."""
    headings: str | None = None
    """One of `pipeline.script.turns.HEADINGS`; None reads them where there are no speakers."""
    lexicon: Mapping[str, Any] | None = None
    """Respellings, see `pipeline.planning.lexicon`; they affect the job ID through the spoken words only."""
    normalize: str | None = None
    """Kinds of writing that are spoken in words, see `pipeline.normalization.rules.kinds_of`."""
    timed: bool = False
    """Begin each cue of subtitles at its time."""
    unspeakable: str = ERROR
    """One of `pipeline.planning.unspeakable.UNSPEAKABLE`: characters that the engine does not speak."""

    @property
    def again(self) -> dict[str, Any]:
        """Options that another version of the script needs, so that it is spoken in the same words."""
        given = {"lexicon": dict(self.lexicon or {}), "normalize": self.normalize, "symbols": self.symbols}
        own = {name: value for name, value in given.items() if value}
        return own | ({} if self.unspeakable == ERROR else {"unspeakable": self.unspeakable})

    @property
    def pictures(self) -> str:
        """Way to treat emoji and other pictures."""
        return self.symbols or {SKIP: "omit", SPELL: "name"}.get(self.unspeakable, "refuse")


@dataclass(frozen=True, slots=True)
class Request:
    """A validated request."""

    script: Script
    speakers: tuple[Speaker, ...]
    options: JobOptions
    engine_options: Options
    revision: str
    """Revision of the weights and version of the stages."""
    summary: Summary | None = None
    """Summary of the script, which is not part of the job ID."""
    wordings: Mapping[int, str] = field(default_factory=dict)
    """Spoken words of turns whose text the engine would misread, by the turn's index."""
    checker: str = ""
    """Identity of the check of every take; empty if takes are not checked."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Options that another version of the script needs again; they are not part of the job ID."""

    def _named_options(self) -> dict[str, Any]:
        """Options that are part of the job ID; later ones are absent where they have no effect."""
        unchecked = () if self.checker else ("verify", "takes_max")
        later = (
            *("base_job", "first_segment_words", "namespace", "webhook", "segment_owner", "loudness"),
            "split_hours",
        )
        unset = [name for name in later if not getattr(self.options, name)]
        without = {*unchecked, *unset}
        return {name: getattr(self.options, name) for name in JobOptions.__slots__ if name not in without}

    @property
    def spoken_turns(self) -> tuple[Turn, ...]:
        """The turns in the words that are spoken."""
        return tuple(
            replace(turn, text=self.wordings[index]) if index in self.wordings else turn
            for index, turn in enumerate(self.script.turns)
        )

    @property
    def written(self) -> dict[int, str]:
        """Texts of the turns that are spoken in other words, by the turn's index."""
        return {index: self.script.turns[index].text for index in self.wordings}

    @property
    def job(self) -> str:
        """Job ID, a hash of the request; equal requests are one job."""
        content: dict[str, Any] = {
            "turns": [(t.speaker, t.text, t.pause_ms, t.continues) for t in self.script.turns],
            "speakers": [
                (s.name, s.hash, s.gain_db) if s.gain_db else (s.name, s.hash) for s in self.speakers
            ],
            "options": self._named_options(),
            "engine": dict(self.engine_options),
            "revision": self.revision,
        }
        if self.checker:  # absent where takes are not checked: such requests keep their IDs
            content["checker"] = self.checker
        if self.wordings:  # absent where nothing is reworded: such requests keep their IDs
            content["wordings"] = [list(item) for item in sorted(self.wordings.items())]
        if self.script.starts_ms:  # absent in scripts that are not timed: such requests keep their IDs
            content["starts_ms"] = [list(item) for item in self.script.starts_ms.items()]
        if self.script.chapters:  # absent in scripts without chapters: such requests keep their IDs
            content["chapters"] = [(chapter.turn, chapter.title) for chapter in self.script.chapters]
        rates = {index: turn.rate for index, turn in enumerate(self.script.turns) if turn.rate != 1.0}
        if rates:  # absent in scripts without changes of the rate: such requests keep their IDs
            content["rates"] = [list(item) for item in rates.items()]
        if self.script.work:
            content["work"] = self.script.work.record()
        if self.options.format == READ_ALONG:
            content["source"] = hashlib.sha256(self.script.source).hexdigest()
        return hashlib.sha256(canonical_json(content)).hexdigest()[:20]


def checked(
    script: Script,
    voices: Mapping[str, Any],
    options: JobOptions,
    engine_options: Options,
    *,
    engine: Engine,
    registered: Voices,
    checker: str = "",
    pronunciation: Pronunciation = AS_ENGINE,
    unspeakable: str = ERROR,
) -> Request:
    """Validate a script with its voices and options for an engine.

    Args:
        checker: identity of the check that the options name; empty for none.
        unspeakable: one of `pipeline.planning.unspeakable.UNSPEAKABLE`.

    Raises:
        ScriptError: a turn that the engine cannot speak.
        VoiceError: an unknown voice, or a speaker without one.
        OptionError: an unknown option of the engine, or a value out of range.
        EngineError: no usable checkpoint.
    """
    found = check(
        script,
        voices,
        engine=engine,
        registered=registered,
        pronunciation=pronunciation,
        unspeakable=unspeakable,
        engine_options=engine_options,
    )
    found.raise_for_problems()
    return accepted(found, options, engine.options(engine_options), engine=engine, checker=checker)


def accepted(
    found: Check, options: JobOptions, engine_options: Options, *, engine: Engine, checker: str = ""
) -> Request:
    """Make the request of a check without problems.

    Args:
        engine_options: with the engine's defaults.
        checker: identity of the check that the options name; empty for none.

    Raises:
        OptionError: a read-along book of anything but an EPUB.
        EngineError: no usable checkpoint.
    """
    if options.format == READ_ALONG and not found.script.source:
        raise OptionError("format", f"a read-along book ({READ_ALONG}) is made from an EPUB only")
    revision = f"{engine.revision()} v{engine.profile.stage_version}"
    return Request(
        found.script,
        found.speakers,
        options,
        engine_options,
        revision,
        found.summary(),
        found.wordings,
        checker,
    )


def split_options(given: Mapping[str, Any], *, engine: str) -> tuple[JobOptions, Options]:
    """Split options into those of the job and those of the engine.

    Args:
        engine: default engine.

    Raises:
        OptionError: an invalid value.
    """
    ours = {*JobOptions.__slots__, *ReadingOptions.__slots__}
    rest = {str(name): value for name, value in given.items() if name not in ours}
    own: dict[str, Any] = {"engine": engine}
    own |= {name: given[name] for name in JobOptions.__slots__ if given.get(name) is not None}
    problems = dict(_problems_of_types(own, rest))
    for name, value in own.items():
        reason = None if name in problems else _problem(name, value)
        if reason:
            problems[name] = reason
    if own.get("split_hours") and not problems.keys() & {"format", "split_hours"}:
        problems |= _problem_of_splitting(own.get("format", DEFAULT_AUDIO_FORMAT))
    if problems:
        raise OptionError.of([(name[:_NAME_MAX], reason) for name, reason in problems.items()])
    if "split_hours" in own:
        own["split_hours"] = float(own["split_hours"])
    return JobOptions(**own), rest


def _problems_of_types(own: Mapping[str, Any], rest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in {**own, **rest}.items():
        if isinstance(value, str) and any(unicodedata.category(letter) == "Cs" for letter in value):
            yield name, "contains an unpaired surrogate"
        elif name in rest:
            if not isinstance(value, str | int | float):
                yield name, "is not a number, a string or a boolean"
        else:
            kind, noun = _KINDS.get(name, (str, "a string"))
            if not isinstance(value, kind) or isinstance(value, bool):
                yield name, f"{_shown(value)} is not {noun}"


def _problem_of_splitting(file_format: str) -> dict[str, str]:
    """Reason why files of a format cannot be split, by the option."""
    if file_format in ARCHIVES:
        return {}
    return {"split_hours": f"needs an archive for its files: a format of {', '.join(ARCHIVES)}"}


def _problem(name: str, value: Any) -> str | None:
    """Reason why the value of an option, which has the right type, cannot be used."""
    allowed = {
        "format": tuple(AUDIO_FORMATS),
        "on_error": ON_ERROR,
        "verify": VERIFY,
        "loudness": LOUDNESS,
    }.get(name)
    if allowed is not None and value not in allowed:
        return f"unknown value {_shown(value)}; available: {', '.join(allowed)}"
    if name in _NUMBERS and not _NUMBERS[name][0] <= value <= _NUMBERS[name][1]:
        return f"{_shown(value)} is not between {_NUMBERS[name][0]} and {_NUMBERS[name][1]}"
    if name == "title" and (
        len(value) > _TITLE_MAX or any(unicodedata.category(letter) == "Cc" for letter in value)
    ):
        return f"is longer than {_TITLE_MAX} characters or contains control characters"
    pattern, form = _PATTERNS.get(name, (None, ""))
    if pattern is None or pattern.fullmatch(value):
        return None
    return f"is not {form}" if name == "webhook" else f"{_shown(value)} is not {form}"


def _shown(value: Any) -> str:
    """A value in a message, which may be of any length."""
    text = repr(value)
    return text if len(text) <= _VALUE_MAX else f"{text[:_VALUE_MAX]}…"


def reading_options(
    given: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})
) -> ReadingOptions:
    """Select the options of parsing.

    Args:
        defaults: values of options that are not given.

    Raises:
        OptionError: a value of another type, or an unknown way to treat unspeakable characters.
    """
    every = {**defaults, **{name: value for name, value in given.items() if value is not None}}
    own = {name: every[name] for name in ReadingOptions.__slots__ if every.get(name) is not None}
    for name, value in own.items():
        if name == "lexicon":
            if not isinstance(value, Mapping):
                raise OptionError(name, f"{_shown(value)} is not a mapping of words to respellings")
        elif name == "timed":
            if not isinstance(value, bool):
                raise OptionError(name, f"{_shown(value)} is neither true nor false")
        elif not isinstance(value, str):
            raise OptionError(name, f"{_shown(value)} is not a string")
        elif name == "unspeakable" and value not in UNSPEAKABLE:
            raise OptionError(name, f"{_shown(value)} is unknown; there are {', '.join(UNSPEAKABLE)}")
    return ReadingOptions(**own)


def read_script(
    source: str | bytes | list[Any],
    reading: ReadingOptions,
    *,
    characters_max: int,
    voices: Mapping[str, Any],
) -> Script:
    """Read a script or a book as the options of parsing say.

    Args:
        voices: entries by speaker, whose names and aliases are evidence for labels.

    Raises:
        OptionError: no such form, encoding, chapters, or way to treat symbols or headings.
    """
    return read(
        source,
        characters_max=characters_max,
        form=reading.form,
        encoding=reading.encoding,
        symbols=reading.pictures,
        headings=reading.headings,
        timed=reading.timed,
        chapters=reading.chapters,
        cast=names_of(voices),
    )
