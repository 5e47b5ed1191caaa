"""Lexicons: words and phrases that are spoken in other words than they are written in.

An entry is a respelling, or a mapping with conditions; a list has the first one whose conditions hold:

```yaml
Nuala: Noola
US: {say: U S, case: true}
Siobhan: {ipa: ʃɪˈvɔːn}
read: [{say: red, after: [had, have, has]}, {say: reed}]
```
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import OptionError

ENTRIES_MAX, WORD_MAX, SAY_MAX = 5000, 100, 200
_WORD = re.compile(r"[^\W_]+")
_EXPRESSION = re.compile(r"\.[*+?]|\\[A-Za-z]|\(\?|\[\^|[)\]][*?]")
_KEYS = ("say", "ipa", "case", "after", "before")


@dataclass(frozen=True, slots=True)
class Entry:
    """One respelling of a word or phrase."""

    pattern: re.Pattern[str]
    say: str
    """Words; empty where it is IPA."""
    ipa: str = ""
    after: frozenset[str] = frozenset()
    """Words one of which must be before it, in lower case; empty for any."""
    before: frozenset[str] = frozenset()
    """Words one of which must be behind it."""


@dataclass(frozen=True, slots=True)
class InIpa:
    """A word that is spoken by IPA."""

    written: str
    ipa: str


class Lexicon:
    """Entries by the first word of what they replace.

    Args:
        entries: entries as in a file.

    Raises:
        OptionError: an entry that is not understood; names every one.
    """

    def __init__(self, entries: Mapping[Any, Any]) -> None:
        problems: list[str] = []
        if len(entries) > ENTRIES_MAX:
            problems.append(f"has more than {ENTRIES_MAX:,} entries")
        self._entries: dict[str, list[Entry]] = {}
        longest_first = sorted(entries.items(), key=lambda item: -len(str(item[0])))
        for written, given in longest_first if not problems else ():
            first = _WORD.search(str(written))
            if first is None or first.start() or len(str(written)) > WORD_MAX:
                problems.append(f"{str(written)[:40]!r} does not begin with a word, or is too long")
                continue
            if _EXPRESSION.search(str(written)):
                problems.append(
                    f"{str(written)[:40]!r} is no word or phrase; regular expressions are not read"
                )
                continue
            found = [_entry(str(written), each, problems) for each in _listed(given)]
            self._entries.setdefault(first[0].casefold(), []).extend(each for each in found if each)
        if problems:
            raise OptionError("lexicon", "; ".join(problems[:20]))

    def respelt(self, text: str) -> str:
        """Replace what has a respelling; whole words only, which stay where the entry is IPA.

        >>> lexicon = Lexicon({"Nuala": "Noola", "US": {"say": "U S", "case": True}})
        >>> lexicon.respelt("Nuala's in the US; trust us.")
        "Noola's in the U S; trust us."
        """
        return "".join(part if isinstance(part, str) else part.written for part in self.parts(text))

    def parts(self, text: str) -> list[str | InIpa]:
        """Respell a text, and part it at words with IPA.

        >>> Lexicon({"Nuala": {"ipa": "nuːlə"}, "US": "U S"}).parts("Nuala in the US.")
        [InIpa(written='Nuala', ipa='nuːlə'), ' in the U S.']
        """
        if not self._entries:
            return [text]
        parts, position = list[str | InIpa](), 0
        words = list(_WORD.finditer(text))
        for number, word in enumerate(words):
            if word.start() < position:
                continue
            before = words[number - 1][0].casefold() if number else ""
            for entry in self._entries.get(word[0].casefold(), ()):
                found = entry.pattern.match(text, word.start())
                if found and _fits(entry, before, text, found.end()):
                    said = InIpa(found[0], entry.ipa) if entry.ipa else entry.say
                    parts += [text[position : found.start()], said]
                    position = found.end()
                    break
        return _merged([*parts, text[position:]])


def _merged(parts: Sequence[str | InIpa]) -> list[str | InIpa]:
    """The parts with neighbouring texts as one; at least one."""
    merged = list[str | InIpa]()
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part:
            merged.append(part)
    return merged or [""]


def _listed(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list) else [given]


def _fits(entry: Entry, before: str, text: str, end: int) -> bool:
    if entry.after and before not in entry.after:
        return False
    behind = _WORD.search(text, end) if entry.before else None
    return not entry.before or (behind is not None and behind[0].casefold() in entry.before)


def _entry(written: str, given: Any, problems: list[str]) -> Entry | None:
    """Parse an entry; what is wrong with it is a problem."""
    shown = f"{written[:40]!r}"
    fields = given if isinstance(given, Mapping) else {"say": given}
    unknown = [str(name)[:20] for name in fields if name not in _KEYS]
    if unknown:
        problems.append(f"{shown} has unknown keys {', '.join(unknown)}; there are {', '.join(_KEYS)}")
        return None
    says = [fields[name] for name in ("say", "ipa") if name in fields]
    if len(says) != 1 or not isinstance(says[0], str) or not _is_speakable(says[0]):
        what = f"no respelling or IPA of up to {SAY_MAX} letters, or both"
        problems.append(f"{shown} has {what}; write {shown}: RESPELLING")
        return None
    if not isinstance(fields.get("case", False), bool):
        problems.append(f"{shown}: 'case' is neither true nor false")
        return None
    words = {name: _listed(fields.get(name, [])) for name in ("after", "before")}
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for each in words.values() for word in each):
        problems.append(f"{shown}: 'after' and 'before' are lists of single words")
        return None
    flags = re.NOFLAG if fields.get("case") else re.IGNORECASE
    pattern = r"\s+".join(re.escape(part) for part in written.split())
    behind = r"(?![^\W_])" if written[-1].isalnum() else ""
    context = {name: frozenset(word.casefold() for word in each) for name, each in words.items()}
    ipa = str(fields.get("ipa", "")).strip("/[] ")
    return Entry(re.compile(pattern + behind, flags), str(fields.get("say", "")), ipa, **context)


def _is_speakable(say: str) -> bool:
    printable = all(unicodedata.category(letter)[0] != "C" for letter in say)
    return printable and len(say) <= SAY_MAX and any(map(str.isalnum, say))


EMPTY = Lexicon({})


def read_lexicon(path: Path) -> dict[str, Any]:
    """Read the entries of a file; a name that ends in `.toml` is TOML, any other YAML or JSON.

    Raises:
        OptionError: it cannot be read, or is no mapping.
    """
    try:
        text = path.read_text("utf-8-sig")
        is_toml = path.suffix.lower() == ".toml"
        found, twice = (tomllib.loads(text), []) if is_toml else _from_yaml(text)
    except OSError as error:
        raise OptionError("lexicon", f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise OptionError("lexicon", f"{path} is not understood: {reason}") from None
    if not isinstance(found, dict):
        raise OptionError("lexicon", f"{path} is not a mapping of words to respellings")
    if twice:
        raise OptionError("lexicon", f"{path}: {'; '.join(twice)}; write one list for the word")
    return {str(word): entry for word, entry in found.items()}


def _from_yaml(text: str) -> tuple[Any, list[str]]:
    """Read a document, and the words that it has twice."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        return (None, []) if root is None else (loader.construct_document(root), _repeated(root))
    finally:
        loader.dispose()


def _repeated(root: yaml.Node) -> list[str]:
    """Words that have two entries, of which YAML would take the last one."""
    lines, found = dict[str, int](), list[str]()
    for key, _ in root.value if isinstance(root, yaml.MappingNode) else ():
        word, line = str(key.value), key.start_mark.line + 1
        if word in lines:
            found.append(f"line {line}: {word[:40]!r} is already on line {lines[word]}")
        lines.setdefault(word, line)
    return found


def lexicon_of(installed: str, given: Mapping[str, Any] | None) -> Lexicon:
    """Combine the lexicon of an installation with that of a request, whose entries come first.

    Args:
        installed: path of the installation's file; empty if it has none.

    Raises:
        OptionError: the file cannot be read, or an entry is not understood.
    """
    return Lexicon({**(read_lexicon(Path(installed)) if installed else {}), **(given or {})})
