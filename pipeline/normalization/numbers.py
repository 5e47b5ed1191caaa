"""English number words.

Written here, since the words are part of segments' keys: with another release of a library, such as num2words
or inflect, every segment with a number might be rendered again.
"""

import re
from collections.abc import Iterable

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = (
    *("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion"),
    *("septillion", "octillion", "nonillion", "decillion"),
)
DIGITS_MAX = 3 * len(_SCALES)
"""Digits of the longest number that has a name; longer ones are read digit by digit."""
_ORDINALS = {
    **{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"},
    **{"nine": "ninth", "twelve": "twelfth"},
}
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_SEPARATORS = re.compile("[ ,]")


def cardinal(number: int) -> str:
    """Words of a number.

    >>> cardinal(1204), cardinal(-40), cardinal(0)
    ('one thousand two hundred four', 'minus forty', 'zero')
    """
    if number < 0:
        return f"minus {cardinal(-number)}"
    if len(str(number)) > DIGITS_MAX:
        return digits(str(number))
    groups, scale, rest = list[str](), 0, number
    while rest:
        rest, group = divmod(rest, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {_SCALES[scale]}".strip())
        scale += 1
    return " ".join(reversed(groups)) or "zero"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        tens, ones = divmod(rest, 10)
        words.append(_TENS[tens] + (f"-{_ONES[ones]}" if ones else ""))
    elif rest:
        words.append(_ONES[rest])
    return " ".join(words)


def ordinal(number: int) -> str:
    """Ordinal of a number.

    >>> ordinal(21), ordinal(40), ordinal(100), ordinal(112)
    ('twenty-first', 'fortieth', 'one hundredth', 'one hundred twelfth')
    """
    head, last = re.fullmatch(r"(.*?[ -])?(\w+)", cardinal(number)).groups("")  # type: ignore[union-attr]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return f"{head}{last[:-1]}ieth" if last.endswith("y") else f"{head}{last}th"


def year(number: int) -> str:
    """Words of a year.

    >>> year(1905), year(1800), year(2000), year(2007), year(2024), year(79)
    ('nineteen oh five', 'eighteen hundred', 'two thousand', 'two thousand seven', 'twenty twenty-four', \
'seventy-nine')
    """
    century, rest = divmod(number, 100)
    if not 10 <= century < 100 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    words = "hundred" if not rest else f"oh {_ONES[rest]}" if rest < 10 else cardinal(rest)
    return f"{cardinal(century)} {words}"


def digits(text: str) -> str:
    """Digits one by one; other characters are left out.

    >>> digits("+44 20")
    'four four two zero'
    """
    return " ".join(_ONES[int(digit)] for digit in text if digit.isdecimal())


def decimal(text: str) -> str:
    """Words of a number as it is written, with separators of thousands and a decimal point.

    >>> decimal("1,204.50"), decimal(".5"), decimal("-4"), decimal("12")
    ('one thousand two hundred four point five zero', 'point five', 'minus four', 'twelve')
    """
    plain = _SEPARATORS.sub("", text)
    if plain[:1] in ("-", "+"):
        return f"{'minus' if plain[0] == '-' else 'plus'} {decimal(plain[1:])}"
    whole, point, fraction = plain.partition(".")
    words = [cardinal(int(whole))] if whole else []
    return " ".join([*words, "point", digits(fraction)] if point and fraction else words)


def number_as_label(text: str) -> str:
    """Words of a number that names something: a room, a bus, a highway.

    >>> number_as_label("101"), number_as_label("747"), number_as_label("42"), number_as_label("1600")
    ('one oh one', 'seven forty-seven', 'forty-two', 'sixteen hundred')
    """
    number = int(text)
    if text[0] == "0" or len(text) > 4:
        return digits(text)
    if len(text) == 4:
        return year(number)
    hundreds, rest = divmod(number, 100)
    if not hundreds or not rest:
        return cardinal(number)
    return f"{_ONES[hundreds]} {'oh ' + _ONES[rest] if rest < 10 else cardinal(rest)}"


def plural(words: str) -> str:
    """Plural of number words, as in "the nineteen nineties".

    >>> plural("nineteen ninety"), plural("six"), plural("one hundred")
    ('nineteen nineties', 'sixes', 'one hundreds')
    """
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("x", "s")) else f"{words}s"


def roman(numeral: str) -> int:
    """Value of a Roman numeral.

    >>> roman("XIV"), roman("LVIII")
    (14, 58)
    """
    values = [_ROMAN[letter] for letter in numeral]
    pairs: Iterable[tuple[int, int]] = zip(values, [*values[1:], 0], strict=True)
    return sum(-one if one < following else one for one, following in pairs)
