"""Symbols between words and numbers, versions and addresses of machines."""

from pipeline.normalization.numbers import cardinal, decimal, number_as_label
from pipeline.normalization.rules import NUMBER, Found, Rule, rule

_BETWEEN = {
    **{"=": "equals", "<": "less than", ">": "greater than", "+": "plus", "÷": "divided by", "×": "times"},
    **{"≈": "approximately equal to", "≠": "not equal to", "≤": "less than or equal to"},
    **{"≥": "greater than or equal to", "→": "to"},
}
_SECTIONS = {"§": "section", "§§": "sections", "¶": "paragraph"}
_POWERS = {"²": "squared", "³": "cubed"}


def _version(found: Found) -> str:
    numbers = " point ".join(cardinal(int(part)) for part in found[2].split("."))
    return f"version {numbers}" if found[1] else numbers


def _power(found: Found) -> str:
    """A power; letters before it are those of a formula."""
    return f"{' '.join(found[1] or '')} {_POWERS[found[2]]}"


def _machine(found: Found) -> str:
    return " dot ".join(number_as_label(part) for part in found[0].split("."))


VERSIONS: tuple[Rule, ...] = (
    rule("machine", "symbol", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", _machine),
    rule("version", "symbol", r"(?<![\w.])(v\.?\s?)(\d{1,4}(?:\.\d{1,4})+)(?!\w|\.\d)", _version),
    rule("long version", "symbol", r"(?<![\w.,])()(\d{1,4}(?:\.\d{1,4}){2})(?!\w|[.,]\d)", _version),
    rule("around the clock", "symbol", r"(?<![\d/])24/7(?![\d/])", lambda found: "twenty-four seven"),
)
"""Numbers with points and slashes that later rules would take for others."""
SYMBOLS: tuple[Rule, ...] = (
    rule(
        "ratio",
        "symbol",
        r"(?<![\w:.,])(\d{1,4}):(\d{1,4})(?![\w:])",
        lambda found: f"{found[1]} to {found[2]}",
    ),
    rule("percent", "symbol", rf"(?<![\w.,])(-?{NUMBER})\s?%", lambda found: f"{decimal(found[1])} percent"),
    rule("and", "symbol", r"(?<=\w) ?& ?(?=\w)", lambda found: " and "),
    rule("plus or minus", "symbol", r"±\s?", lambda found: "plus or minus "),
    rule("section", "symbol", r"(§{1,2}|¶)\s?(?=\d)", lambda found: f"{_SECTIONS[found[1]]} "),
    rule("about", "symbol", r"(?<![\w~/])[~∼](?=\d)", lambda found: "about "),
    rule("number sign", "symbol", r"(?<![\w&])#(?=\d)", lambda found: "number "),
    rule("sharp", "symbol", r"\b([A-G])#(?!\w)", lambda found: f"{found[1]} sharp"),
    rule("power", "symbol", r"(?:\b([A-Za-z]{1,2}))?([²³])", _power),
    rule("degrees", "symbol", r"(?<=\d)\s?°(?!\w)", lambda found: " degrees"),
    rule("minus between", "symbol", r"(?<=\w) [-−] (?=\d+ ?=)", lambda found: " minus "),
    rule(
        "between",
        "symbol",
        r"(?<=[\w²³)]) ?([=<>+÷×≈≠≤≥→]) ?(?=[\w(.-])",
        lambda found: f" {_BETWEEN[found[1]]} ",
    ),
)
