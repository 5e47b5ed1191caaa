"""Sentence boundaries, for splitting long turns and for subtitles.

Written here rather than taken from a library, after trying four on the same awkward lines: pysbd 0.3.4 (last
release 2021) and syntok 1.4.4 change or glue quoted sentences, nupunkt 0.8.0 (learned, no dependencies) cuts
after "mi." and inside quotes that a sentence goes on after; sentencex 1.0.32 (Wikimedia, Rust) was the best,
and is what to take when scripts come in many languages. But a planner's cut is part of a segment's key, so a
new release of a splitter would have every segment synthesised again, and none of the four promises that the
sentences in a row are the text. The rules here are few and fixed: a sentence ends at `.`, `!`, `?` or `…`
before white space, unless the next word goes on in lower case, the dot belongs to an abbreviation or an
initial, or the end lies in a quotation that the sentence goes on after. At a full-width `。`, `！` or `？` it
ends whatever follows, outside such quotations.
"""

import re
from collections import deque

from pipeline.script.words import is_wide

_END = re.compile(r"""(?P<mark>[.!?…。！？]++)(?P<closers>["'”’»)\]」』）】》]*+)(?P<space>\s*+)(?=\S)""")
_FULL_WIDTH = ("。", "！", "？")
_OPENERS = "\"'“‘«([¿¡—–-*"
_OPENED = re.compile(f"[{re.escape(_OPENERS)}]*")
_QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"|\([^()]*\)|「[^「」]*」|『[^『』]*』|（[^（）]*）")
_NEXT = re.compile(r"\s*(\S)")
_CLAUSE = re.compile(r"""[,;:—][)"'”’»\]]*+(?=\s)|[，、；：]["'”’」』）》]*+(?=\S)""")


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

    They are the text in order, without the space between two; after a full-width mark there may be none. So
    `" ".join(split(text)) == text` where there are no such marks. Other white space becomes a single space.

    >>> split('Dr. J. K. Smith paid $3.50 at 3 p.m. on Jan. 5. "Why?" she asked. Well… no. I see!')
    ['Dr. J. K. Smith paid $3.50 at 3 p.m. on Jan. 5.', '"Why?" she asked.', 'Well… no.', 'I see!']
    >>> split("天气很好。我们走吧！ 好。")
    ['天气很好。', '我们走吧！', '好。']
    """
    text = " ".join(text.split())
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    goes_on = deque(span for span in quoted if _goes_on(text, span[1]))
    opened = {first for first, _ in quoted}
    sentences, start = [], 0
    for match in _END.finditer(text):
        while goes_on and goes_on[0][1] - 1 <= match.start():
            goes_on.popleft()
        inside = goes_on and goes_on[0][0] < match.start()
        full_width = match["mark"].endswith(_FULL_WIDTH)
        if not inside and (full_width or (match["space"] and _is_end(text, start, match))):
            end = match.end("closers")
            if not match["space"]:  # a plain quotation mark here may open the next sentence
                end = next((i for i in range(match.end("mark"), end) if i in opened), end)
            sentences.append(text[start:end])
            start = end + len(match["space"])
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def halves(sentence: str) -> tuple[str, str] | None:
    """A sentence cut in two near its middle: after a clause, else between words or wide characters.

    Between the two there is a space or, beside a wide character, nothing. None if it is one word.

    >>> halves("One and two, three and four")
    ('One and two,', 'three and four')
    >>> halves("春天到了花都开了")
    ('春天到了', '花都开了')
    """
    middle = len(sentence) // 2
    clauses = [
        end for match in _CLAUSE.finditer(sentence) if 2 * abs((end := match.end()) - middle) <= middle
    ]
    outward = (place for off in range(middle) for place in (middle - off, middle + off))
    words = (place for place in outward if _parts_words(sentence, place))
    cut = min(clauses, key=lambda place: abs(place - middle)) if clauses else next(words, None)
    return (sentence[:cut], sentence[cut:].lstrip()) if cut else None


def _parts_words(text: str, position: int) -> bool:
    before, after = text[position - 1], text[position]
    return after == " " or (is_wide(before) and is_wide(after) and after.isalnum())


def _goes_on(text: str, position: int) -> bool:
    """Tell whether the sentence goes on after a quotation: `"Stop. Now!" he said`."""
    after = _NEXT.match(text, position)
    return after is not None and (after[1].islower() or after[1] in ",;:，；：、")


def _is_end(text: str, start: int, match: re.Match[str]) -> bool:
    following = _following(text, match.end())
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


def _following(text: str, position: int) -> str:
    """Return enough of the following text to decide if a sentence begins there."""
    opened = _OPENED.match(text, position)
    begin = opened.end() if opened else position
    return text[begin : begin + 40]


def _may_go_on(word: str) -> bool:
    """Tell whether a dot after the word may belong to it: an initial, "U.S", "a.m", "Inc"."""
    initial = len(word) == 1 and word.isupper() and word != "I"
    dotted = "." in word and all(len(part) == 1 and part.isalpha() for part in word.split("."))
    return initial or dotted or word.lower() in _COMPANIES


def _opens(following: str) -> bool:
    word = re.match(r"[^\W\d_]+(?:['’][^\W\d_]+)?", following)
    return word is not None and word[0].replace("’", "'").lower() in _STARTERS
