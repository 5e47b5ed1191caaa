"""Files that map speakers to voices, in YAML, JSON or TOML.

```yaml
cast:
  Nora: heron
  Mr. Fox: {voice: recordings/fox.wav}
```
The key `cast` may be left out. An entry is a voice, or a mapping with the key `voice`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.errors import OptionError
from pipeline.script.names import identity

_KEYS = ("voice",)
_WRAPPER = "cast"
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class CastEntry:
    """One speaker of a cast file."""

    name: str
    voice: str
    line: int
    """Line in the file, from 1; 0 if it is unknown."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A scalar or a mapping with its line."""

    line: int
    content: "str | list[tuple[str, _Value]] | None"
    """Text, or the entries of a mapping; None for anything else."""


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
    if wrapped is not None and isinstance(wrapped.content, list) and not _is_entry(wrapped):
        beside = [(value.line, name) for name, value in pairs if name != _WRAPPER]
        problems += [(line, f"unknown key {name!r} beside {_WRAPPER!r}") for line, name in beside]
        pairs = wrapped.content
    for name, value in pairs:
        voice = _voice(name, value, problems)
        if voice:
            yield CastEntry(name, voice, value.line)


def _is_entry(value: _Value) -> bool:
    """True for the mapping of one speaker: a person may be called Cast."""
    return isinstance(value.content, list) and [name for name, _ in value.content] == ["voice"]


def _voice(name: str, value: _Value, problems: list[tuple[int, str]]) -> str:
    if isinstance(value.content, list):
        unknown = [(each.line, key) for key, each in value.content if key not in _KEYS]
        problems += [
            (line, f"unknown key {key!r} of {name!r}; there is {', '.join(_KEYS)}") for line, key in unknown
        ]
        value = next((each for key, each in value.content if key == "voice"), _Value(value.line, None))
        if unknown and value.content is None:
            return ""
    if isinstance(value.content, str) and value.content.strip():
        return value.content.strip()
    problems.append((value.line, f"{name!r} has no voice; write NAME: VOICE"))
    return ""


def _check_unique(entries: list[CastEntry], problems: list[tuple[int, str]]) -> None:
    first: dict[str, CastEntry] = {}
    for entry in entries:
        known = first.setdefault(identity(entry.name), entry)
        if known is not entry:
            problems.append((entry.line, f"{entry.name!r} is already on line {known.line}"))


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
    if isinstance(node, yaml.MappingNode) and depth < 3:
        pairs = [
            (str(key.value), _of_node(value, depth + 1, key))
            for key, value in node.value
            if isinstance(key, yaml.ScalarNode)
        ]
        return _Value(line, pairs)
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
    return _of_table(found, text.splitlines(), 1)


def _of_table(value: Any, lines: list[str], line: int) -> _Value:
    if isinstance(value, Mapping):
        pairs = [
            (name, _of_table(each, lines, _toml_line(name, lines, line))) for name, each in value.items()
        ]
        return _Value(line, pairs)
    return _Value(line, value if isinstance(value, str) else None)


def _toml_line(name: str, lines: list[str], otherwise: int) -> int:
    """Line of a key, which tomllib does not report: the first that begins with it."""
    key = rf"""(?:{re.escape(name)}|"{re.escape(name)}"|'{re.escape(name)}')"""
    pattern = re.compile(rf"""\s*(?:{key}\s*[=.]|\[\s*(?:[\w"'. -]+\.\s*)?{key}\s*[\].])""")
    return next((number for number, line in enumerate(lines, 1) if pattern.match(line)), otherwise)
