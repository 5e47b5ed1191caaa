"""Scripts as the command line reads, checks and shows them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.books.chapter_list import ListedChapter
from pipeline.books.reader import FORMS as BOOK_FORMS
from pipeline.books.reader import TEXT_FORMS, chosen_form, read_book
from pipeline.books.recital import lines_of
from pipeline.delivery.delivery import Input
from pipeline.engines.dependencies import check_installed
from pipeline.engines.protocol import Engine, Options
from pipeline.errors import EngineError, OptionError, PipelineError, VoiceError
from pipeline.file_formats import audio_format_of
from pipeline.planning.cast_entry import voice_of, with_names, with_voice
from pipeline.planning.cast_file import CastEntry, read_cast
from pipeline.planning.casting import CastProblem, cast
from pipeline.planning.check import Check, Summary, check, voices_of
from pipeline.planning.lexicon import read_lexicon
from pipeline.planning.pronunciation import pronunciation_of
from pipeline.planning.request import (
    LOUDNESS,
    JobOptions,
    ReadingOptions,
    read_script,
    reading_options,
)
from pipeline.planning.unspeakable import ERROR, UNSPEAKABLE
from pipeline.script.encoding import decode
from pipeline.script.form import FORMS
from pipeline.script.names import find
from pipeline.script.plain import SYMBOLS
from pipeline.script.turns import HEADINGS, Finding
from pipeline.voices.library import Voices, name_of
from tasks.settings import Settings

ScriptArgument = Annotated[
    Path,
    typer.Argument(
        help="Script in any form of docs/scripts.md, or book of docs/books.md; `-` reads standard input."
    ),
]
VoiceOption = Annotated[
    list[str] | None,
    typer.Option("--voice", "-v", metavar="SPEAKER=VOICE", help="Preset, registered voice or audio file."),
]
CastOption = Annotated[
    Path | None,
    typer.Option(
        "--cast", metavar="FILE", help="Voices by speaker, in YAML or TOML. `--voice` overrides an entry."
    ),
]
FormOption = Annotated[
    str | None,
    typer.Option(help=f"Form of the script, where it is not recognised: {', '.join((*FORMS, *BOOK_FORMS))}."),
]
EncodingOption = Annotated[
    str | None, typer.Option(help="Encoding of the file, where it is not UTF-8: `windows-1252`, …")
]
SymbolsOption = Annotated[
    str | None,
    typer.Option(
        help=f"Emoji and other pictures: {', '.join(SYMBOLS)} (read by name). Default: as `--unspeakable`."
    ),
]
TimedOption = Annotated[
    bool,
    typer.Option("--timed", help="Begin each cue of subtitles (SRT, WebVTT) at its time."),
]
UnspeakableOption = Annotated[
    str,
    typer.Option(
        help=f"Characters that the engine does not speak: {', '.join(UNSPEAKABLE)}. `skip` leaves out the "
        "words that have them, `spell` names their letters."
    ),
]
ChaptersOption = Annotated[
    str | None,
    typer.Option(
        "--chapters",
        metavar="2-9,12",
        help="Chapters of a book by the numbers of `chapters`; `all` includes front and back matter.",
    ),
]
HeadingsOption = Annotated[
    str | None,
    typer.Option(
        help=f"Headings: {' or '.join(HEADINGS)}. By default they are spoken where there are no speakers."
    ),
]
SplitHoursOption = Annotated[
    float | None,
    typer.Option(
        "--split-hours",
        metavar="N",
        help="Most hours of each file of an archive such as `book.mp3.zip`, in place of a file per chapter.",
    ),
]
LoudnessOption = Annotated[
    str | None,
    typer.Option(
        metavar="PRESET",
        help=f"Loudness of the file: {', '.join(LOUDNESS)}. Without it, as podcasts, without a report.",
    ),
]
LexiconOption = Annotated[
    Path | None,
    typer.Option("--lexicon", metavar="FILE", help="Respellings of words and phrases, in YAML or TOML."),
]
NormalizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="KINDS",
        help="Kinds of writing that are spoken in words: `all`, `none`, or names with commas; "
        "`-date` takes one away. By default all, for engines that do not read them by themselves.",
    ),
]
_NOTICES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Source:
    """A script's file."""

    data: bytes
    reading: ReadingOptions

    def content(self) -> str | bytes:
        """The script as it is sent to the service: decoded, or a file that is no text as it is."""
        is_text = self.form is None or self.form in TEXT_FORMS
        return decode(self.data, self.reading.encoding) if is_text else self.data

    @property
    def form(self) -> str | None:
        """Form of a book; None for a script."""
        return chosen_form(self.data, self.reading.form, self.reading.chapters)

    def lines(self) -> list[str]:
        """Lines of the script, the paragraphs of a book; none if it cannot be read."""
        try:
            if self.form is not None:
                return lines_of(read_book(self.data, self.form, encoding=self.reading.encoding))
            return decode(self.data, self.reading.encoding).splitlines()
        except PipelineError:
            return []


def source_options(reading: ReadingOptions) -> dict[str, Any]:
    """Options that the service needs to read the script's text in the same way."""
    given = {
        "form": reading.form,
        "symbols": reading.symbols,
        "chapters": reading.chapters,
        "headings": reading.headings,
        "lexicon": reading.lexicon,
        "normalize": reading.normalize,
        "timed": reading.timed,
        "unspeakable": reading.unspeakable if reading.unspeakable != ERROR else None,
    }
    return {name: value for name, value in given.items() if value}


def file_options(loudness: str | None, split_hours: float | None) -> dict[str, Any]:
    """Options of the job's file that are given."""
    given = {"loudness": loudness, "split_hours": split_hours}
    return {name: value for name, value in given.items() if value is not None}


def read_source(path: Path, reading: ReadingOptions) -> Source:
    """Read a script's file; `-` is standard input.

    Raises:
        OptionError: the file cannot be read.
    """
    try:
        data = typer.get_binary_stream("stdin").read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise OptionError("script", f"cannot read {path}: {error.strerror}") from None
    return Source(data, reading)


def split_voices(given: Iterable[str]) -> dict[str, str]:
    """Split `SPEAKER=VOICE` pairs.

    Raises:
        OptionError: a pair without a name, a sign or a voice.
    """
    mapping = {}
    for text in given:
        speaker, equals, voice = text.partition("=")
        if not equals or not speaker or not voice:
            raise OptionError("voice", f"{text!r} is not SPEAKER=VOICE")
        mapping[speaker] = voice
    return mapping


@dataclass(frozen=True, slots=True)
class GivenVoices:
    """Voices given on the command line and in a cast file."""

    voices: dict[str, Any]
    """Entries, whose voice may be an audio file, by the speaker's name as it was given."""
    places: dict[str, str]
    """File and line of the entries of a cast file, by the speaker's name."""
    file: Path | None = None
    """The cast file."""
    unusable: Mapping[str, VoiceError] = field(default_factory=dict)
    """Errors of recordings that cannot be used, by the speaker's name."""


def inputs(script: Path, given: GivenVoices) -> list[Input]:
    """Files that a command reads: the script, the cast file and the recordings of its speakers."""
    found = [Input("the script", script)]
    if given.file is not None:
        found.append(Input("the cast file", given.file))
    recordings = [(speaker, voice_of(entry)) for speaker, entry in given.voices.items()]
    return found + [
        Input(f"the recording of {speaker!r}", Path(voice)) for speaker, voice in recordings if voice
    ]


def given_voices(pairs: Iterable[str] | None, file: Path | None) -> GivenVoices:
    """Combine `--voice` and `--cast`; audio files in a cast file are found beside it.

    Raises:
        OptionError: an invalid pair or file.
    """
    voices: dict[str, Any] = dict(split_voices(pairs or []))
    places: dict[str, str] = {}
    for entry in _read_cast(file) if file else []:
        named = find(entry.name, voices)
        if named is not None:
            voices[named] = entry.given(voices[named])
            continue
        beside = file.parent / entry.voice if file and entry.voice else None
        voice = str(beside) if beside is not None and beside.is_file() else entry.voice or None
        voices[entry.name] = entry.given(voice)
        places[entry.name] = f"{file}, line {entry.line}"
    return GivenVoices(voices, places, file)


def _read_cast(file: Path) -> list[CastEntry]:
    try:
        return read_cast(file.read_text("utf-8-sig"), file=file.name)
    except OSError as error:
        raise OptionError("cast", f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OptionError("cast", f"{file} is not UTF-8") from None


def register(given: GivenVoices, voices: Voices) -> GivenVoices:
    """Register audio files under names made from their content, and put these in their place.

    A recording that cannot be used is no error yet: `examine` makes it a problem beside all others.
    """
    mapping, unusable = dict(given.voices), dict[str, VoiceError]()
    for speaker, entry in given.voices.items():
        voice = voice_of(entry)
        if voice is None:
            continue
        path = Path(voice)
        try:
            if path.is_file():
                data = read_recording(path.stem, path)
                name = name_of(path.name, data)
                mapping[speaker] = with_voice(entry, name)
                voices.add(name, data)
            elif "/" in voice or (audio_format_of(path.suffix) and voices.find(voice) is None):
                what = "is a folder" if path.is_dir() else "there is no such file"
                raise VoiceError(voice, f"{what}; name a recording, a registered voice or a preset")
        except VoiceError as error:
            unusable[speaker] = VoiceError(voice, error.reason)
            mapping[speaker] = with_voice(entry, f"./{voice}")  # no registered voice has such a name
    return replace(given, voices=mapping, unusable=unusable)


def read_recording(voice: str, path: Path) -> bytes:
    """Read the bytes of a recording.

    Raises:
        VoiceError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise VoiceError(voice, f"cannot read {path}: {error.strerror}") from None


def examine(
    source: Source,
    voices: Mapping[str, Any],
    options: JobOptions,
    registered: Voices,
    found: Settings,
    engine_options: Options = MappingProxyType({}),
    *,
    given: GivenVoices | None = None,
) -> Check:
    """Check a script and its options as the service does.

    Args:
        given: the voices with their places in a cast file, and recordings that cannot be used.

    Raises:
        OptionError: unknown form, encoding, engine or model, or an option that the engine refuses.
        DependencyError: the engine's packages are not installed, and the workers run on this machine.
    """
    engine = engine_of(found, options)
    engine.options(engine_options)
    reading = replace(source.reading, headings=source.reading.headings or found.headings or None)
    script = read_script(source.data, reading, characters_max=found.characters_max, voices=voices)
    try:
        checked = check(
            script,
            voices,
            engine=engine,
            registered=registered,
            pronunciation=pronunciation_of(found.lexicon, reading.lexicon, reading.normalize),
            unspeakable=reading.unspeakable,
            engine_options=engine_options,
        )
    except EngineError:  # the checkpoint is where the workers are; they check the turns
        script = with_names(script, voices)
        named = voices_of(script, voices)
        made = cast(script.speakers, named, engine.profile, registered)
        checked = Check(script, made, engine.profile)
    if given is None:
        return checked
    problems = [_explained(problem, given) for problem in checked.cast.problems]
    return replace(checked, cast=replace(checked.cast, problems=problems))


def _explained(problem: CastProblem, given: GivenVoices) -> CastProblem:
    """Name what is wrong with a recording, and the place of an entry in the cast file."""
    unusable, place = given.unusable.get(problem.given), given.places.get(problem.given)
    if unusable is not None:
        problem = replace(problem, voice=unusable.voice, reason=unusable.reason)
    return replace(problem, reason=f"{problem.reason} ({place})") if place else problem


def engine_of(found: Settings, options: JobOptions) -> Engine:
    """Engine of a request.

    Raises:
        DependencyError: its packages are not installed, and the workers run on this machine.
    """
    name = options.model or (found.model if options.engine == found.engine else "") or None
    engine = found.registry().load(options.engine, found.checkpoint(name))
    if not found.broker_url:  # the workers run on this machine
        check_installed(engine.profile)
    return engine


def show(summary: Summary, console: Console, lines: Sequence[str] = (), *, chapters: bool = False) -> None:
    """Print a summary for people.

    Args:
        chapters: print these, too.
        lines: the script's lines, which are shown beside problems.
    """
    console.print(
        f"{summary.form}: {_count(len(summary.speakers), 'speaker')}, {_count(summary.words, 'word')}, "
        f"about {summary.minutes:.1f} min",
        highlight=False,
    )
    if summary.speakers:
        console.print(_speakers(summary))
    if summary.chapters and chapters:
        console.print(chapter_table(summary.chapters))
    _findings("notice", "yellow", summary.notices, console)
    _findings("problem", "bold red", summary.problems, console, lines)


def chapter_table(chapters: Iterable[ListedChapter]) -> Table:
    table = Table()
    for name in ("", "title", "words", "min", "read"):
        table.add_column(name, justify="left" if name in ("title", "read") else "right")
    for each in chapters:
        reads = "yes" if each.read else f"no ({each.matter or 'not chosen'})"
        row = (escape(each.title) or "—", f"{each.words:,}", f"{each.minutes:.1f}", reads)
        table.add_row(str(each.number), *row)
    return table


def _speakers(summary: Summary) -> Table:
    table = Table()
    for name in ("speaker", "voice", "turns", "words", "min"):
        table.add_column(name, justify="left" if name in ("speaker", "voice") else "right")
    for speaker in summary.speakers:
        table.add_row(
            escape(speaker.name),
            escape(speaker.voice) or "—",
            str(speaker.turns),
            str(speaker.words),
            f"{speaker.minutes:.1f}",
        )
    return table


def _findings(
    what: str, style: str, findings: Collection[Finding], console: Console, lines: Sequence[str] = ()
) -> None:
    for finding in list(findings)[:_NOTICES_SHOWN] if what == "notice" else findings:
        text = lines[finding.line - 1].strip() if 0 < finding.line <= len(lines) else ""
        quoted = f"\n  [dim]{escape(text[:100])}[/]" if text else ""
        console.print(
            f"[{style}]{what}:[/] line {finding.line}: {escape(finding.reason)}{quoted}",
            highlight=False,
            soft_wrap=True,
        )
    hidden = len(findings) - _NOTICES_SHOWN if what == "notice" else 0
    if hidden > 0:
        console.print(f"[{style}]and {_count(hidden, 'more notice')}; `check` lists all[/]", highlight=False)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def reading_of(
    form: str | None,
    encoding: str | None,
    symbols: str | None,
    chapters: str | None,
    headings: str | None,
    lexicon: Path | None,
    normalize: str | None,
    unspeakable: str = ERROR,
    timed: bool = False,
) -> ReadingOptions:
    """Combine options of reading.

    Raises:
        OptionError: the lexicon cannot be read, or an unknown value.
    """
    return reading_options(
        {
            "form": form,
            "encoding": encoding,
            "symbols": symbols,
            "chapters": chapters,
            "headings": headings,
            "lexicon": read_lexicon(lexicon) if lexicon else None,
            "normalize": normalize,
            "unspeakable": unspeakable,
            "timed": timed,
        }
    )
