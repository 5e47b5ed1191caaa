"""Where sentences end, for cutting long turns and for subtitles.

Written here rather than taken from a library, after trying four on the same awkward lines: pysbd 0.3.4 (last
release 2021) and syntok 1.4.4 change or glue quoted sentences, nupunkt 0.8.0 (learned, no dependencies) cuts
after "mi." and inside quotes that a sentence goes on after; sentencex 1.0.32 (Wikimedia, Rust) was the best,
and is what to take when scripts come in many languages. But a planner's cut is part of a segment's key, so a
new release of a splitter would have every segment synthesised again, and none of the four promises that the
sentences joined by spaces are the text. The rules here are few and fixed: a sentence ends at `.`, `!`, `?` or
`…` before white space, unless the next word goes on in lower case, the dot belongs to an abbreviation or an
initial, or the end lies in a quotation that the sentence goes on after.
"""

import re

_END = re.compile(r"""(?P<mark>[.!?…。！？]+)(?P<closers>["'”’»)\]]*)\s+(?=\S)""")
_OPENERS = "\"'“‘«([¿¡—–-*"
_QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"|\([^()]*\)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BEFORE_NAMES = _words("""
    adm capt cmdr col cpl dr drs fr ft gen gov hon lt maj messrs mlle mme mr mrs ms mt mx pres prof rep rev
    sen sgt sr st sra ste supt
""")
"""Never the end of a sentence: a name follows."""
_INSIDE = _words("approx cf e.g eg i.e ie viz vs v")
"""Hardly ever the end of a sentence, whatever follows."""
_BEFORE_NUMBERS = _words("""
    art ca ch chap eq fig jan feb mar apr jun jul aug sep sept oct nov dec no nos op p pp para sec vol
""")
"""An abbreviation if a number follows; "No." and "Mar." may well end a sentence otherwise."""
_COMPANIES = _words("bros co corp inc jr llc ltd ph.d")
_STARTERS = _words("""
    a after although an and another as at because before but by did do does every for from he her here his how
    however i if in it it's its let look many maybe most my next no not now of oh okay on one or our perhaps
    she since so some still that that's the their then there there's these they this those though to today was
    we well what when where which while who why will with yes yet you your
""")
"""Words that open sentences and names hardly ever: after "U.S." or "plan B." only these begin a new one."""


def split(text: str) -> list[str]:
    """The sentences of a text whose white space is single spaces.

    `" ".join(split(text)) == text` for such a text; other white space becomes a single space.

    >>> split('Dr. J. K. Smith paid $3.50 at 3 p.m. on Jan. 5. "Why?" she asked. Well… no. I see!')
    ['Dr. J. K. Smith paid $3.50 at 3 p.m. on Jan. 5.', '"Why?" she asked.', 'Well… no.', 'I see!']
    """
    text = " ".join(text.split())
    goes_on = [match.span() for match in _QUOTED.finditer(text) if _goes_on(text, match.end())]
    sentences, start = [], 0
    for match in _END.finditer(text):
        inside = any(first < match.start() < last - 1 for first, last in goes_on)
        if not inside and _is_end(text, start, match):
            sentences.append(text[start : match.end("closers")])
            start = match.end()
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def _goes_on(text: str, position: int) -> bool:
    """Whether the sentence goes on after a quotation: `"Stop. Now!" he said`."""
    after = text[position:].lstrip()
    return bool(after) and (after[0].islower() or after[0] in ",;:")


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    following = text[match.end() :].lstrip(_OPENERS)
    if following[:1].islower():
        return False
    if match["mark"].startswith(("…", "...")) and re.match(r"I\b", following):
        return False
    if match["mark"] != "." or match["closers"]:
        return True
    word = text[start : match.start()].rpartition(" ")[2].lstrip(_OPENERS)
    if word.lower() in _BEFORE_NAMES | _INSIDE:
        return False
    if word.lower() in _BEFORE_NUMBERS and following[:1].isdigit():
        return False
    return not _may_go_on(word) or _opens(following)


def _may_go_on(word: str) -> bool:
    """Whether a dot after the word may belong to it: an initial, "U.S", "a.m", "Inc"."""
    initial = len(word) == 1 and word.isupper() and word != "I"
    dotted = "." in word and all(len(part) == 1 and part.isalpha() for part in word.split("."))
    return initial or dotted or word.lower() in _COMPANIES


def _opens(following: str) -> bool:
    word = re.match(r"[^\W\d_]+(?:['’][^\W\d_]+)?", following)
    return word is not None and word[0].replace("’", "'").lower() in _STARTERS
