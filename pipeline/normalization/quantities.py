"""Money, units, ranges and fractions."""

from collections.abc import Iterable

from pipeline.normalization.currencies import CODES, CURRENCIES, SUBUNITS
from pipeline.normalization.numbers import cardinal, decimal, ordinal
from pipeline.normalization.rules import NUMBER, SCALES, Found, Rule, one_of, rule

_SIGNS = "".join(CURRENCIES)
_SCALE = "hundred|thousand|million|billion|trillion"
_SHORT_SCALE = "bn|mn|tn|[kKmMbB]"
_COUNT = r"(?<!\d)(?<!\d,)\d{1,3}(?:,\d{3})+|\d{1,4}"
"""Whole number before a fraction. Groups of thousands are read from the first one on, so in linear time."""
_QUANTITY = rf"(?<![\w.,$£€])(?P<number>-?{NUMBER})"
UNITS = {
    **{"km": "kilometer", "cm": "centimeter", "mm": "millimeter", "kg": "kilogram", "mg": "milligram"},
    **{"lb": "pound", "lbs": "pound", "oz": "ounce", "yd": "yard", "mi": "mile", "ml": "milliliter"},
    **{"kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "Hz": "hertz", "KB": "kilobyte"},
    **{"kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "hr": "hour", "hrs": "hour"},
    **{"min": "minute", "mins": "minute", "sec": "second", "secs": "second", "ms": "millisecond"},
    **{"kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "kWh": "kilowatt hour", "nm": "nanometer"},
    **{"mcg": "microgram", "µg": "microgram", "µm": "micrometer", "cc": "cubic centimeter"},
    **{"mph": "mile per hour", "km/h": "kilometer per hour", "kph": "kilometer per hour"},
    **{"Mbps": "megabit per second", "Gbps": "gigabit per second", "fps": "frame per second"},
    **{"sq ft": "square foot", "sq mi": "square mile", "ft": "foot", "°C": "degree Celsius"},
    **{"°F": "degree Fahrenheit", "°": "degree"},
}
"""Units by their signs, in the singular."""
FURTHER_UNITS = {
    **{"V": "volt", "kV": "kilovolt", "mV": "millivolt", "W": "watt", "mA": "milliamp", "Ah": "amp hour"},
    **{"m²": "square meter", "km²": "square kilometer", "cm²": "square centimeter", "ft²": "square foot"},
    **{"mm²": "square millimeter", "m³": "cubic meter", "cm³": "cubic centimeter", "km³": "cubic kilometer"},
    **{"m/s": "meter per second", "mi/h": "mile per hour", "kg/m³": "kilogram per cubic meter", "m": "meter"},
    **{"g": "gram", "L": "liter", "l": "liter", "dl": "deciliter", "cl": "centiliter", "ha": "hectare"},
    **{"dB": "decibel", "kcal": "kilocalorie", "kJ": "kilojoule", "kPa": "kilopascal", "hPa": "hectopascal"},
    **{"psi": "pound per square inch", "rpm": "revolution per minute", "bpm": "beat per minute"},
    **{"kbit/s": "kilobit per second", "Mbit/s": "megabit per second", "GiB": "gibibyte", "MiB": "mebibyte"},
    **{
        "kN": "kilonewton",
        "mol": "mole",
        "lm": "lumen",
        "px": "pixel",
        "gal": "gallon",
        "tbsp": "tablespoon",
    },
    **{"tsp": "teaspoon", "TWh": "terawatt hour", "GWh": "gigawatt hour", "MWh": "megawatt hour"},
}
_ALL_UNITS = UNITS | FURTHER_UNITS
_PLURALS = {
    **{
        "foot": "feet",
        "inch": "inches",
        "hertz": "hertz",
        "kilohertz": "kilohertz",
        "megahertz": "megahertz",
    },
    "gigahertz": "gigahertz",
}
_BEFORE_NOUNS = (
    *("bulb", "bulbs", "lamp", "lamps", "battery", "batteries", "charger", "motor", "engine", "race", "run"),
    *("walk", "hike", "screen", "lens", "film", "limit", "zone", "radius", "gun", "rifle", "bag", "tablet"),
    *("tablets", "pipe", "cable", "drive", "disk", "card", "camera", "pool", "sprint", "supply", "outlet"),
)
"""Nouns before which a unit is in the singular: "a sixty watt bulb"."""
_HALVES = {2: ("half", "halves"), 4: ("quarter", "quarters")}
SIGN_FRACTIONS = {
    **{
        "½": (1, 2),
        "¼": (1, 4),
        "¾": (3, 4),
        "⅓": (1, 3),
        "⅔": (2, 3),
        "⅕": (1, 5),
        "⅖": (2, 5),
        "⅗": (3, 5),
    },
    **{
        "⅘": (4, 5),
        "⅙": (1, 6),
        "⅚": (5, 6),
        "⅐": (1, 7),
        "⅛": (1, 8),
        "⅜": (3, 8),
        "⅝": (5, 8),
        "⅞": (7, 8),
    },
    **{"⅑": (1, 9), "⅒": (1, 10), "↉": (0, 3)},
}
"""Unicode's vulgar fractions."""
_FRACTION_SIGN = f"[{''.join(SIGN_FRACTIONS)}]"
_DENOMINATORS = frozenset((*range(2, 11), 12, 16, 32, 64, 100, 1000))


def _is_one(number: str) -> bool:
    return number.lstrip("-").replace(",", "") in ("1", "1.0", "1.00")


def _scaled(found: Found) -> str:
    return f"{found[1]}{found[2]} {SCALES[found[3]]}"


def _money(found: Found) -> str:
    names, number, scale = CURRENCIES[found["sign"]], found["number"], found["scale"]
    if scale:
        return f"{decimal(number)} {scale} {names[1]}"
    return _amount(number, names, SUBUNITS.get(found["sign"]))


def _amount(number: str, names: tuple[str, str], sub: tuple[str, str] | None) -> str:
    whole, point, part = number.replace(",", "").partition(".")
    if not point or len(part) != 2 or sub is None:
        return f"{decimal(number)} {names[not _is_one(number)]}"
    units = f"{cardinal(int(whole))} {names[int(whole) != 1]}"
    cents = f"{cardinal(int(part))} {sub[int(part) != 1]}"
    if not int(part):
        return units
    return f"{units} and {cents}" if int(whole) else cents


def _coded(found: Found) -> str:
    return _amount(found["number"], CODES[found["code"]], None)


def plural_unit(unit: str) -> str:
    """Plural of a unit.

    >>> plural_unit("mile per hour"), plural_unit("square foot"), plural_unit("degree Celsius")
    ('miles per hour', 'square feet', 'degrees Celsius')
    """
    for behind in (" per ", " Celsius", " Fahrenheit"):
        head, found, rest = unit.partition(behind)
        if found:
            return f"{plural_unit(head)}{found}{rest}"
    before, space, last = unit.rpartition(" ")
    return f"{before}{space}{_PLURALS.get(last, f'{last}s')}"


def _unit(found: Found) -> str:
    number = found["number"]
    return f"{decimal(number)} {_unit_of(found, single=_is_one(number))}"


def _unit_of(found: Found, *, single: bool) -> str:
    name = _ALL_UNITS[found["unit"]]
    return name if single or found["noun"] is not None else plural_unit(name)


def _units(names: Iterable[str]) -> str:
    """Pattern of a unit, and of a noun behind it that makes it singular."""
    following = rf"(?:(?= (?P<noun>{one_of(_BEFORE_NOUNS)})\b))?"
    return rf"\s?(?P<unit>{one_of(list(names))})(?![\w/²³'’]){following}"


def fraction(above: int, below: int) -> str:
    """Words of a fraction.

    >>> fraction(1, 2), fraction(3, 4), fraction(7, 100), fraction(2, 21)
    ('one half', 'three quarters', 'seven hundredths', 'two twenty-firsts')
    """
    name = ordinal(below).removeprefix("one ")
    single, several = _HALVES.get(below, (name, f"{name}s"))
    return f"{cardinal(above)} {single if above == 1 else several}"


def _slashed(found: Found) -> str | None:
    above, below = int(found[2]), int(found[3])
    is_measure = found[1] or found[4] or found["unit"]
    if not 0 < above < below or below not in _DENOMINATORS or (below > 10 and not is_measure):
        return None
    return _mixed(found[1], above, below) + _unit_behind(found, found[1])


def _signed(found: Found) -> str:
    text, start, end = found.string, found.start(), found.end()
    words = ("minus " if found[1] else "") + _mixed(found[2], *SIGN_FRACTIONS[found[3]])
    words += _unit_behind(found, found[2])
    before = " and " if start and text[start - 1].isalnum() else ""  # what is before is already in words
    return before + words + (" " if text[end : end + 1].isalnum() else "")


def _unit_behind(found: Found, whole: str | None) -> str:
    return " " + _unit_of(found, single=whole is None) if found["unit"] else ""


def _mixed(whole: str | None, above: int, below: int) -> str:
    return (f"{decimal(whole)} and " if whole else "") + fraction(above, below)


def _by_fraction_slash(found: Found) -> str | None:
    """A fraction with U+2044 or `⅟`, which is no date and no ratio."""
    above, below = int(found[2] or 1), int(found[3])
    return _mixed(found[1], above, below) + _unit_behind(found, found[1]) if above and below > 1 else None


def _money_and_fraction(found: Found) -> str:
    sign, whole, scale = found[1], found[2], found[4] or SCALES.get(found[5])
    names = CURRENCIES[sign]
    amount = _mixed(whole, *SIGN_FRACTIONS[found[3]])
    return f"{amount} {scale} {names[1]}" if scale else f"{amount} {names[bool(whole)]}"


def _feet(found: Found) -> str:
    feet, inches = int(found[1]), int(found[2])
    names = "foot" if feet == 1 else "feet", "inch" if inches == 1 else "inches"
    return f"{cardinal(feet)} {names[0]} {cardinal(inches)} {names[1]}"


def _to(found: Found) -> str:
    return f"{found[1]} to {found[2]}"


MONEY: tuple[Rule, ...] = (
    rule(
        "money and fraction",
        "currency",
        rf"(?:US|C|A|NZ|HK)?([{_SIGNS}])\s?({_COUNT})?\s?({_FRACTION_SIGN})"
        rf"(?:[ -]({_SCALE})\b|\s?({_SHORT_SCALE})\b)?",
        _money_and_fraction,
    ),
    rule(
        "short scale",
        "currency",
        rf"([{_SIGNS}]\s?)({NUMBER})\s?({_SHORT_SCALE})\b",
        _scaled,
    ),
    rule(
        "money range",
        "currency",
        rf"(?<!\w)([{_SIGNS}])({NUMBER})\s?[-—–]\s?(?={NUMBER}(?![\w-]|\.\d))",
        lambda found: f"{found[2]} to {found[1]}",
    ),
    rule(
        "code",
        "currency",
        rf"\b(?P<code>{one_of(list(CODES))})\s?(?P<number>{NUMBER})(?![\w-])",
        _coded,
    ),
    rule(
        "code behind",
        "currency",
        rf"(?<![\w.,])(?P<number>{NUMBER})\s?(?P<code>{one_of(list(CODES))})\b",
        _coded,
    ),
    rule(
        "money",
        "currency",
        rf"(?:US|C|A|NZ|HK)?(?P<sign>[{_SIGNS}])\s?(?P<number>{NUMBER})(?:[ -](?P<scale>{_SCALE})\b)?",
        _money,
    ),
    rule(
        "money behind",
        "currency",
        rf"(?<![\w.,])(?P<number>{NUMBER})(?:\s(?P<scale>{_SCALE}))?\s?(?P<sign>[{_SIGNS}])(?!\w)",
        _money,
    ),
)
RANGES: tuple[Rule, ...] = (
    rule("even", "range", r"(?<![\w.,/-])50[-/—]50(?![\w/-])", lambda found: "fifty-fifty"),
    rule("hyphen range", "range", r"(?<![\w.,/:\-—])(\d{1,4})-(\d{1,4})(?![\w\-—/%]|[.,:]\d)", _to),
    rule(
        "range",
        "range",
        rf"(?<![\w.,/:\-—])({NUMBER}%?)[-—–]((?:{NUMBER})%?)(?![\-—/]|[.,:]?\d)",
        _to,
    ),
)
MEASURES: tuple[Rule, ...] = (
    rule("feet and inches", "unit", r"(?<![\w.,])(\d{1,2})\s?ft\.?,? (\d{1,2})\s?in\b\.?", _feet),
    rule("feet and inches by marks", "unit", r"\b(\d{1,2})'\s?(\d{1,2})(?:\"|''|(?=[\s.,;!?]|$))", _feet),
    rule(
        "inches",
        "unit",
        rf"(?<![\w.,])({NUMBER}) in(?= (?:tall|wide|long|high|deep|thick)\b)",
        lambda found: f"{decimal(found[1])} {'inch' if _is_one(found[1]) else 'inches'}",
    ),
    rule("dimensions", "unit", r"(?<=\d)(?<!\b0) ?[x×] ?(?=\d)|(?<=\d m) x (?=\d)", lambda found: " by "),
    rule("unit", "unit", _QUANTITY + _units(UNITS), _unit),
    rule("further unit", "unit", _QUANTITY + _units(FURTHER_UNITS), _unit),
)
FRACTIONS: tuple[Rule, ...] = (
    rule(
        "fraction",
        "fraction",
        rf"(?<![\w./,-])(?:({_COUNT})[ -])?(\d{{1,3}})/(\d{{1,4}})(?:rds?|ths?)?(?![\w/]|[.,]\d)"
        rf"(?:( (?:of|inch|in|mile|cup)\b)|{_units(_ALL_UNITS)})?",
        lambda found: (words + (found[4] or "")) if (words := _slashed(found)) else None,
    ),
    rule(
        "fraction slash",
        "fraction",
        rf"(?<![\w./,⁄-])(?:({_COUNT})[ -])?(?:(\d{{1,3}})⁄|⅟)(\d{{1,4}})(?![\w⁄]|[.,]\d)"
        rf"(?:{_units(_ALL_UNITS)})?",
        _by_fraction_slash,
    ),
    rule(
        "fraction sign",
        "fraction",
        rf"(?:(?<![\w)\]])([-−]))?(?:({_COUNT})\s?)?({_FRACTION_SIGN})(?:{_units(_ALL_UNITS)})?",
        _signed,
    ),
)
