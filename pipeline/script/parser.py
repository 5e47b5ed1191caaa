r"""Scripts as people write them, to turns. Nothing is dropped in silence.

What is not spoken is counted as an omission, what is unusual is a notice, and what can't be spoken as written
is a problem; all of them name their lines. `[pause:800ms]` and `[pause:1.5s]` ask for silence. A backslash
before a line keeps its first words from being a speaker.

>>> [(t.speaker, t.text, t.pause_ms) for t in parse("Alice: Hi!\nBob: One.[pause:1.5s] Two.\n  Three.").turns]
[('Alice', 'Hi!', 0), ('Bob', 'One.', 0), ('Bob', 'Two. Three.', 1500)]
"""

from collections.abc import Collection, Iterator
from typing import Any

from pipeline.errors import OptionError, ScriptError
from pipeline.script import form as forms
from pipeline.script import markup
from pipeline.script.encoding import decode, misdecoded_lines
from pipeline.script.events import Event, fold, named
from pipeline.script.foreign import refuse_foreign
from pipeline.script.forms import structured
from pipeline.script.names import identity
from pipeline.script.plain import SYMBOLS, plain_letters
from pipeline.script.turns import HEADINGS, Findings, Script

CHARACTERS_MAX = 2_000_000
TIMED_FORMS = ("srt", "vtt")
"""Forms whose parts have times."""


def parse(
    source: str | bytes | list[Any],
    *,
    characters_max: int = CHARACTERS_MAX,
    form: str | None = None,
    encoding: str | None = None,
    cast: Collection[str] = (),
    symbols: str = "refuse",
) -> Script:
    """Read a script that can be spoken.

    Raises:
        ScriptError: it can't be; names every problem with its line.
        OptionError: no such form, encoding or way to treat symbols.
    """
    script = read(
        source, characters_max=characters_max, form=form, encoding=encoding, cast=cast, symbols=symbols
    )
    if script.problems:
        raise ScriptError.of([(problem.line, problem.reason) for problem in script.problems])
    return script


def read(
    source: str | bytes | list[Any],
    *,
    characters_max: int = CHARACTERS_MAX,
    form: str | None = None,
    encoding: str | None = None,
    cast: Collection[str] = (),
    symbols: str = "refuse",
    headings: str | None = None,
    timed: bool = False,
) -> Script:
    """Read a script in whatever form it is, with its problems.

    Args:
        form: one of `pipeline.script.form.FORMS`; None recognises it.
        encoding: of bytes.
        cast: names of speakers known beside the script, which are evidence for its labels.
        symbols: one of `pipeline.script.plain.SYMBOLS`: what becomes of emoji and other pictures.
        headings: one of `pipeline.script.turns.HEADINGS`; None reads them where there are no speakers.
        timed: begin each cue of subtitles at its time.

    Raises:
        OptionError: no such form, encoding, or way to treat symbols or headings; no subtitles to be timed.
    """
    if form is not None and form not in forms.FORMS:
        raise OptionError("form", f"{form[:40]!r} is unknown; there are {', '.join(forms.FORMS)}")
    check_ways(symbols, headings)
    findings = Findings(symbols, headings, timed=timed)
    try:
        return _read(source, characters_max, form, encoding, {identity(name) for name in cast}, findings)
    except ScriptError as error:
        return unreadable(error, form or "unknown", findings)


def check_ways(symbols: str, headings: str | None) -> None:
    """Check the ways to treat symbols and headings.

    Raises:
        OptionError: there is no such way.
    """
    for name, way, ways in (("symbols", symbols, SYMBOLS), ("headings", headings, HEADINGS)):
        if way is not None and way not in ways:
            raise OptionError(name, f"{way[:40]!r} is unknown; there are {', '.join(ways)}")


def check_timed(form: str) -> None:
    """Check that a script can be timed.

    Raises:
        OptionError: it has no times.
    """
    if form not in TIMED_FORMS:
        raise OptionError("timed", f"needs subtitles ({' or '.join(TIMED_FORMS)}), and the script is {form}")


def unreadable(error: ScriptError, form: str, findings: Findings | None = None) -> Script:
    """A script without turns, whose problems are those of an error, beside earlier findings."""
    findings = findings or Findings()
    for line, reason in error.problems:
        findings.problem(line, reason)
    return findings.script((), form)


def _read(
    source: str | bytes | list[Any],
    characters_max: int,
    form: str | None,
    encoding: str | None,
    cast: Collection[str],
    findings: Findings,
) -> Script:
    if isinstance(source, list):
        found, events = "json", structured.read_items(source, findings)
    else:
        text = decode(source, encoding) if isinstance(source, bytes) else source
        _refuse_long(len(text), characters_max)
        if not markup.is_document(text):
            refuse_foreign(text)
        text = structured.unfenced(with_newlines(text), findings)
        _refuse_misdecoded(text, findings)
        found, events = _recognised(text, form, cast, findings)
    if findings.timed:
        check_timed(found)
    turns, chapters = fold(named(events, findings), findings, has_speakers=found not in forms.PROSE)
    script = findings.script(turns, found, chapters=chapters)
    if not turns and not script.problems:
        raise ScriptError(
            1, "the script is empty" if not script.omissions else "the script has no words to speak"
        )
    _refuse_long(script.characters, characters_max)
    return script


def _recognised(
    text: str, form: str | None, cast: Collection[str], findings: Findings
) -> tuple[str, Iterator[Event]]:
    """The form and the events of a text; a script may be the one string in a JSON document."""
    inner = structured.inner_text(text) if form in (None, "json") else None
    if inner is not None:
        own = Findings(findings.symbols, findings.headings, timed=findings.timed)
        recognised = forms.recognise(plain_letters(inner := with_newlines(inner)), cast, own)
        if not forms.is_plain(recognised) or own.problems or not structured.has_turns(text):
            findings.add(own)
            structured.report_beside_text(text, findings)
            findings.notice(1, "the script is a text inside of JSON; its lines are counted in that text")
            return recognised.form, forms.events(recognised, inner, cast, findings)
    recognised = forms.recognise(plain_letters(text), cast, findings, form=form)
    return recognised.form, forms.events(recognised, text, cast, findings)


def _refuse_misdecoded(text: str, findings: Findings) -> None:
    for line in misdecoded_lines(text):
        findings.problem(
            line,
            "has letters that were decoded wrongly, such as `â€™` for an apostrophe; give the original file, "
            "or save it again as UTF-8",
        )


def _refuse_long(characters: int, characters_max: int) -> None:
    if characters > characters_max:
        raise ScriptError(1, f"has {characters:,} characters, more than the {characters_max:,} allowed")


def with_newlines(text: str) -> str:
    """Replace all ends of lines by newlines, and remove a byte order mark."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for end in ("\x85", "\u2028", "\u2029"):
        text = text.replace(end, "\n")
    return text.replace("\u00ad\n", "-\n")
