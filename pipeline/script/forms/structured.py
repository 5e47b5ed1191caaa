"""JSON, CSV and YAML, in the shapes in which turns are common, to events."""

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import yaml

from pipeline.errors import ScriptError
from pipeline.script.events import Event, chapter, pause_between, speaker, words
from pipeline.script.forms import structure
from pipeline.script.forms.survey import survey
from pipeline.script.marks import PAUSE_MAX_MS
from pipeline.script.names import displayed, identity
from pipeline.script.plain import LINE_ENDS, plain, plain_letters
from pipeline.script.turns import NARRATOR, Findings
from pipeline.script.vocabulary import words_of

SPEAKER_KEYS = words_of("""
    speaker speaker_id speaker_name speakername name character role voice who actor person host user author
    participant agent character_name sprecher figur rolle personnage locuteur personaje hablante from voice_id
    voiceid voice_name voicename
""")
TEXT_KEYS = words_of("""
    text line content message words dialogue dialog utterance say says value transcript sentence speech lines
    quote script body caption texte réplique texto
""")
_LIST_KEYS = words_of("""
    turns dialogue dialog script lines segments messages transcript conversation utterances items scenes
    chapters content podcast data results entries parts acts sections script_lines
""")
_NOTE_KEYS = words_of("""
    direction directions stage_direction emotion note notes action tone style mood sfx sound comment instruct
    instruction instructions
""")
_INPUT_KEYS = words_of("input inputs prompt parts contents output response answer result")
"""Keys around a whole script in requests and answers of services."""
_TITLE_KEYS = words_of("name author voice voice_id voiceid voice_name voicename host from")
"""Keys that may describe a whole script."""
_NEVER_NAMES = words_of("speaker speaker_id speaker_name name character role who")
"""Keys that are no speaker's name where an item has one key alone."""
_VOICE_KEYS = words_of("voice voice_id voiceid voice_name voicename")
"""Keys that say who speaks where no other key does."""
_SEPARATOR = re.compile(r"\ufeff?sep=.\s*")
"""First line of Excel's tables."""
_NEVER_SPEAK = words_of("system developer tool function")
"""Roles of messages that are no part of a conversation."""
_CHAPTER_KEY, _PAUSE_KEY = "begins_chapter", "pause_ms"
"""Keys of an item: the title of the chapter that begins with it, and the silence before it."""
_DEPTH_MAX = 60
_INDENT = r"[^\S\n]*"
"""White space before a line's first character; `\\s*` would run through blank lines from each of them."""
_ITEM = "an item has a speaker and a text"
_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*+([\w+-]*+)[ \t]*+\n")


def unfenced(text: str, findings: Findings) -> str:
    r"""The text within a Markdown fence around the whole of it; else the text.

    >>> unfenced("```json\n[]\n```", Findings())
    '\n[]'
    """
    stripped = text.strip()
    opened = _FENCE.match(stripped)
    if not opened or not stripped.endswith(opened[1], opened.end()):
        return text
    inner = stripped[opened.end() :].removesuffix(opened[1]).rstrip()
    if "```" in inner:
        return text
    findings.omit(1, "code fence", opened[2])
    return "\n" + inner


def inner_text(text: str) -> str | None:
    r"""The script inside JSON that has no speakers of its own: one string, or strings in a list.

    >>> inner_text('"Nora: Hi.\\nTom: Yes."'), inner_text('{"title": "Lamps", "script": "Nora: Hi."}')
    ('Nora: Hi.\nTom: Yes.', 'Nora: Hi.')
    """
    stripped = text.strip()
    if not stripped or stripped[0] not in '"{[' or stripped[-1] not in '"}]':
        return None
    if stripped[0] == '"' and "\\" not in stripped:  # a quotation
        return None
    try:
        return _inner_of(json.loads(stripped))
    except (ValueError, RecursionError):
        return None


def report_beside_text(text: str, findings: Findings) -> None:
    """Report the keys beside the text of a JSON document that are not read."""
    value = json.loads(text.strip())
    keys = list(map(_key, map(str, value))) if isinstance(value, dict) else []
    _report_keys([key for key in keys if key not in TEXT_KEYS | _LIST_KEYS | _INPUT_KEYS], 1, findings, "key")


def has_turns(text: str) -> bool:
    """Tell whether JSON is a list of turns, with speakers or without."""
    try:
        turns = _turns(json.loads(text.strip()))
    except (ValueError, RecursionError, ScriptError):
        return False
    return any(isinstance(item, dict) for item in turns)


def _inner_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [_text_of(item) for item in value]
        return "\n\n".join(map(str, texts)) if texts and None not in texts else None
    if not isinstance(value, dict) or _pick(value, SPEAKER_KEYS - _TITLE_KEYS) is not None or _lists(value):
        return _inner_of_lists(value) if isinstance(value, dict) else None
    keys = TEXT_KEYS | _LIST_KEYS | _INPUT_KEYS
    found = [text for key, text in value.items() if _key(str(key)) in keys and isinstance(text, str | dict)]
    return _inner_of(found[0]) if len(found) == 1 else None


def _inner_of_lists(value: dict[Any, Any]) -> str | None:
    """The text of the one list in an object, if its items have no speakers."""
    lists = [found for key, found in _lists(value) if _key(str(key)) in _LIST_KEYS | _INPUT_KEYS]
    return _inner_of(lists[0]) if len(lists) == 1 and len(_lists(value)) == 1 else None


def _text_of(item: Any) -> str | None:
    """The text of a list's item that has no speaker; None of all others."""
    if isinstance(item, str):
        return item
    if not isinstance(item, dict) or _pick(item, SPEAKER_KEYS) is not None:
        return None
    if len(item) == 1 and _key(str(next(iter(item)))) not in TEXT_KEYS | _INPUT_KEYS:
        return None
    return _inner_of(item)


def is_json(text: str) -> bool:
    """Tell whether a text begins as JSON does; `[pause:1s]` and `[Nora] words` do not."""
    stripped = text.lstrip()
    if re.match(r"\[\s*(?:[\[{\]]|\"(?:[^\"\\\n]|\\.)*\"\s*[,\]])", stripped):
        return True
    return bool(re.match(r"\{\s*(?:\"(?:[^\"\\\n]|\\.)*\"\s*:|\})", stripped))


def read_json(text: str, findings: Findings) -> Iterator[Event]:
    """Read a list of turns, an object that holds one, or a turn per line (JSON Lines).

    Raises:
        ScriptError: it is not JSON, or holds no turns.
    """
    return _read_document(_parsed(text), findings)


def _read_document(value: Any, findings: Findings) -> Iterator[Event]:
    turns = _turns(value)
    _report_keys(_beside(value, turns), 1, findings, "key")
    return read_items(turns, findings)


def _beside(value: Any, turns: list[Any]) -> list[str]:
    """The keys of the objects around the turns that hold texts or lists, and are not read."""
    if not isinstance(value, dict) or turns == [value]:
        return []
    unread: list[str] = []
    for key, found in value.items():
        if isinstance(found, dict):
            unread += _beside(found, turns)
        elif found is not turns and isinstance(found, str | list) and found:
            unread.append(_key(str(key)))
    return unread


def _parsed(text: str) -> Any:
    stripped = text.strip()
    offset = text.count("\n", 0, len(text) - len(text.lstrip()))
    try:
        return json.loads(stripped)
    except json.JSONDecodeError as error:
        if stripped.startswith("{") and (lines := _json_lines(stripped, offset)) is not None:
            return lines
        raise ScriptError(
            error.lineno + offset,
            f"begins like JSON but is not: {error.msg}; correct it, or give `--form prose` if it is none",
        ) from None
    except ValueError:  # Python reads no number with thousands of digits
        raise ScriptError(1, "begins like JSON but has a number that is too long") from None
    except RecursionError:
        raise ScriptError(1, "begins like JSON but is nested too deeply") from None


def _json_lines(text: str, offset: int) -> list[Any] | None:
    """An object per line; None if not even the first line is one."""
    items = []
    for number, line in enumerate(text.split("\n"), 1 + offset):
        if not line.strip():
            continue
        try:
            items.append(json.loads(line.strip().removesuffix(",")))
        except (ValueError, RecursionError):
            if not items:
                return None
            raise ScriptError(number, "begins like JSON Lines, but this line is no JSON") from None
    return items


def is_yaml(text: str) -> bool:
    """Tell whether a text has lines of YAML with keys for speakers and texts, or a list below a key."""
    speakers = "|".join(sorted(SPEAKER_KEYS))
    texts = "|".join(sorted(TEXT_KEYS))
    by_speaker = re.search(rf"^{_INDENT}(?:-\s+)?(?:{speakers}):\s+\S", text, re.MULTILINE)
    by_text = re.search(rf"^{_INDENT}(?:-\s+)?(?:{texts}):(?:\s|$)", text, re.MULTILINE)
    listed = re.search(rf"^{_INDENT}-\s+[\w\"'][^\n]*:(?:\s|$)", text, re.MULTILINE)
    lists = "|".join(sorted(_LIST_KEYS))
    below = re.search(
        rf"^(?:{lists}):[ ]*\n\s*-\s+[\w\"'][^:\n]*:(?:\s|$)", text, re.MULTILINE | re.IGNORECASE
    )
    return bool(listed and ((by_speaker and by_text) or (below and not _has_labels_beside(text))))


def _has_labels_beside(text: str) -> bool:
    """Tell whether a key at the left margin returns, or a line there is none: labels, not YAML."""
    margin = [line for line in text.split("\n") if line.strip() and line[0] not in " \t#-"]
    keys = [line.partition(":")[0] for line in margin]
    return len(set(keys)) < len(keys) or not all(":" in line for line in margin)


def read_yaml(text: str, findings: Findings) -> Iterator[Event]:
    """Read the same shapes as of JSON.

    Raises:
        ScriptError: it is not YAML, or holds no turns.
    """
    if re.search(r"(?:^|[\s\[{,:-])[&*][A-Za-z_]\w*\s*(?:$|\n)", text):
        raise ScriptError(1, "has YAML anchors or aliases, which are not read; write each text out")
    if any(len(line) - len(line.lstrip()) > 2 * _DEPTH_MAX for line in text.split("\n")):
        raise ScriptError(1, "begins like YAML but is nested too deeply")
    try:
        value = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - strings only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ScriptError(
            line, "begins like YAML but is not; put a text with a colon or a quotation mark between quotes"
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ScriptError(1, "begins like YAML but is not") from None
    return _read_document(value, findings)


def csv_dialect(text: str) -> str | None:
    """The delimiter of a table whose first line names a column for speakers and one for texts."""
    rows = (line for line in text.split("\n") if line.strip() and not _SEPARATOR.fullmatch(line))
    first = next(rows, "")[:2000]
    for delimiter in ",;\t|":
        names = [_key(cell) for cell in next(csv.reader([_bare(first, delimiter)], delimiter=delimiter), [])]
        if len(names) > 1 and None not in (_column(names, SPEAKER_KEYS), _column(names, TEXT_KEYS)):
            return delimiter
    return None


def delimiter_of(rows: Sequence[str]) -> str | None:
    """The sign that parts rows into cells, as many in each, where quotes are those of CSV.

    >>> delimiter_of(['Nora,"Hello, you."', "Theo,Hi.", "Nora,Bye."]), delimiter_of(["Well, yes.", "No, no."])
    (',', None)
    """
    for delimiter in "\t;,":
        cells = [next(csv.reader([row], delimiter=delimiter), []) for row in rows]
        sizes = {len(row) for row in cells}
        heads = [row[0] for row in cells if row]
        tight = all(row[1:2] and not row[1].startswith(" ") for row in cells)
        names = delimiter != "," or (tight and all(len(head) <= 40 and " " not in head for head in heads))
        if len(sizes) == 1 and sizes != {1} and names:
            return delimiter
    return None


def is_table_of_turns(row: str) -> bool:
    """Tell whether the first row of a Markdown table names a column for speakers and one for texts."""
    names = [_key(cell) for cell in row.strip().strip("|").split("|")]
    return None not in (_column(names, SPEAKER_KEYS), _column(names, TEXT_KEYS))


def _bare(line: str, delimiter: str) -> str:
    """A row of a Markdown table without its outer bars."""
    return line.strip().strip("|") if delimiter == "|" else line


def read_csv(text: str, findings: Findings) -> Iterator[Event]:
    """Read a table with a column for speakers and one for texts, named in its first line.

    Raises:
        ScriptError: no such columns.
    """
    delimiter = csv_dialect(text)
    if delimiter is None:
        raise ScriptError(1, "has no first line that names its columns; begin with `speaker,text`")
    lines = ["" if _SEPARATOR.fullmatch(line) else _bare(line, delimiter) for line in text.split("\n")]
    rows = _split_rows("\n".join(lines), delimiter, findings)
    return _rows(
        [(line, row) for line, row in rows if any(map(str.strip, row)) and not _is_rule(row)], findings
    )


def _split_rows(text: str, delimiter: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error:
        findings.problem(line, "has a cell that is too long, or a quotation mark that is never closed")


def _is_rule(row: Sequence[str]) -> bool:
    return all(re.fullmatch(r"\s*:?-+:?\s*", cell) for cell in row)


def _rows(rows: Sequence[tuple[int, list[str]]], findings: Findings) -> Iterator[Event]:
    last = NARRATOR
    names = [_key(cell) for cell in rows[0][1]]
    who, what = _column(names, SPEAKER_KEYS) or 0, _column(names, TEXT_KEYS) or 0
    unread = [name for i, name in enumerate(names) if i not in (who, what)]
    _report_keys(unread, rows[0][0], findings, "column")
    for line, row in rows[1:]:
        if len(row) != len(names):
            count = "fewer" if len(row) < len(names) else "more"
            findings.problem(
                line,
                f"has {count} cells than the first line has columns; put quotes around a text that holds "
                "the sign between cells",
            )
            continue
        last = row[who].strip() or last
        name = plain(last, line, findings)
        yield speaker(line, name)
        yield from _lines(line, _without_label(name, row[what], line, findings))


def _column(names: Sequence[str], keys: Collection[str]) -> int | None:
    return next((i for i, name in enumerate(names) if name in keys), None)


def _key(text: str) -> str:
    return re.sub(r"[\s-]+", "_", text.strip().strip("|").strip().casefold())


def _turns(value: Any) -> list[Any]:
    """The list of turns in a JSON or YAML document.

    Raises:
        ScriptError: there is none, or more than one could be meant.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if (
            _pick(value, TEXT_KEYS) is not None
            and _pick(value, SPEAKER_KEYS) is not None
            and not _lists(value)
        ):
            return [value]
        lists = _lists(value)
        named = [found for key, found in lists if _key(str(key)) in _LIST_KEYS]
        if len(named) == 1 or len(lists) == 1:
            return (named or [found for _, found in lists])[0]
        inner = [found for found in value.values() if isinstance(found, dict)]
        if len(inner) == 1 and not lists:
            return _turns(inner[0])
        if not lists and value and all(isinstance(found, str) for found in value.values()):
            raise ScriptError(1, f"is one object, in which no name can return; write a list: {_ITEM}")
        if lists:
            raise ScriptError(1, "has more than one list; name the one with the turns `turns`")
    raise ScriptError(1, f"has no list of turns; {_ITEM}")


def _lists(value: dict[Any, Any]) -> list[tuple[Any, list[Any]]]:
    """The lists in an object that may hold turns."""
    return [
        (key, found)
        for key, found in value.items()
        if isinstance(found, list) and any(isinstance(item, dict | list) for item in found)
    ]


def read_items(items: Sequence[Any], findings: Findings) -> Iterator[Event]:
    """Read a list of turns: objects, pairs, or objects with the speaker for a key."""
    unread: dict[str, int] = {}
    for number, item in enumerate(items, 1):
        if isinstance(item, dict) and (inner := _nested(item)) is not None:
            for key in _beside(item, inner):
                unread.setdefault(key, number)
            yield from read_items(inner, findings)
            continue
        found = _speaker_and_text(item, number, findings, unread)
        if found is None:
            continue
        name = _name(found[0], number, findings)
        if name is None:
            findings.problem(number, f"item {number}: the speaker is not a name")
            continue
        if isinstance(item, dict) and str(item.get("role")).casefold() in _NEVER_SPEAK:
            findings.omit(number, "system message", _joined(found[1]) or "")
            continue
        text = _joined(found[1])
        if text is None:
            findings.problem(number, f"item {number}: the text is not a string")
            continue
        if isinstance(item, dict):
            yield from _before(item, number, findings)
        yield speaker(number, name)
        yield from _lines(number, _without_label(name, text, number, findings))
    _report_keys(list(unread), next(iter(unread.values()), 1), findings, "key")


def _before(item: dict[Any, Any], number: int, findings: Findings) -> Iterator[Event]:
    """The start of a chapter and the silence before a turn, where it asks for them."""
    title, pause_ms = item.get(_CHAPTER_KEY), item.get(_PAUSE_KEY)
    if isinstance(title, str):
        yield pause_between(number)
        yield from chapter(number, plain(title, number, findings))
    if isinstance(pause_ms, int) and not isinstance(pause_ms, bool):
        if not 0 <= pause_ms <= PAUSE_MAX_MS:
            findings.problem(number, f"item {number}: {_PAUSE_KEY} is not between 0 and {PAUSE_MAX_MS:,}")
            return
        yield pause_between(number)
        yield Event(number, "rest", rest_ms=pause_ms)


def _nested(item: dict[Any, Any]) -> list[Any] | None:
    """The turns of a scene or chapter, where a list of those is given."""
    if _pick(item, SPEAKER_KEYS - {"name"}) is not None:
        return None
    found = [inner for key, inner in _lists(item) if _key(str(key)) in _LIST_KEYS]
    return found[0] if len(found) == 1 else None


def _speaker_and_text(
    item: Any, number: int, findings: Findings, unread: dict[str, int]
) -> tuple[Any, Any] | None:
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], str):
        return item[0], item[1]
    if not isinstance(item, dict):
        findings.problem(number, f"item {number} is not an object with a speaker and a text")
        return None
    if len(item) == 1 and _key(str(only := next(iter(item)))) not in TEXT_KEYS | _NEVER_NAMES:
        return only, item[only]
    text_key, speaker_key = _pick(item, TEXT_KEYS), _pick(item, SPEAKER_KEYS)
    if text_key is None:
        findings.problem(number, f"item {number} has no text; {_ITEM}")
        return None
    for key in item.keys() - {text_key, speaker_key, _CHAPTER_KEY, _PAUSE_KEY}:
        unread.setdefault(_key(str(key)), number)
    return item.get(speaker_key, NARRATOR) if speaker_key is not None else NARRATOR, item[text_key]


def _pick(item: dict[Any, Any], keys: Collection[str]) -> Any:
    """The first of an object's keys that is one of these, the plainest first."""
    plainest = [key for key in item if _key(str(key)) in ("speaker", "text")]
    named = [key for key in item if _key(str(key)) not in _VOICE_KEYS]
    return next((key for key in [*plainest, *named, *item] if _key(str(key)) in keys), None)


def _name(given: Any, number: int, findings: Findings) -> str | None:
    if isinstance(given, dict):
        inner = _pick(given, SPEAKER_KEYS)
        given = given.get(inner) if inner is not None else None
    if isinstance(given, int) and not isinstance(given, bool):
        return f"Speaker {given}"
    if not isinstance(given, str):
        return None
    bare = re.fullmatch(r"\s*(0?\d|[1-9]\d{1,2})\s*", given)
    name = f"Speaker {int(bare[1])}" if bare else plain(given, number, findings)
    return displayed(name) if any(map(str.isalnum, name)) else None


def _joined(text: Any) -> str | None:
    """A text in parts, as chats and programs store it: strings, or objects with a `text`."""
    if not isinstance(text, list):
        return text if isinstance(text, str) else None
    parts = [part.get("text") if isinstance(part, dict) else part for part in text]
    strings = [part for part in parts if isinstance(part, str)]
    if not parts or len(strings) < len(parts):
        return None
    mixed = len({type(part) for part in text}) > 1  # words around a link
    return ("" if mixed else "\n").join(strings)


def _without_label(name: str, text: str, number: int, findings: Findings) -> str:
    """The words without the speaker's name before them; labels of others are a problem."""
    if ":" not in text and "：" not in text:
        return text
    lines = structure.lines_of(plain_letters(text).split("\n"))
    found = survey("colon", lines, (identity(name),))
    label = found.found.get(1)
    if len(found.counts) > 1 and (found.sure or found.whole) and len(found.found) > 1:
        findings.problem(
            number,
            f"the text of {displayed(name)!r} is a script with speakers of its own; give that by itself",
        )
    elif label is not None and identity(label.name) == identity(name):
        findings.omit(number, "repeated name", label.name)
        return text[len(text.partition("\n")[0]) - len(label.words) :]
    return text


def _report_keys(keys: Sequence[str], line: int, findings: Findings, what: str) -> None:
    """Name what is not read; keys that only their author knows are counted, not quoted."""
    known = sorted(key for key in keys if key in _NOTE_KEYS or key in _DATA_KEYS)
    others = len(keys) - len(known)
    named = [*known, *([f"{others} other{'s' if others > 1 else ''}"] if others else [])]
    if named:
        findings.notice(line, f"not read: {what}{'s' if len(keys) > 1 else ''} {', '.join(named)}")


_DATA_KEYS = words_of("""
    start end id index time timestamp duration type emotion confidence seek tokens temperature avg_logprob
    compression_ratio no_speech_prob language lang speaker_id title start_time end_time begin number no scene
    chapter voice voice_id voiceid host_voice model model_id gender summary intro outro description author
    date hosts speakers characters pause speed rate volume pitch
""")


def _lines(number: int, text: str) -> Iterator[Event]:
    """A text line by line; blank lines part paragraphs."""
    for line in LINE_ENDS.split(text.replace("\r\n", "\n").replace("\r", "\n")):
        yield words(number, line) if line.strip() else pause_between(number)
