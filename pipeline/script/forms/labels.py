r"""Labels: the ways in which people write who speaks a line.

A dialect is a family of ways that look alike. One line may begin like a label in several; which dialect a
script is in, and which of its would-be labels are speakers, is decided over the whole text (`form`).

>>> label = match("colon", "- **Nora** (laughing): Well.")
>>> label.name, label.directions, label.words
('Nora', ('laughing',), 'Well.')
>>> match("colon", "See https://example.org") is None
True
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.script.vocabulary import Kind, kind, words_of
from pipeline.script.words import is_wide

DIALECTS = (
    *("colon", "tag", "bracket", "bold", "heading", "time", "handle", "tab", "pipe", "dash", "arrow"),
    "period",
)
"""In the order in which a tie is settled."""
_HEAD = 240
"""Characters of a line in which a label may lie."""
_NAME_CHARACTERS = 60
_NAME_WORDS = 8
_NAME_WIDE_MAX = 12
"""More characters of a script without white space are words before a colon."""
_STRICT_WORDS = 4
_NAME_MARKS = ".'_·・-"
_LOOSE_MARKS = _NAME_MARKS + '#&"+№°/@,'

CLOCK = r"\d{1,3}:\d{2}(?::\d{2}){0,2}(?:[.,]\d{1,3})?(?:\s?[AaPp]\.?[Mm]\.?)?"
_DAY = (
    r"(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|(?:[Tt]o|[Yy]ester|Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
    r"|[A-Z][a-z]{2,8}\.? \d{1,2},? \d{4}|\d{1,2}\.? [A-Z][a-z]{2,8}\.? \d{4})"
)
_ISO = rf"\d{{4}}-\d{{2}}-\d{{2}}T{CLOCK}(?:Z|[+-]\d{{2}}:?\d{{2}})?"
_UNITS = r"\d{1,2}h\s?\d{1,2}m(?:\s?\d{1,2}s)?|\d{1,3}m\s?\d{1,2}s"
_RANGE = r"\s*(?:-->|[-–—])\s*"
_WHEN = rf"(?:{_ISO}|{_UNITS}|(?:{_DAY},?(?:\s+|\sat\s))?{CLOCK}(?:{_RANGE}{CLOCK})?)"
_SECONDS = r"\d{1,5}(?:\.\d{1,3})?\s?s(?:ec\.?)?|\d{1,5}\.\d{1,3}"
"""Seconds, which are a time in brackets alone."""
_IN_BRACKETS = rf"(?:{_WHEN}|(?:{_SECONDS})(?:{_RANGE}(?:{_SECONDS}))?)"
_TIME = re.compile(
    rf"(?:\[\s*{_IN_BRACKETS}\s*\]|\({_IN_BRACKETS}\)|<{_IN_BRACKETS}>|{_WHEN}(?![\d:])(?:\s*[-–—|])?)\s*"
)
_SINCE = r"(?:\d{1,3}\s?[smhdwy]|[A-Z][a-z]{2} \d{1,2}(?:, \d{4})?|\d{1,2} [A-Z][a-z]{2}(?: \d{4})?)"
"""Ages and days of posts: `2h`, `May 12`."""
_PICTURE = "[\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\U0001f000-\U0001faff]"
_PICTURES = re.compile(rf"^(?:{_PICTURE}+\s*)+|(?:\s*{_PICTURE}+)+$")
"""Emoji before and behind a name."""
_LIST = re.compile(r"(?:[-*+•‣◦▪–—]|\(?\d{1,4}[.)]|\(?[A-Za-z]\))\s+(?=\S)")
_QUOTE = re.compile(r">+\s*")
_NAME = rf"(?P<name>[^\s:：()（）\[\]{{}}<>|*\t~`][^:：()（）\[\]{{}}<>|*\t~`]{{0,{_NAME_CHARACTERS - 1}}}?)"
_DIRECTION = (
    r"\([^()]{1,80}\)|（[^（）]{1,80}）|\[[^\[\]]{1,80}\]|\{[^{}]{1,80}\}"
    r"|\*\([^()]{1,80}\)\*|_\([^()]{1,80}\)_|\*[a-z][^*:]{0,60}\*"
)
_DIRECTIONS = rf"(?P<dir>(?:\s*(?:{_DIRECTION}))*)"
_MORE = _DIRECTIONS.replace("<dir>", "<dir2>")
_EMPHASISED = re.compile(
    rf"(?P<mark>\*{{1,3}}|_{{1,3}}|~~|`){_NAME}\s*(?P<m1>(?:(?P=mark))?){_DIRECTIONS}\s*(?P<m2>(?:(?P=mark))?)"
    r"\s*(?P<colon>::?|：)(?!//)\s?(?P<m3>(?:(?P=mark))?)"
)
_TIME_COLON = re.compile(rf"{_NAME}{_DIRECTIONS},?\s+(?:[-–—|]\s*)?{_WHEN}\s*(?P<colon>:)(?=\s)")
_PLAIN_COLON = re.compile(rf"{_NAME}{_DIRECTIONS}\s*(?P<colon>::?|：)(?!//)")
_BEFORE = re.compile(r"(\*?(?:\([a-z][^()]{0,60}\)|\[[a-z][^\[\]]{0,60}\])\*?)\s+(?=[^\W\d_])")
"""A direction before a name: `(sighs) Nora: Well.`"""
_QUOTED = re.compile(r"[\"'](?P<name>[^\"':]{1,60})[\"']\s*(?P<colon>:|：)")
_TAG = re.compile(r"<[ @+%&~]?(?P<name>[^<>/\s|][^<>/|]{0,59})>\s*(?::\s*)?")
_TOKEN = re.compile(r"<\|\s*(?P<name>[A-Za-z][\w -]{0,30}?)\s*[:=]?\s*(?P<number>\d{0,3})\s*\|>\s*")
"""Special tokens of language models: `<|speaker:0|>`."""
_LAST_CLOSING_TAG = re.compile(r"</[^<>]{1,80}>\s*$")
_ATTRIBUTE = re.compile(
    r"<[A-Za-z][\w-]{0,20}\s+(?:[\w-]{1,20}=\"[^\"<>]{0,40}\"\s+){0,3}"
    r"(?:name|speaker|who|voice|id|character|role)\s*=\s*(?P<quote>[\"'])(?P<name>[^\"<>]{1,60}?)(?P=quote)"
    r"[^<>]{0,80}>\s*"
)
_BRACKET = re.compile(
    r"(?P<mark>\*{0,3})(?:\[(?P<square>[^\[\]]{1,60})\]|【(?P<wide>[^【】]{1,60})】|\{(?P<curly>[^{}]{1,60})\}"
    r"|\((?P<round>[^()]{1,60})\)(?=\s*[:：]?\s*\S))"
    rf"{_DIRECTIONS}\s*(?:[:：])?(?P=mark)\s*(?:[:：]|[-–—]\s)?\s*(?:{_WHEN}\s*$)?"
)
_BOLD = re.compile(
    rf"(?P<mark>\*{{2,3}}|_{{2,3}}){_NAME}{_DIRECTIONS}(?P=mark){_MORE}(?:\s+[-–—|>]+\s+|\s+|$)"
)
_EMPHASISED_PERIOD = re.compile(
    rf"(?P<mark>\*{{1,3}}|_{{1,3}}){_NAME}{_DIRECTIONS}(?:\.(?P=mark)|(?P=mark)\.){_MORE}\s*[-–—]{{0,2}}\s+(?=\S)"
)
"""`_Nora._ Words`, as in printed plays."""
_HEADING = re.compile(rf"#{{1,6}}\s+(?P<mark>\*{{0,3}}){_NAME}{_DIRECTIONS}\s*[:：]?(?P=mark)\s*$")
_NAME_TIME = re.compile(
    rf"(?P<mark>\*{{0,3}}){_NAME}{_DIRECTIONS}(?P=mark)\s*,?\s*(?:[-–—|]\s*)?[\[(]?{_WHEN}[\])]?\s*[:：]?\s*$"
)
_TIME_NAME = re.compile(rf"[\[(]?{_WHEN}[\])]?\s*(?:[-–—|]\s*)?{_NAME}{_DIRECTIONS}\s*$")
_POST = re.compile(rf"{_NAME}\s*@[\w.-]{{1,30}}\s*[·•|-]\s*{_SINCE}\s*$")
_HANDLE = re.compile(r"@(?P<name>[^\W_][\w.-]{0,30})(?P<dir>)(?:\s+[-–—])?\s+(?=\S)")
_TAB = re.compile(rf"{_NAME}{_DIRECTIONS}\t+")
_PIPE = re.compile(rf"\|?\s*{_NAME}{_DIRECTIONS}\s*\|\s*")
_DASH = re.compile(rf"{_NAME}{_DIRECTIONS}\s+(?:--?|[–—])\s+")
_ARROW = re.compile(rf"{_NAME}{_DIRECTIONS}\s*(?:[-=]?>>?|[=;~»›→⇒➔➜►▶]|(?<=\s)//?)\s+")
_BRACKETED = r"(?:\([^()]{1,200}\)|\[[^\[\]]{1,200}\])"
_TITLE = r"(?:DR|MR|MRS|MS|ST|PROF|SGT|CAPT|LT|COL|GEN|REV)\. ?"
_CAPITALS = "[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ' -]{0,40}"
_PERIOD = re.compile(
    rf"(?!{_TITLE}{_CAPITALS}(?:$|[(\[]))"  # a screenplay's name with a title: `DR. WATSON` alone on its line
    rf"(?P<name>{_TITLE}{_CAPITALS}?|(?!{_TITLE}){_CAPITALS}?)"
    rf"(?:{_DIRECTIONS}\.{_MORE}(?:\s*[-–—]{{1,2}}\s*|\s+)|(?P<dir3>(?:\s*{_BRACKETED})+)\s+)(?=\S)"
)
"""`NORA. Words`, `NORA.— Words`, and `NORA [rising] Words` without a full stop."""
_IN_DIRECTIONS = re.compile(r"[(（\[{*]([^()（）\[\]{}*]+)[)）\]}*]")
_IS_TIME = re.compile(_WHEN)
_FROM_TO = re.compile(r"From\s+(.+?)\s+to\s+\S.*")
_SUFFIXES = words_of("esq esq. jr jr. sr sr. md m.d. phd ph.d. mp qc kc ii iii iv cpa rn dds jd")
_COMMA = re.compile(r"([^,]+),\s+([a-z][\w' -]{1,40})")
_MARKUP = words_of("""
    html head body div span p br hr b i u em strong a ul ol li table tr td th h1 h2 h3 h4 h5 h6 code pre
    img section article blockquote sub sup small big center font s strike break pause prosody emphasis
    say-as phoneme speak audio mark lang voice laugh laughs laughter sigh sighs cough coughs gasp
    chuckle sniffle groan yawn silence music sfx beat script dialogue dialog podcast conversation
    transcript think thinking scene scratchpad
""")
"""Names of tags that mark text, and are nobody's."""


@dataclass(frozen=True, slots=True)
class Label:
    """A would-be label at the head of a line."""

    dialect: str
    name: str
    directions: tuple[str, ...]
    """Stage directions between the name and the words."""
    words: str
    """The rest of the line."""
    strict: bool
    """True if it looks like a name by itself: at most four words, each with a capital or a digit."""
    listed: bool = False
    """True if a list marker stands before it."""
    tight: bool = False
    """True if the words follow the colon without a space."""
    timed: bool = False
    """True if a time stands before it."""
    decorated: bool = False
    """True if emphasis or a tag sets the name apart from words."""
    comma: bool = False
    """True if a comma parts the name from a direction: `Nora, laughing:`."""


_BEHIND_SENTENCE = re.compile(
    rf"(?:(?<=[.!?…])|(?<=[.!?…][\"')\]*]))\s+(?P<mark>\*{{0,3}}|_{{0,3}}){_NAME}"
    rf"(?P<m1>\*{{0,3}}|_{{0,3}}){_DIRECTIONS}\s*(?::|：)(?P<m3>\*{{0,3}}|_{{0,3}})(?=\s)"
)


def within(words: str) -> list[Label]:
    """The would-be labels behind the ends of sentences within a line: `Hello. Theo: Hi.`

    >>> [label.name for label in within("Hello. **Theo:** Hi! Nora: Bye.")]
    ['Theo', 'Nora']
    """
    if ":" not in words and "：" not in words:
        return []
    found = (
        _label("colon", words, match, decorated=bool(match["mark"]))
        for match in _BEHIND_SENTENCE.finditer(words)
    )
    return [label for label in found if label is not None and label.strict]


SPEAKER_TAG = re.compile(
    r"<(?!voice\b)[A-Za-z][\w-]{0,20}\s[^<>]{0,80}?\b(?:name|speaker|who|character|role)\s*=\s*[\"'][^\"'<>]+[\"'][^<>]*>"
)
"""A tag that names a speaker: `<line speaker="Nora">`."""
INLINE = {
    "tag": re.compile(r"</?\s*([^<>/]{1,60}?)\s*/?>(?:\s*:(?=\s))?"),
    "bracket": re.compile(r"\[\s*([^\[\]]{1,60}?)\s*\]:?"),
}
"""Dialects in which a label may stand within a line: `[S1] Hello. [S2] Hi.`"""


def match(dialect: str, line: str) -> Label | None:
    """The would-be label at the head of a line in a dialect."""
    return _MATCHERS[dialect](line)


def _split_prefix(line: str) -> tuple[str, bool, bool]:
    """A line without what may stand before a label; whether that were a list marker, and a time."""
    text = _QUOTE.sub("", line.strip(), count=1) if line.lstrip().startswith(">") else line.strip()
    listed, timed = _LIST.match(text), False
    if listed:
        text = text[listed.end() :]
    time = _TIME.match(text)
    if time:
        text, timed = text[time.end() :].removeprefix("~").lstrip(), True  # `~` marks strangers in chats
    pictures = _PICTURES.match(text)
    if pictures and pictures.end() < len(text):
        text = text[pictures.end() :]
    return text, bool(listed) and not timed, timed


def is_time(line: str) -> bool:
    """Tell whether a line is nothing but a time, with the day or without.

    >>> is_time("  9:41 AM"), is_time("[00:01]"), is_time("Mon 9:41")
    (True, True, False)
    """
    text = line.strip()
    return (
        len(text) <= _HEAD
        and (":" in text or text[:1].isdecimal())
        and bool(_IS_TIME.fullmatch(text.strip("[]() |•·–—-")))
    )


def is_name(text: str) -> bool:
    """Tell whether a text looks like a name by itself: at most four words with capitals, or one word.

    >>> is_name("Nora Quinn"), is_name("nora"), is_name("It was loud.")
    (True, True, False)
    """
    name = text.strip()
    shape = _shape(name)
    return (
        shape is not None and (shape or " " not in name) and name[-1:] not in ".,!?" and not name.isdecimal()
    )


def without_time(line: str) -> tuple[str, str]:
    """A line without the time at its head, and that time.

    >>> without_time("[00:01:02] Hello.")
    ('Hello.', '[00:01:02] ')
    """
    text = line.lstrip()
    time = _TIME.match(text)
    return (text[time.end() :], time[0]) if time else (line, "")


def _colon(line: str) -> Label | None:
    if ":" not in line[:_HEAD] and "：" not in line[:_HEAD]:
        return None
    text, listed, timed = _split_prefix(line)
    behind = _behind_direction(text, listed=listed, timed=timed)
    if behind:
        return behind
    head = text[:_HEAD]
    if head[:1] in "*_~`":
        found = _EMPHASISED.match(head)
        if not found or sum(map(bool, (found["m1"], found["m2"], found["m3"]))) != 1:
            return None
        return _label("colon", text, found, listed=listed, timed=timed, decorated=True)
    return _plain_colon(text, listed=listed, timed=timed)


def _plain_colon(text: str, *, listed: bool, timed: bool) -> Label | None:
    head = text[:_HEAD]
    found = _QUOTED.match(head) or _TIME_COLON.match(head) or _PLAIN_COLON.match(head)
    if not found:
        return None
    after = text[found.end() : found.end() + 1]
    tight = found["colon"] != "：" and bool(after) and not after.isspace()
    if tight and (after.isdecimal() or after in "/\\"):
        return None
    return _label("colon", text, found, listed=listed, tight=tight, timed=timed)


def _behind_direction(text: str, *, listed: bool, timed: bool) -> Label | None:
    """The label behind a direction: `(sighs) Nora: Well.`"""
    before = _BEFORE.match(text)
    found = _PLAIN_COLON.match(text[before.end() : _HEAD]) if before else None
    if before is None or found is None or _IS_TIME.fullmatch(before[1].strip("()[]* ")):
        return None
    label = _label("colon", text[before.end() :], found, listed=listed, timed=timed)
    if label is None or not label.strict:
        return None
    return replace(label, directions=(*_directions(before[1]), *label.directions))


def _tag(line: str) -> Label | None:
    text, listed, timed = _split_prefix_of_tag(line)
    token = _TOKEN.match(text)
    if token:
        name = f"{token['name']} {token['number']}".strip()
        return _made("tag", name, (), text[token.end() :], listed=listed, timed=timed, decorated=True)
    attribute = _ATTRIBUTE.match(text)
    found = attribute or _TAG.match(text)
    if not found or (not attribute and is_markup(found["name"])):
        return None
    words = _LAST_CLOSING_TAG.sub("", text[found.end() :])
    label = _label("tag", text, found, listed=listed, timed=timed, decorated=True)
    return replace(label, words=words) if label else None


def _split_prefix_of_tag(line: str) -> tuple[str, bool, bool]:
    text = line.strip()
    return (text, False, False) if text.startswith("<") else _split_prefix(line)


def _bracket(line: str) -> Label | None:
    if not re.match(r"\s*(?:>\s*|[-*+•]\s+|\d+[.)]\s+)?\*{0,3}[\[【{(]", line[:20]):
        return None
    text, listed, timed = _split_prefix(line)
    found = _BRACKET.match(text[:_HEAD])
    if not found:
        return None
    name = found["square"] or found["wide"] or found["curly"] or found["round"]
    if found["round"] and (not _shape(name) or name.isdecimal() or len(name) < 2):
        return None
    if _IS_TIME.fullmatch(name.strip()) or name.strip().casefold().startswith("pause"):
        return None
    inner = re.fullmatch(r"([^,]+?)(?:\s*[,–—-]\s+([a-z].*)|\s*\(([^()]*)\))?", name.strip())
    directions = tuple(filter(None, inner.groups()[1:])) if inner else ()
    named = inner[1] if inner else name
    directions += _directions(found["dir"])
    return _made("bracket", named, directions, text[found.end() :], listed=listed, timed=timed)


def _bold(line: str) -> Label | None:
    text, listed, _ = _split_prefix(line)
    found = _EMPHASISED_PERIOD.match(text[:_HEAD]) if text[:1] in ("*", "_") else None
    found = found or (_BOLD.match(text[:_HEAD]) if text[:2] in ("**", "__") else None)
    return found and _label("bold", text, found, listed=listed, decorated=True)


def _heading(line: str) -> Label | None:
    found = _HEADING.match(line[:_HEAD].strip()) if line.startswith("#") and len(line) < _HEAD else None
    return found and _label("heading", line.strip(), found, decorated=True)


def _time(line: str) -> Label | None:
    text = line.strip()
    if len(text) > _HEAD or not (":" in text or "@" in text) or is_time(text):
        return None
    found = _NAME_TIME.match(text) or _TIME_NAME.match(text) or _POST.match(text)
    if not found or found["name"].endswith((".", "!", "?", ",")) or found["name"].strip().isdecimal():
        return None
    return _label("time", text, found, decorated=True)


def _separated(dialect: str, pattern: re.Pattern[str], sign: str) -> Callable[[str], Label | None]:
    def matcher(line: str) -> Label | None:
        if not any(each in line[:_HEAD] for each in sign):
            return None
        text, listed, timed = _split_prefix(line)
        found = pattern.match(text[:_HEAD])
        return found and _label(dialect, text, found, listed=listed, timed=timed)

    return matcher


def _label(
    dialect: str,
    text: str,
    found: re.Match[str],
    *,
    listed: bool = False,
    tight: bool = False,
    timed: bool = False,
    decorated: bool = False,
) -> Label | None:
    groups = found.groupdict()
    directions = _directions(groups.get("dir")) + _directions(groups.get("dir2"))
    directions += _directions(groups.get("dir3"))
    words = text[found.end() :]
    marks = {"listed": listed, "tight": tight, "timed": timed, "decorated": decorated}
    return _made(dialect, found["name"], directions, words, **marks)


def _made(
    dialect: str,
    name: str,
    directions: tuple[str, ...],
    words: str,
    *,
    listed: bool = False,
    tight: bool = False,
    timed: bool = False,
    decorated: bool = False,
) -> Label | None:
    if dialect == "dash" and name.isupper():  # `NORA. — Words`
        name = name.strip().removesuffix(".")
    name = _PICTURES.sub("", name.strip().strip("*_").strip().strip('"“”').strip())
    name = name.removeprefix("@") or name
    sender = _FROM_TO.fullmatch(name)  # as meetings store their chats
    name = sender[1] if sender else name
    if name.count("_") and name.startswith("_"):
        name = name.strip("_")
    found = comma_direction(name)
    if found:
        name, directions = found[0], (found[1], *directions)
    strict = _shape(name)
    if strict is None:
        return None
    return Label(dialect, name, directions, words, strict, listed, tight, timed, decorated, bool(found))


def _directions(text: str | None) -> tuple[str, ...]:
    """The directions in brackets behind a name, without times."""
    found = [part.strip() for part in _IN_DIRECTIONS.findall(text or "")]
    return tuple(part for part in found if part and not _IS_TIME.fullmatch(part))


def _shape(name: str) -> bool | None:
    """Tell whether a name looks like one by itself; None if it can't be a name."""
    words = name.split()
    wide = sum(map(is_wide, name))
    if not words or len(words) > _NAME_WORDS or len(name) > _NAME_CHARACTERS or wide > _NAME_WIDE_MAX:
        return None
    if not any(map(str.isalnum, name)) or not all(map(_may_stand_in_name, name)):
        return None
    if any(word[-1:] == "." and len(word) > 5 for word in words):  # the end of a sentence
        return None
    if "," in name and not (_has_suffix(name) or is_inverted(name)):
        return None
    return len(words) <= _STRICT_WORDS and all(_is_capital(word.rstrip(",")) for word in words)


def _has_suffix(name: str) -> bool:
    return name.rpartition(",")[2].strip().casefold() in _SUFFIXES


def is_inverted(name: str) -> bool:
    """Tell whether two names stand around a comma, as in lists of people; a title behind a comma is none.

    >>> is_inverted("Hale, Tom"), is_inverted("Mr. Hale, Esq."), is_inverted("Well, Tom")
    (True, False, False)
    """
    first, comma, second = (part.strip() for part in name.partition(","))
    if not comma or _has_suffix(name):
        return False
    names = all(part and all(map(_is_capital, part.split())) for part in (first, second))
    return names and len(name.split()) <= _STRICT_WORDS and kind(first) is Kind.SPEAKER


def _may_stand_in_name(letter: str) -> bool:
    return (
        letter.isalnum()
        or letter.isspace()
        or letter in _LOOSE_MARKS
        or letter in "’‘ʼ“”‐‑"
        or unicodedata.category(letter) in ("Mn", "Mc", "Cf")
    )


def _is_capital(word: str) -> bool:
    """A capital, a digit or a letter of a script without capitals, and then what names are made of."""
    first = word[:1].isalnum() and word[0] == word[0].title()
    return first and all(
        letter.isalnum()
        or letter in _NAME_MARKS
        or letter in "’ʼ‐‑"
        or unicodedata.category(letter)[0] == "M"
        for letter in word
    )


def is_markup(tag: str) -> bool:
    """Tell whether what is in a tag marks text and is nobody's name.

    >>> is_markup("em"), is_markup("Nora")
    (True, False)
    """
    return "=" in tag or not tag.strip() or tag.casefold().split()[0] in _MARKUP


def comma_direction(name: str) -> tuple[str, str] | None:
    """A name and the direction behind its comma: `Nora, laughing`."""
    found = _COMMA.fullmatch(name)
    return (found[1], found[2]) if found else None


_MATCHERS: dict[str, Callable[[str], Label | None]] = {
    "colon": _colon,
    "tag": _tag,
    "bracket": _bracket,
    "bold": _bold,
    "heading": _heading,
    "time": _time,
    "handle": _separated("handle", _HANDLE, "@"),
    "tab": _separated("tab", _TAB, "\t"),
    "pipe": _separated("pipe", _PIPE, "|"),
    "dash": _separated("dash", _DASH, "-–—"),
    "arrow": _separated("arrow", _ARROW, ">=;~»›/→⇒➔➜►▶"),
    "period": _separated("period", _PERIOD, ".])"),
}
