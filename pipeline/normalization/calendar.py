"""Dates and times of day."""

from pipeline.normalization.numbers import cardinal, ordinal, plural, year
from pipeline.normalization.rules import Found, Rule, one_of, rule

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_SHORT_MONTHS = {month[:3]: month for month in MONTHS} | {"Sept": "September"}
_DAYS = {
    **{"Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday"},
    **{"Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday"},
}
_MONTH = rf"(?:{one_of(MONTHS)}|(?:{one_of(list(_SHORT_MONTHS))})\b\.?)"
_DAY = rf"(?:{one_of(list(_DAYS))})\b\.?"
_ERAS = {"BC": "B C", "BCE": "B C E", "AD": "A D", "CE": "C E"}
_HALF = r"(?P<half>[AaPp])\.?\s?[Mm](?:\.(?=\s+[a-z]|[,;:?!)—-])|\b(?!\.\w))"
"""`a.m.` and its variants; the full stop at a sentence's end is not part of it."""


def _month(text: str) -> str:
    return _SHORT_MONTHS.get(text.rstrip("."), text.rstrip("."))


def _day_of(month: int, day: int, years: int | None, *, day_first: bool = False) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    name = MONTHS[month - 1]
    words = f"the {ordinal(day)} of {name}" if day_first else f"{name} {ordinal(day)}"
    return words + (f", {year(years)}" if years is not None else "")


def _month_day(found: Found) -> str | None:
    return _day_of(MONTHS.index(_month(found[1])) + 1, int(found[2]), int(found[3]) if found[3] else None)


def _day_month(found: Found) -> str | None:
    month = MONTHS.index(_month(found[2])) + 1
    return _day_of(month, int(found[1]), int(found[3]) if found[3] else None, day_first=True)


def _iso(found: Found) -> str | None:
    return _day_of(int(found[2]), int(found[3]), int(found[1]))


def _slashed(found: Found) -> str | None:
    """Month first, as in the United States, unless only the other order is a date."""
    first, second, years = int(found[1]), int(found[2]), int(found[3])
    if len(found[3]) == 2:
        years += 1900 if years > 30 else 2000
    return _day_of(first, second, years) or _day_of(second, first, years, day_first=True)


def _dotted(found: Found) -> str | None:
    if not 1500 <= int(found[3]) <= 2100:  # a version
        return None
    return _day_of(int(found[2]), int(found[1]), int(found[3]), day_first=True)


def _clock(found: Found) -> str | None:
    hour, minute, second = int(found["hour"]), int(found["minute"]), found["second"]
    if hour > 24 or minute > 59 or int(second or 0) > 59:
        return None
    words = cardinal(hour)
    if minute:
        words += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not found["half"] and not second:
        words += " o'clock" if hour <= 12 else " hundred"
    if second:
        words += f" and {cardinal(int(second))} second{'' if int(second) == 1 else 's'}"
    return words + _half(found)


def _half(found: Found) -> str:
    return f" {found['half'].upper()} M" if found["half"] else ""


def _hour(found: Found) -> str | None:
    return cardinal(int(found["hour"])) + _half(found) if 1 <= int(found["hour"]) <= 12 else None


def _two_digits(text: str) -> str:
    return f"oh {cardinal(int(text))}" if text[0] == "0" and text != "00" else cardinal(int(text))


DATES: tuple[Rule, ...] = (
    rule("iso date", "date", r"\b(\d{4})-(\d{2})-(\d{2})\b", _iso),
    rule("slashed date", "date", r"(?<![\w/.])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\w/]|\.\d)", _slashed),
    rule("dotted date", "date", r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\w|\.\d)", _dotted),
    rule(
        "weekdays",
        "date",
        rf"\b({_DAY})\s?[-—–]\s?({_DAY})(?!\w)",
        lambda found: f"{_DAYS[found[1].rstrip('.')]} to {_DAYS[found[2].rstrip('.')]}",
    ),
    rule(
        "weekday",
        "date",
        rf"\b({_DAY})(?=,? (?:{_MONTH}(?: |$)|\d))",
        lambda found: _DAYS[found[1].rstrip(".")],
    ),
    rule(
        "months",
        "date",
        rf"\b({_MONTH})\s?[-—–]\s?({_MONTH})(?!\w)",
        lambda found: f"{_month(found[1])} to {_month(found[2])}",
    ),
    rule(
        "month and day",
        "date",
        rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?![\d:%]|[-—–]\d|[.,]\d)(?:,? (\d{{4}})\b)?",
        _month_day,
    ),
    rule(
        "day and month",
        "date",
        r"\b(?:[Tt]he )?(?<![\d.,:$£€-])(\d{1,2})(?:st|nd|rd|th)?(?: of)? "
        rf"({_MONTH})(?!\w)(?:,? (\d{{4}})\b)?",
        _day_month,
    ),
    rule(
        "month and year",
        "date",
        rf"\b({_MONTH})(?=,? \d{{4}}\b)",
        lambda found: _month(found[1]),
    ),
    rule(
        "decade",
        "date",
        r"(?<![\w.,])(\d{2}[1-9]0|\d{2}00)['’]?s\b",
        lambda found: plural(year(int(found[1]))),
    ),
    rule(
        "short decade",
        "date",
        r"(?<![\w.,])['’]?([2-9]0)['’]?s\b",
        lambda found: plural(cardinal(int(found[1]))),
    ),
    rule("short year", "date", r"(?<![\w])['’](\d{2})(?![\w'’])", lambda found: _two_digits(found[1])),
    rule(
        "era",
        "date",
        r"(?<![\w.,])(\d{1,4}) (BCE?|CE|AD)\b",
        lambda found: f"{year(int(found[1]))} {_ERAS[found[2]]}",
    ),
    rule("era first", "date", r"\b(AD) (\d{1,4})\b", lambda found: f"A D {year(int(found[2]))}"),
)
TIMES: tuple[Rule, ...] = (
    rule(
        "time range",
        "time",
        r"(?<![\w:.])(\d{1,2}:\d{2}|\d{1,2}(?::\d{2})?\s?[AaPp]\.?[Mm]\b\.?)\s?[-—–]\s?(?=\d{1,2}(?::\d{2}|\s?[AaPp]\.?[Mm]\b))",
        lambda found: f"{found[1]} to ",
    ),
    rule(
        "time",
        "time",
        rf"(?<![\w:.])(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}}))?(?:\s?{_HALF})?(?![:\d])",
        _clock,
    ),
    rule("hour", "time", rf"(?<![\w:.,])(?P<hour>\d{{1,2}})\s?{_HALF}", _hour),
)
