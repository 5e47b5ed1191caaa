"""Texts in no form that is read, which a narrator would read aloud with their labels, signs and keys."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence

from pipeline.script.forms import labels, prose, structure, structured
from pipeline.script.forms.structure import Line
from pipeline.script.forms.survey import Verdict, survey
from pipeline.script.names import identity
from pipeline.script.turns import Findings
from pipeline.script.vocabulary import Kind, kind

_LINES_NAMED = 6
_MOST = 0.8


def refuse_misfits(lines: Sequence[Line], is_script: Callable[[str], object], findings: Findings) -> None:
    """Refuse what looks like prose to every reader of forms, and is none.

    Args:
        is_script: tells whether a text is in a form with a syntax of its own.
    """
    for refuse in (_refuse_table, _refuse_names_above, _refuse_labelled_headings, _refuse_code):
        refuse(lines, findings)
    _refuse_fenced(lines, is_script, findings)
    if not findings.problems:
        for refuse in (_refuse_source_code, _refuse_tags, _refuse_unsigned, _refuse_spans):
            refuse(lines, findings)


def tie(numbers: Sequence[int], form: str, findings: Findings, remedy: str = "") -> None:
    """Refuse lines that may be speakers' lines; a person must say."""
    findings.problem(
        numbers[0],
        f"{begin(numbers)} like speakers' lines, without evidence that they are; "
        f"{remedy or f'give `--form {form}`'} if they are, or `--form prose` to have every word read by one "
        "narrator",
    )


def begin(numbers: Sequence[int]) -> str:
    """The subject and verb for lines.

    >>> begin([3]), begin([3, 5])
    ('line 3 begins', 'lines 3, 5 begin')
    """
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


_NAME_ALONE = re.compile(
    r"[#@=~*^+]{0,3} ?(?P<name>(?:[A-ZÀ-ÖØ-Þ][\w.'-]*)(?: [A-ZÀ-ÖØ-Þ][\w.'-]*){0,2}(?<![.-]))"
    r"(?: ?[=~*^+]{1,3})?"
)
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
            f"{begin(numbers)} like speakers' lines, with names alone; write `Name:`, or give `--form "
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
        tie(sorted(found.found), "labels", findings, remedy="take the marks of headings out")


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


def _refuse_fenced(lines: Sequence[Line], is_script: Callable[[str], object], findings: Findings) -> None:
    """Code in Markdown is left out, but a script between fences is what is meant, not the words around it."""
    for number, text in prose.code_blocks(lines):
        inner = survey("colon", structure.lines_of(text.split("\n")), ())
        script = is_script(text) or inner.verdict is Verdict.LABELS
        if script:
            findings.problem(
                number,
                "begins a code block that looks like a script; give what is between the fences by itself",
            )


_SOURCE = re.compile(
    r"\s*(?:(?:def|class|function|import|from|const|let|var|public|private|static|return|define|label|elif|"
    r"else|for|while|if|try|print|console|#include|using|package|func|fn)\b.*[:;{})\]]|.*[;{}]|[\])}]+[,;]?"
    r"|[\w.$]+ = [\[{(\"'\w].*|[\[(]\s*[\"'].*[\"']\s*[\])],?|\w{1,20} \"[^\"]*\"|[\"'][^\"']*[\"'],)\s*"
)
_STATEMENT = re.compile(
    r"\s*(?:(?:def|class|function|define|import|const|let|var|func|fn)\s+\w+\s*[=({:.].*|.*[{;]"
    r"|[\w.$]+ = [\[({].*"
    r"|label \w+:|#include.*)\s*"
)


def _refuse_source_code(lines: Sequence[Line], findings: Findings) -> None:
    """Lines of a program."""
    filled = [line for line in lines if line.text.strip()]
    code = [line for line in filled if _SOURCE.fullmatch(line.text)]
    sure = [line for line in code if _STATEMENT.fullmatch(line.text)]
    if len(code) >= 3 and sure and len(code) >= _MOST * len(filled):
        findings.problem(
            code[0].number,
            "looks like source code; give the script by itself, or give `--form prose` to have every word "
            "read by one narrator",
        )


_MERGE = re.compile(r"(?:<{7}|>{7})(?:\s.*)?")


def _refuse_tags(lines: Sequence[Line], findings: Findings) -> None:
    """Tags that name speakers within lines; their words would be read by one narrator."""
    found = next((line for line in lines if labels.SPEAKER_TAG.search(line.text)), None)
    if found:
        findings.problem(
            found.number,
            "has a tag that names a speaker within the line; begin a new line with each such tag",
        )


def refuse_merge_marks(lines: Sequence[Line], findings: Findings) -> None:
    """Refuse a script with the marks of a merge conflict, in which lines stand twice."""
    marks = [line.number for line in lines if _MERGE.fullmatch(line.text.strip())]
    if len(marks) > 1:
        findings.problem(
            marks[0],
            "has the mark of a merge conflict; choose one of the two versions, and take the marks out",
        )


_UNSIGNED = (
    re.compile(
        r"\s*(?:[{<@#*_]+)?(?P<name>[A-ZÀ-ÖØ-Þ][\w'-]*(?: [A-ZÀ-ÖØ-Þ][\w'-]*)?|[a-z][\w'-]*)"
        r"(?P<sign>[}>*_]*\\?(?:[.,;:!)/|-]{1,2} (?=[\"'A-ZÀ-ÖØ-Þ])|:? ?\"(?=\s?\S)))"
    ),
    re.compile(r"\s*(?P<name>[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ'-]+(?: [A-ZÀ-ÖØ-Þ]{2,})?)(?P<sign>) (?=.*[a-zß-ÿ])"),
    re.compile(r"\s*[#~=^$%&+]{1,3} ?(?P<name>[^\W\d_][\w'-]*)(?P<sign>[#~=^$%&+]{0,3}) +(?=\S)"),
    re.compile(
        r"\s*(?P<name>[^\W\d_][\w'-]*(?: [A-ZÀ-ÖØ-Þ][\w'-]*)?)(?P<sign>)\s+"
        r"[\[(]?\d{1,2}:\d{2}(?::\d{2})?[\])]?\s+(?=\S)"
    ),
    re.compile(r"\s*\[(?P<name>[^\W\d_][\w' -]{0,30})(?P<sign>:) [^\[\]]+\]\s*$"),
)
"""Heads of lines that look like names, in ways that no dialect has."""
_SPANS = re.compile(r"\s*\d{1,7}(?:\.\d{1,3})?[\s,;]+\d{1,7}(?:\.\d{1,3})?[\s,;]+(?=[^\W\d])")


def _refuse_spans(lines: Sequence[Line], findings: Findings) -> None:
    """Lines that begin with two numbers, as exports with a start and an end do."""
    filled = [line for line in lines if line.text.strip()]
    found = [line.number for line in filled if _SPANS.match(line.text)]
    if len(found) > 1 and len(found) >= _MOST * len(filled):
        findings.problem(
            found[0],
            f"{begin(found)} with two numbers, as times are given; take them out, or give `--form prose`",
        )


def _refuse_unsigned(lines: Sequence[Line], findings: Findings) -> None:
    """Names that return at the heads of nearly all lines, with another sign than labels have or none."""
    filled = [line for line in lines if line.text.strip()]
    for pattern in _UNSIGNED:
        heads = {line.number: found for line in filled if (found := pattern.match(line.text))}
        names = Counter(identity(found["name"]) for found in heads.values())
        signs = {found["sign"].strip() for found in heads.values()}
        people = [key for key in names if kind(key) in (Kind.SPEAKER, Kind.NUMBERED)]
        enough = len(filled) >= 3 and len(heads) >= _MOST * len(filled) and len(signs) == 1
        if enough and 2 <= len(names) < len(heads) and len(people) == len(names):
            numbers = sorted(heads)
            findings.problem(
                numbers[0],
                f"{begin(numbers)} with names that return; if they are speakers, write `Name: words`, else "
                "give `--form prose` to have every word read by one narrator",
            )
            return
