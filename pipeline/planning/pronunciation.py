"""Words that are spoken in place of those that are written.

They are given by commands within the script, by a lexicon, by normalisation and by the engine's own wording.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.engines.protocol import Engine, Profile, Wording
from pipeline.normalization.numbers import cardinal
from pipeline.normalization.rules import KINDS, kinds_of
from pipeline.planning.lexicon import EMPTY, InIpa, Lexicon, lexicon_of
from pipeline.script import markup
from pipeline.script.turns import Said, Turn

_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)
_NO_IPA = (
    "has IPA, which engine {} does not take; write words, as in [say:Noola]Nuala[/say] or "
    "`{{say: Noola}}`, or choose another engine"
)


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Rules of a job, in the order in which they are applied."""

    lexicon: Lexicon = EMPTY
    kinds: frozenset[str] | None = None
    """Kinds that are written in words; None: all, for engines that do not normalise by themselves."""

    def wording(self, turn: Turn, engine: Engine) -> Wording:
        """Write a turn as the engine is to be given it."""
        kinds = self._kinds(engine.profile)
        return _joined([_worded(part, kinds, engine) for part in self._parts(turn)])

    def _kinds(self, profile: Profile) -> Collection[str]:
        if self.kinds is not None:
            return self.kinds
        return () if profile.normalizes else KINDS

    def _parts(self, turn: Turn) -> Iterator["str | InIpa | _Given"]:
        """Texts, words in IPA, and words that a command gives."""
        position = 0
        for said in turn.said:
            yield from self.lexicon.parts(turn.text[position : said.start])
            written = turn.text[said.start : said.end]
            yield InIpa(written, said.value) if said.kind == markup.IPA else _Given(words_of(said, written))
            position = said.end
        yield from self.lexicon.parts(turn.text[position:])


@dataclass(frozen=True, slots=True)
class _Given:
    """Words that are spoken as they are."""

    text: str


def words_of(said: Said, written: str) -> str:
    """Words that a command gives.

    >>> words_of(Said(0, 4, "spell", ""), "B2B.")
    'B-two-B'
    >>> words_of(Said(0, 1, "say-as", "ordinal"), "5")
    'fifth'
    """
    if said.kind == markup.SPELL:
        return spelled(written) or written
    if said.kind == markup.READ_AS:
        from pipeline.normalization.normalizer import read_as  # compiles all rules

        return read_as(said.value, written)
    return said.value or written


def spelled(text: str) -> str:
    """Letters and digits one by one, joined by hyphens, so that they stay one word; other signs are left out.

    >>> spelled("usb 3")
    'U-S-B three'
    """
    return " ".join("-".join(map(_letter, filter(str.isalnum, word))) for word in text.split())


def _letter(letter: str) -> str:
    return cardinal(int(letter)) if letter.isdecimal() else letter.upper()


def _worded(part: "str | InIpa | _Given", kinds: Collection[str], engine: Engine) -> Wording:
    if isinstance(part, _Given):
        return engine.wording(part.text)
    if isinstance(part, InIpa):
        found = engine.pronounced(part.written, part.ipa)
        return found or Wording(part.written, (_NO_IPA.format(engine.profile.name),))
    before, text, behind = _EDGES.fullmatch(part).groups()  # type: ignore[union-attr]
    if not text:
        return Wording(part)
    found = engine.wording(text, kinds)
    return Wording(f"{before}{found.text}{behind}", found.problems, found.notices, found.unspeakable)


def _joined(parts: Sequence[Wording]) -> Wording:
    if len(parts) == 1:
        return parts[0]
    return Wording(
        "".join(part.text for part in parts),
        tuple(dict.fromkeys(each for part in parts for each in part.problems)),
        tuple(dict.fromkeys(each for part in parts for each in part.notices)),
        tuple(dict.fromkeys(each for part in parts for each in part.unspeakable)),
    )


AS_ENGINE = Pronunciation()
"""No lexicon, and the engine's default of normalisation."""


def pronunciation_of(
    installed: str, lexicon: Mapping[str, Any] | None, normalize: str | None
) -> Pronunciation:
    """Combine an installation's lexicon with the options of a request.

    Args:
        installed: path of the installation's file; empty if it has none.
        normalize: see `pipeline.normalization.rules.kinds_of`.

    Raises:
        OptionError: the file cannot be read, an entry is not understood, or there is no such kind.
    """
    return Pronunciation(lexicon_of(installed, lexicon), None if normalize is None else kinds_of(normalize))
