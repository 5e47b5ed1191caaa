"""Commands within lines: other rates, voices and words, and the part of SSML that means the same.

`[rate:0.9]…[/rate]`, `[voice:heron]…[/voice]`, `[spell]…[/spell]` and `[say:Noola]Nuala[/say]`; in SSML 1.1
`prosody rate`, `voice name`, `say-as`, `sub alias`, `phoneme`, `p`, `s` and `speak`.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.script.turns import Findings

RATE, VOICE, SAY, IPA, SPELL, READ_AS = "rate", "voice", "say", "ipa", "spell", "say-as"
PARAGRAPH, SENTENCE, NOTHING = "p", "s", "speak"
WORDED = (SAY, IPA, SPELL, READ_AS)
"""Commands for the words that they stand around, within one turn."""
RATE_MIN, RATE_MAX = 0.25, 4.0
VALUE_MAX = 200
COMMAND = re.compile(
    r"\[ {0,3}(?P<close>/?) {0,3}(?P<name>rate|spell|voice|say) {0,3}(?:[:=](?P<value>[^\[\]\n]{0,400}))?\]"
    r"|<(?P<tag_close>/?)(?P<tag>speak|prosody|say-as|sub|voice|phoneme|p|s)(?P<attributes>[\s/][^<>]*+)?>",
    re.IGNORECASE,
)
READ_AS_KINDS = (
    *("cardinal", "number", "ordinal", "digits", "telephone", "fraction", "unit", "date", "time", "currency"),
    "address",
)
"""Values of `interpret-as` beside those that spell."""
_SPELLS = ("characters", "spell-out", "verbatim")
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
_RATE = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{1,4})?|\.\d{1,4})\s*(%?)")
IPA_VALUE = re.compile(r"/([^/]+)/")
"""Value of `[say:…]` that is IPA."""
_TAGS = {"prosody": RATE, "voice": VOICE, "sub": SAY, "phoneme": IPA, "say-as": READ_AS}


_PROLOG = re.compile(
    r"\s*+(?:(?:<\?xml[^<>]*+>|<!--(?:(?!-->).)*+-->)\s*+)*+(?=<speak\b)", re.DOTALL | re.IGNORECASE
)


def is_document(text: str) -> bool:
    """Tell whether a text is an SSML document.

    >>> is_document("<?xml version='1.0'?> <speak>Hello.</speak>"), is_document("Hello <speak>")
    (True, False)
    """
    return _PROLOG.match(text[:2000]) is not None


def without_prolog(text: str) -> str:
    """An SSML document from its root on, with its line breaks."""
    prolog = _PROLOG.match(text)
    return "\n" * text.count("\n", 0, prolog.end()) + text[prolog.end() :] if prolog else text


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or the end of what one stands around."""

    line: int
    kind: str
    value: str = ""
    """Factor of a rate, name of a voice, words, IPA, or the kind of `say-as`."""
    closes: bool = False
    shown: str = ""
    """The command in a message."""

    @property
    def rate(self) -> float:
        return float(self.value)


class _Refused(Exception):
    """Reason why a command is not understood."""


def command(found: re.Match[str], line: int, findings: Findings) -> Command:
    """Parse a command; what is not understood is a problem, and a command of no effect."""
    name = (found["name"] or "").lower()
    tag = (found["tag"] or "").lower()
    kind = name or _TAGS.get(tag, tag)
    shown = f"[{name}{':…' if found['value'] else ''}]" if name else f"<{tag}>"
    if found["close"] or found["tag_close"]:
        return Command(line, kind, closes=True, shown=f"[/{name}]" if name else f"</{tag}>")
    try:
        if name:
            kind, value = _bracketed(name, (found["value"] or "").strip())
        else:
            kind, value = _tagged(tag, _attributes(found["attributes"] or ""))
            if _is_empty(found) and kind not in (PARAGRAPH, SENTENCE, NOTHING):
                raise _Refused("has no words in it")
    except _Refused as refused:
        findings.problem(line, f"{shown} {refused}")
        return Command(line, NOTHING if _is_empty(found) else kind, "1" if kind == RATE else "", shown=shown)
    return Command(line, kind, value, shown=shown)


def _is_empty(found: re.Match[str]) -> bool:
    """True for a tag that closes itself."""
    return (found["attributes"] or "").rstrip().endswith("/")


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): html.unescape(value[1:-1]).strip() for name, value in _ATTRIBUTE.findall(text)}


def _bracketed(name: str, value: str) -> tuple[str, str]:
    if name == RATE:
        return RATE, _rate(value, "[rate:0.9]")
    if name == SPELL:
        if value:
            raise _Refused("takes no value; write [spell]USB[/spell]")
        return SPELL, ""
    ipa = IPA_VALUE.fullmatch(value)
    if name == SAY and ipa:
        return IPA, _text(ipa[1], "")
    return name, _text(value, "[say:Noola]Nuala[/say]" if name == SAY else "[voice:NAME]words[/voice]")


def _tagged(tag: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    if tag == "prosody":
        others = sorted(set(attributes) - {"rate"})
        if others:
            raise _Refused(f"has {', '.join(others)[:60]}, which is not obeyed; only rate is")
        return RATE, _rate(attributes.get("rate", ""), '<prosody rate="90%">')
    if tag == "voice":
        return VOICE, _text(attributes.get("name", ""), '<voice name="NAME">')
    if tag == "sub":
        return SAY, _text(attributes.get("alias", ""), '<sub alias="words">')
    if tag == "phoneme":
        if attributes.get("alphabet", "ipa").lower() != "ipa":
            raise _Refused("has an alphabet other than ipa, which is not read")
        return IPA, _text(attributes.get("ph", ""), '<phoneme alphabet="ipa" ph="nuːlə">')
    if tag == "say-as":
        return _read_as(attributes.get("interpret-as", "").lower())
    return tag, ""


def _read_as(kind: str) -> tuple[str, str]:
    if kind in _SPELLS:
        return SPELL, ""
    if kind not in READ_AS_KINDS:
        known = ", ".join((*_SPELLS, *READ_AS_KINDS))
        raise _Refused(f"has interpret-as {kind[:40]!r}, which is unknown; there are {known}")
    return READ_AS, kind


def _text(value: str, example: str) -> str:
    if not any(map(str.isalnum, value)) or len(value) > VALUE_MAX:
        raise _Refused(f"has no value, or one of more than {VALUE_MAX} characters; write {example}")
    return value


def _rate(value: str, example: str) -> str:
    """Factor of a rate: `0.9`, `90%`, `+10%`, `slow`."""
    found = _RATE.fullmatch(value)
    named = _RATES.get(value.lower())
    if named is None and (found is None or (found[1] and not found[3])):
        raise _Refused(f"is not a rate; write {example}")
    factor = named or 0.0
    if named is None and found is not None:
        factor = float(found[2]) / (100 if found[3] else 1)
        factor = 1 + factor if found[1] == "+" else 1 - factor if found[1] == "-" else factor
    if not RATE_MIN <= factor <= RATE_MAX:
        raise _Refused(f"is outside {RATE_MIN} to {RATE_MAX}; 1 is the usual rate")
    return repr(round(factor, 4))
