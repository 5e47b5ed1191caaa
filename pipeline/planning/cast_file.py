"""Files that map speakers to voices, in YAML, JSON or TOML.

```yaml
cast:
  Nora: heron
  Mr. Fox: {voice: recordings/fox.wav, pace: 0.9, gain_db: -3, aliases: [Fox, Mister Fox]}
narration: Nora
quoted: finch
```
An entry is a voice, or a mapping with the keys of `pipeline.planning.cast_entry`. The key `cast` may be left
out if there is neither `narration` nor `quoted`, whose values are entries, or names of the cast.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from pipeline.books.quotes import QUOTED
from pipeline.errors import OptionError
from pipeline.planning.cast_entry import KEYS, Entry, number_problem
from pipeline.script.names import identity
from pipeline.script.turns import NARRATOR

_WRAPPER = "cast"
_DEPTH_MAX, _ITEMS_MAX = 4, 1000
_ROLES = {"narration": NARRATOR, "quoted": QUOTED}
"""Speakers by the keys beside the cast."""
_HEADER = re.compile(r"\s*\[\s*(?P<keys>[^\[\]]+?)\s*\]\s*(?:#.*)?")
_ASSIGNED = re.compile(r"\s*(?P<keys>[^=\[\]{}#]+?)\s*=")
_KEY = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class CastEntry:
    """One speaker of a cast file."""

    name: str
    voice: str
    """Empty for the default."""
    line: int
    """Line in the file, from 1; 0 if it is unknown."""
    pace: float = 1.0
    gain_db: float = 0.0
    aliases: tuple[str, ...] = ()

    def given(self, voice: Any) -> Any:
        """The entry as a request has it.

        Args:
            voice: in place of the file's.
        """
        return Entry(voice, self.pace, self.gain_db, self.aliases).given()


@dataclass(frozen=True, slots=True)
class _Value:
    """A scalar, a list or a mapping with its line."""

    line: int
    content: "str | float | tuple[_Value, ...] | list[tuple[str, _Value]] | None"
    """Text, a number of TOML, items of a list, or the entries of a mapping; None for anything else."""


def read_cast(text: str, *, file: str) -> list[CastEntry]:
    """Read a cast file; a name that ends in `.toml` is TOML, any other YAML, of which JSON is a part.

    Args:
        file: its name.

    Raises:
        OptionError: a file that is not a cast; names every problem with its line.
    """
    problems: list[tuple[int, str]] = []
    root = _toml(text) if file.lower().endswith(".toml") else _yaml(text)
    entries = list(_entries(root, problems))
    if not entries and not problems:
        problems.append((1, "has no speakers; write NAME: VOICE"))
    _check_unique(entries, problems)
    if problems:
        raise OptionError("cast", "; ".join(f"line {line}: {reason}" for line, reason in sorted(problems)))
    return entries


def _entries(root: _Value, problems: list[tuple[int, str]]) -> Iterator[CastEntry]:
    if not isinstance(root.content, list):
        problems.append((root.line, "is not a mapping of speakers to voices; write NAME: VOICE"))
        return
    pairs = root.content
    wrapped = next((value for name, value in pairs if name == _WRAPPER), None)
    roles: list[tuple[str, _Value]] = []
    if wrapped is not None and isinstance(wrapped.content, list) and not _is_entry(wrapped):
        beside = [(name, value) for name, value in pairs if name != _WRAPPER]
        roles = [(name, value) for name, value in beside if name in _ROLES]
        problems += [
            (value.line, f"unknown key {name!r} beside {_WRAPPER!r}; there are {', '.join(_ROLES)}")
            for name, value in beside
            if name not in _ROLES
        ]
        pairs = wrapped.content
    entries = [entry for name, value in pairs if (entry := _entry(name, value, problems))]
    yield from entries
    for name, value in roles:
        role = _entry(_ROLES[name], value, problems)
        same = role and next((each for each in entries if identity(each.name) == identity(role.voice)), None)
        if role:
            yield replace(same, name=role.name, line=role.line, aliases=()) if same else role


def _is_entry(value: _Value) -> bool:
    """True for the mapping of one speaker: a person may be called Cast."""
    return isinstance(value.content, list) and {name for name, _ in value.content} <= set(KEYS)


def _entry(name: str, value: _Value, problems: list[tuple[int, str]]) -> CastEntry | None:
    """Read an entry; None if it has no voice and nothing else."""
    if not isinstance(value.content, list):
        voice = _text(value)
        if not voice:
            problems.append((value.line, f"{name!r} has no voice; write NAME: VOICE"))
        return CastEntry(name, voice, value.line) if voice else None
    found: dict[str, Any] = {}
    for key, each in value.content:
        if key not in KEYS:
            problems.append((each.line, f"unknown key {key!r} of {name!r}; there are {', '.join(KEYS)}"))
        elif key == "aliases":
            found[key] = _names(name, each, problems)
        elif key == "voice":
            found[key] = _text(each)
            if not found[key]:
                problems.append((each.line, f"{name!r} has no voice; write NAME: VOICE"))
        else:
            found[key] = _number(name, key, each, problems)
    if not value.content:
        problems.append((value.line, f"{name!r} has no voice; write NAME: VOICE"))
    return CastEntry(**{"voice": "", **found, "name": name, "line": value.line})


def _text(value: _Value) -> str:
    return value.content.strip() if isinstance(value.content, str) else ""


def _names(name: str, value: _Value, problems: list[tuple[int, str]]) -> tuple[str, ...]:
    items = value.content if isinstance(value.content, tuple) else ()
    names = tuple(filter(None, map(_text, items)))
    if not names or len(names) < len(items):
        problems.append((value.line, f"aliases of {name!r} is not a list of names; write [NAME, NAME]"))
    return names


def _number(name: str, key: str, value: _Value, problems: list[tuple[int, str]]) -> float:
    try:
        number = float(value.content) if isinstance(value.content, str | float) else math.nan
    except ValueError:
        number = math.nan
    reason = number_problem(key, number)
    if reason:
        problems.append((value.line, f"{reason} ({name!r})"))
    return number


def _check_unique(entries: list[CastEntry], problems: list[tuple[int, str]]) -> None:
    first: dict[str, CastEntry] = {}
    for entry in entries:
        known = first.setdefault(identity(entry.name), entry)
        if known is not entry:
            problems.append((entry.line, f"{entry.name!r} is already on line {known.line}"))
    for entry in entries:
        for alias in entry.aliases:
            known = first.setdefault(identity(alias), entry)
            if known is not entry:
                problems.append(
                    (entry.line, f"alias {alias!r} is a name of {known.name!r} on line {known.line}")
                )


def _yaml(text: str) -> _Value:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise OptionError("cast", f"line {line}: not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        raise OptionError("cast", f"not YAML: {error.reason}") from None
    return _Value(1, []) if node is None else _of_node(node)


def _of_node(node: Any, depth: int = 0, key: Any = None) -> _Value:
    line = (key or node).start_mark.line + 1
    if isinstance(node, yaml.MappingNode) and depth < _DEPTH_MAX:
        pairs = [
            (str(key.value), _of_node(value, depth + 1, key))
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        ]
        return _Value(line, pairs)
    if isinstance(node, yaml.SequenceNode) and depth < _DEPTH_MAX:
        return _Value(line, tuple(_of_node(item, depth + 1) for item in node.value[:_ITEMS_MAX]))
    if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
        return _Value(line, str(node.value))
    return _Value(line, None)


def _toml(text: str) -> _Value:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        reason = _TOML_PLACE.sub("", str(error))
        raise OptionError("cast", f"line {place[1] if place else 1}: not TOML: {reason}") from None
    return _of_table(found, _toml_lines(text), ())


def _of_table(value: Any, lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> _Value:
    line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)
    if isinstance(value, Mapping):
        return _Value(line, [(name, _of_table(each, lines, (*path, name))) for name, each in value.items()])
    if isinstance(value, list):
        return _Value(line, tuple(_of_table(each, lines, path) for each in value[:_ITEMS_MAX]))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _Value(line, float(value))
    return _Value(line, value if isinstance(value, str) else None)


def _toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """Lines of keys by their paths, which tomllib does not report: of headers, and at the starts of lines."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header, assigned = _HEADER.fullmatch(line), _ASSIGNED.match(line)
        if header:
            path = table = _toml_keys(header["keys"])
        elif assigned:
            path = (*table, *_toml_keys(assigned["keys"]))
        else:
            continue
        for end in range(1, len(path) + 1):
            found.setdefault(path[:end], number)
    return found


def _toml_keys(text: str) -> tuple[str, ...]:
    """Parts of a dotted key.

    >>> _toml_keys('cast."Mr. Fox".pace')
    ('cast', 'Mr. Fox', 'pace')
    """
    return tuple(next(filter(None, parts), "") for parts in _KEY.findall(text))
