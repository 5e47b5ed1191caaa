"""Numbers and ordinals that no other rule has read."""

from pipeline.normalization.numbers import (
    DIGITS_MAX,
    cardinal,
    decimal,
    digits,
    number_as_label,
    ordinal,
    year,
)
from pipeline.normalization.rules import NUMBER, SCALES, Found, Rule, one_of, rule

_LABELLED = (
    *(
        "Room",
        "room",
        "Route",
        "Flight",
        "flight",
        "Bus",
        "bus",
        "Highway",
        "Interstate",
        "Apartment",
        "Suite",
    ),
    *("Gate", "gate", "Channel", "channel", "Boeing", "Airbus", "Area", "Line", "Unit", "Cell", "Platform"),
)


def _ordinal(found: Found) -> str:
    return ordinal(int(found[1].replace(",", "")))


def _number(found: Found) -> str:
    text = found[0]
    if len(text) == 4 and text.isdecimal() and text[0] != "0":
        return year(int(text))
    if len(text) > 1 and text.isdecimal() and text[0] == "0":
        return digits(text)
    return digits(text) if len(text) > DIGITS_MAX else decimal(text)


def _scaled(found: Found) -> str | None:
    """A number of millions; a room or a seat with a letter is none."""
    before = found.string[: found.start()].split()[-1:]
    if (
        len(found[2]) == 1
        and "." not in found[1]
        and (found[2] == "B" or (before and before[0] in _LABELLED))
    ):
        return None
    return f"{found[1]} {SCALES[found[2]]}"


ORDINALS: tuple[Rule, ...] = (
    rule(
        "ordinal",
        "ordinal",
        r"(?<![\w.,])(\d+(?:,\d{3})*)(?:st|nd|rd|th|ST|ND|RD|TH|ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)(?!\w)",
        _ordinal,
    ),
)
NUMBERS: tuple[Rule, ...] = (
    rule("scaled", "number", rf"(?<![\w.,$£€])({NUMBER})(bn|mn|tn|[MB])\b", _scaled),
    rule(
        "thousands",
        "number",
        r"(?<![\w.,$£€])(\d{1,3})[kK]\b",
        lambda found: f"{cardinal(int(found[1]))} thousand",
    ),
    rule(
        "label",
        "number",
        rf"\b({one_of(_LABELLED)}) (\d{{1,4}})\b(?![.,:]\d)",
        lambda found: f"{found[1]} {number_as_label(found[2])}",
    ),
    rule("negative", "number", rf"(?<![\w)\]])[-−](?={NUMBER})", lambda found: "minus "),
    rule("number", "number", rf"(?<![\w.,]){NUMBER}(?!\w|[.,]\d)|(?<!\w)\.\d+\b", _number),
)
