"""The form of a script, recognised from its content: never guessed in silence.

Files with a syntax of their own (JSON, YAML, CSV, subtitles) are known by it. In all others every dialect of
labels is surveyed over the whole text, and one clear winner is taken. Where evidence is not enough, or two
dialects stand for different people, that is a problem with its lines and the option that settles it.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.script import marks, markup
from pipeline.script.events import Event
from pipeline.script.forms import (
    dialogue,
    labels,
    prose,
    refusals,
    remarks,
    screenplay,
    structure,
    structured,
    subtitles,
    transcripts,
)
from pipeline.script.forms.structure import Line
from pipeline.script.forms.survey import Survey, Verdict, survey
from pipeline.script.names import identity
from pipeline.script.plain import newline_counter
from pipeline.script.turns import Findings

FORMS = {
    "labels": "lines that begin with a speaker: `Nora: words`, `**Nora:** words`, `[Nora] words`, …",
    "screenplay": "a name in capitals on a line of its own, and the speech below it",
    "prose": "plain text, which one narrator reads",
    "markdown": "prose with headings, lists and marks of Markdown",
    "ssml": "SSML: a `<speak>` document, of which the tags that commands have are obeyed",
    "json": "JSON: a list of turns, an object that holds one, or an object per line",
    "csv": "a table with columns for speaker and text; commas, semicolons, tabs or bars",
    "yaml": "YAML in the same shapes as JSON",
    "srt": "SubRip subtitles",
    "vtt": "WebVTT subtitles",
}
PROSE = ("prose", "markdown", "ssml")
"""Forms without people who speak: nothing in parentheses is a stage direction there."""


@dataclass(slots=True)
class Recognised:
    """A form, and what its reader needs."""

    form: str
    lines: Sequence[Line] = ()
    chosen: Survey | None = None
    others: list[Survey] = field(default_factory=list)
    play: screenplay.Survey | None = None


def recognise(text: str, cast: Collection[str], findings: Findings, *, form: str | None = None) -> Recognised:
    """Recognise a script's form.

    Args:
        text: line ends are newlines, letters are plain.
        cast: identities of speakers that are named beside the script.
        form: the form, where somebody says so.
    """
    if form == "ssml" or (form is None and markup.is_document(text)):
        return Recognised("ssml", structure.lines_of(markup.without_prolog(text).split("\n")))
    syntax = form if form in _SYNTAXES else None if form else _syntax(text)
    if syntax:
        return Recognised(syntax)
    texts = _emphasised(text, findings).split("\n")
    if form in PROSE:
        return Recognised(form, structure.lines_of(texts))
    texts = transcripts.arranged(texts, findings)
    around = [*remarks.opening(texts), *remarks.closing(texts)]
    lines = structure.lines_of(["" if i in around else each for i, each in enumerate(texts)])
    refusals.refuse_merge_marks(lines, findings)
    found = _surveyed(lines, cast, findings, form)
    _settle_remarks([(i + 1, texts[i]) for i in around], found, findings)
    return found


def is_plain(recognised: Recognised) -> bool:
    """Tell whether a text is prose, with or without Markdown."""
    return recognised.form in PROSE


def _surveyed(
    lines: Sequence[Line], cast: Collection[str], findings: Findings, form: str | None
) -> Recognised:
    surveys = [survey(dialect, lines, cast) for dialect in labels.DIALECTS]
    play = screenplay.survey(lines, cast)
    if form == "screenplay":
        return Recognised("screenplay", lines, play=play)
    if form == "labels":
        return _as_labels(lines, surveys, findings)
    return _weighed(lines, surveys, play, findings)


def _settle_remarks(around: Sequence[tuple[int, str]], found: Recognised, findings: Findings) -> None:
    """Leave remarks out around a script with speakers; in prose a person must say."""
    if found.form not in PROSE:
        for number, text in around:
            findings.omit(number, remarks.REMARK, text)
    elif around and not findings.problems:
        findings.problem(
            around[0][0],
            "looks like words to or from an assistant, and not of the script; take them out, or give `--form "
            "prose` to have every word read by one narrator",
        )


_MARKUP = (
    (re.compile(r"</?(?P<tag>b|strong|i|em)>", re.IGNORECASE), "</"),
    (
        re.compile(
            r"\[/?(?P<tag>b|i|u|s|color|size|font|center|quote)(?:=[^\[\]\n]{0,40})?\]", re.IGNORECASE
        ),
        "[/",
    ),
    (re.compile(r"(?P<tag>'{2,3})(?!')"), "''"),
)
"""Emphasis in HTML, BBCode and wikis, and the sign without which a text has none."""


def _emphasised(text: str, findings: Findings) -> str:
    """Emphasis of other languages as Markdown's marks.

    >>> _emphasised("'''Ann:''' <b>Nora:</b> <em>Hi.</em> [b]Tom:[/b]", Findings())
    '**Ann:** **Nora:** *Hi.* **Tom:**'
    """

    def mark(found: re.Match[str]) -> str:
        findings.omit(line(found.start()) + 1, marks.TAG, found[0])
        tag = found["tag"].lower()
        return "*" if tag in ("i", "em", "u", "''") else "" if len(tag) > 3 and tag != "strong" else "**"

    for pattern, sign in _MARKUP:
        if sign in text and _is_balanced(text, sign):
            line = newline_counter(text)
            text = pattern.sub(mark, text)
    return text


def _is_balanced(text: str, sign: str) -> bool:
    """Tell whether signs are marks: each tag of BBCode is closed, a line of a wiki begins with bold."""
    if sign == "''":
        return bool(_WIKI_BOLD.search(text))
    opened, closed = (len(re.findall(rf"\[{slash}(?:b|i|u|s)\]", text, re.I)) for slash in ("", "/"))
    return sign != "[/" or opened == closed


_WIKI_BOLD = re.compile(r"^[^\S\n]*'{2,3}\w[^'\n]{0,60}:?'{2,3}", re.MULTILINE)


def _syntax(text: str) -> str | None:
    checks = (
        ("vtt", subtitles.is_vtt),
        ("srt", subtitles.is_srt),
        ("json", structured.is_json),
        ("csv", structured.csv_dialect),
        ("yaml", structured.is_yaml),
    )
    return next((form for form, check in checks if check(text)), None)


_SYNTAXES = ("json", "csv", "yaml", "srt", "vtt")


def _as_labels(lines: Sequence[Line], surveys: list[Survey], findings: Findings) -> Recognised:
    chosen = max(surveys, key=lambda found: (found.verdict.value, found.score))
    if not chosen.found:
        findings.problem(1, "has no line that begins with a speaker; write `Name: words`")
    chosen.whole = True
    return _labels(lines, chosen, surveys)


def _labels(lines: Sequence[Line], chosen: Survey, surveys: Sequence[Survey]) -> Recognised:
    others = [other for other in surveys if other is not chosen and other.found]
    return Recognised("labels", lines, chosen, others)


def _weighed(
    lines: Sequence[Line], surveys: list[Survey], play: screenplay.Survey, findings: Findings
) -> Recognised:
    """Take the dialect that explains most, if it explains enough."""
    best = max(surveys, key=lambda found: (found.verdict.value, found.score))
    if play.verdict is Verdict.LABELS and (best.verdict is not Verdict.LABELS or play.score > best.score):
        return Recognised("screenplay", lines, play=play)
    if best.verdict is Verdict.LABELS:
        _refuse_rival(best, surveys, findings)
        return _labels(lines, best, surveys)
    if best.verdict is Verdict.TIE:
        refusals.tie(sorted(best.found), "labels", findings)
    elif play.verdict is Verdict.TIE:
        refusals.tie(sorted(play.names), "screenplay", findings)
    else:
        refusals.refuse_misfits(lines, _syntax, findings)
    return Recognised("markdown" if prose.is_markdown(lines) else "prose", lines)


def _refuse_rival(best: Survey, surveys: Sequence[Survey], findings: Findings) -> None:
    """Another dialect that stands for other people as clearly."""
    for other in surveys:
        if other is best or other.verdict is not Verdict.LABELS or other.score < best.score / 2:
            continue
        strangers = sorted(
            number
            for number, label in other.found.items()
            if number not in best.found and identity(label.name) not in best.counts
        )
        if strangers:
            findings.problem(
                strangers[0],
                f"{refusals.begin(strangers)} like speakers' lines, but in another way than line "
                f"{min(best.found)}; write all names in the same way",
            )


def events(recognised: Recognised, text: str, cast: Collection[str], findings: Findings) -> Iterator[Event]:
    """Read a script in its form.

    Raises:
        ScriptError: the form's syntax is broken.
    """
    form = recognised.form
    readers = {
        "json": structured.read_json,
        "csv": structured.read_csv,
        "yaml": structured.read_yaml,
    }
    if form in ("srt", "vtt"):
        return subtitles.read(text, findings, cast)
    if form in readers:
        return readers[form](text, findings)
    if form == "screenplay" and recognised.play is not None:
        return screenplay.read(recognised.lines, recognised.play, findings)
    if recognised.chosen is not None:
        return dialogue.read(recognised.lines, recognised.chosen, recognised.others, cast, findings)
    return _prose(recognised.lines, findings)


def _prose(lines: Sequence[Line], findings: Findings) -> Iterator[Event]:
    matter = dialogue.front_matter(lines)
    for line in matter:
        findings.omit(line.number, "title block", line.text)
    return prose.read(lines[len(matter) :], findings)
