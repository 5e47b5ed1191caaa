"""The form of a script, recognised from its content: never guessed in silence.

Files with a syntax of their own (JSON, YAML, CSV, subtitles) are known by it. In all others every dialect of
labels is surveyed over the whole text, and one clear winner is taken. Where evidence is not enough, or two
dialects stand for different people, that is a problem with its lines and the option that settles it.
"""

import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.script import marks
from pipeline.script.events import Event
from pipeline.script.forms import dialogue, labels, prose, screenplay, structure, structured, subtitles
from pipeline.script.forms.structure import Line
from pipeline.script.forms.survey import Survey, Verdict, survey
from pipeline.script.names import identity
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import Kind, kind

FORMS = {
    "labels": "lines that begin with a speaker: `Nora: words`, `**Nora:** words`, `[Nora] words`, …",
    "screenplay": "a name in capitals on a line of its own, and the speech below it",
    "prose": "plain text, which one narrator reads",
    "markdown": "prose with headings, lists and marks of Markdown",
    "json": "JSON: a list of turns, an object that holds one, or an object per line",
    "csv": "a table with columns for speaker and text; commas, semicolons, tabs or bars",
    "yaml": "YAML in the same shapes as JSON",
    "srt": "SubRip subtitles",
    "vtt": "WebVTT subtitles",
}
PROSE = ("prose", "markdown")
"""Forms without people who speak: nothing in parentheses is a stage direction there."""
_LINES_NAMED = 6


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
    syntax = form if form in _SYNTAXES else None if form else _syntax(text)
    if syntax:
        return Recognised(syntax)
    lines = structure.lines_of(_emphasised(text, findings).split("\n"))
    if form in PROSE:
        return Recognised(form, lines)
    surveys = [survey(dialect, lines, cast) for dialect in labels.DIALECTS]
    play = screenplay.survey(lines, cast)
    if form == "screenplay":
        return Recognised("screenplay", lines, play=play)
    if form == "labels":
        return _as_labels(lines, surveys, findings)
    return _weighed(lines, surveys, play, findings)


def _emphasised(text: str, findings: Findings) -> str:
    """HTML's tags for emphasis as Markdown's marks.

    >>> _emphasised("<b>Nora:</b> <em>Hi.</em>", Findings())
    '**Nora:** *Hi.*'
    """

    def mark(found: re.Match[str]) -> str:
        findings.omit(text.count("\n", 0, found.start()) + 1, marks.TAG, found[0])
        return "*" if found[1].lower() in ("i", "em") else "**"

    return re.sub(r"</?(b|strong|i|em)>", mark, text, flags=re.IGNORECASE) if "</" in text else text


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
        _tie(sorted(best.found), "labels", findings)
    elif play.verdict is Verdict.TIE:
        _tie(sorted(play.names), "screenplay", findings)
    else:
        _refuse_table(lines, findings)
        _refuse_names_above(lines, findings)
        _refuse_labelled_headings(lines, findings)
        _refuse_code(lines, findings)
        _refuse_fenced(lines, findings)
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
                f"{_lines(strangers)} like speakers' lines, but in another way than line {min(best.found)}; "
                "write all names in the same way",
            )


def _tie(numbers: Sequence[int], form: str, findings: Findings, remedy: str = "") -> None:
    findings.problem(
        numbers[0],
        f"{_lines(numbers)} like speakers' lines, without evidence that they are; "
        f"{remedy or f'give `--form {form}`'} if they are, or `--form prose` to have every word read by one "
        "narrator",
    )


def _lines(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:_LINES_NAMED])) + (", …" if len(numbers) > _LINES_NAMED else "")
    return f"line {named} begins" if len(numbers) == 1 else f"lines {named} begin"


def _refuse_table(lines: Sequence[Line], findings: Findings) -> None:
    """A table without a first line that names its columns would be read aloud cell by cell."""
    speech = [line.text for line in lines if line.kind == structure.SPEECH]
    enough = 3 if not any('"' in text for text in speech) else 2
    if len(speech) >= enough and structured.delimiter_of(speech):
        findings.problem(
            1,
            "looks like a table without names for its columns; begin with a line such as `speaker,text`",
        )


_NAME_ALONE = re.compile(r"[#@]?(?P<name>(?:[A-ZÀ-ÖØ-Þ][\w.'-]*)(?: [A-ZÀ-ÖØ-Þ][\w.'-]*){0,2}(?<![.-]))")
_SHARE = 0.5


def _refuse_names_above(lines: Sequence[Line], findings: Findings) -> None:
    """Names on lines of their own, in no dialect: a narrator would read them aloud with the rest."""
    found: dict[int, str] = {}
    timed = 0
    for line, below in itertools.pairwise(lines):
        name = _NAME_ALONE.fullmatch(line.text.strip())
        if name is None or below.kind != structure.SPEECH or kind(name["name"]) is not Kind.SPEAKER:
            continue
        if line.number - 1 in found:  # a list of names
            del found[line.number - 1]
            continue
        found[line.number] = identity(name["name"])
        timed += labels.without_time(below.text.strip().lstrip("-–—• "))[0].strip() == ""
    people = set(found.values())
    opens = sum(
        line.kind == structure.SPEECH and (before is None or before.kind != structure.SPEECH)
        for line, before in zip(lines, (None, *lines), strict=False)
    )
    returning = 2 <= len(people) < len(found) and len(found) >= _SHARE * opens
    if returning or timed >= 2:
        numbers = sorted(found)
        findings.problem(
            numbers[0],
            f"{_lines(numbers)} like speakers' lines, with names alone; write `Name:`, or give `--form "
            "prose` to have every word read by one narrator",
        )


def _refuse_labelled_headings(lines: Sequence[Line], findings: Findings) -> None:
    """Headings that are labels, `# Nora: Hello.`, would be read aloud, names and all."""
    heads = [
        Line(line.number, structure.heading_text(line.text), structure.SPEECH)
        for line in lines
        if line.kind == structure.HEADING
    ]
    found = survey("colon", heads, ())
    if found.sure and found.verdict is Verdict.LABELS:
        _tie(sorted(found.found), "labels", findings, remedy="take the marks of headings out")


_CODE = re.compile(r"\{\s*[\"'][\w -]{1,40}[\"']\s*:|\[\s*[\[(]\s*[\"']")


def _refuse_code(lines: Sequence[Line], findings: Findings) -> None:
    """JSON within other text, or a list in Python, would be read aloud sign by sign."""
    fenced = {
        number
        for first, text in prose.code_blocks(lines)
        for number in range(first, first + text.count("\n") + 3)
    }
    found = next((line for line in lines if line.number not in fenced and _CODE.search(line.text)), None)
    if found:
        findings.problem(
            found.number,
            "looks like JSON or code within other text; give the JSON by itself, or give `--form prose` to "
            "have every word read by one narrator",
        )


def _refuse_fenced(lines: Sequence[Line], findings: Findings) -> None:
    """Code in Markdown is left out, but a script between fences is what is meant, not the words around it."""
    for number, text in prose.code_blocks(lines):
        inner = survey("colon", structure.lines_of(text.split("\n")), ())
        script = _syntax(text) or inner.verdict is Verdict.LABELS
        if script:
            findings.problem(
                number,
                "begins a code block that looks like a script; give what is between the fences by itself",
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
        "srt": subtitles.read,
        "vtt": subtitles.read,
    }
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
