"""Roman numerals, abbreviations and initialisms."""

import re

from pipeline.normalization.numbers import cardinal, ordinal, roman
from pipeline.normalization.rules import Found, Rule, is_pronounceable, letters, one_of, rule
from pipeline.script.vocabulary import common_words, words_of

_NUMERAL = (
    r"((?=[IVXLC])(?:C{1,3}|CD|D?C{0,3})?(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?![\w.]*\w)(?!['’](?!s\b)\w)"
)
_BEFORE_CARDINALS = (
    *("Chapter", "chapter", "Part", "part", "Act", "Scene", "Section", "section", "Volume", "volume", "Book"),
    *("book", "Phase", "phase", "Article", "article", "World War", "Mark", "Type", "type", "Level", "level"),
    *("Stage", "stage", "Class", "class", "Grade", "grade", "Super Bowl", "Apollo", "Gemini", "Episode"),
    *("Final Fantasy", "Round", "round", "Rocky", "Figure", "Table", "Appendix", "Title", "Canto", "Verse"),
    *("Vol.", "vol.", "Ch.", "ch.", "No.", "Symphony", "Sonata", "WrestleMania", "Vatican", "Lesson"),
)
_BEFORE_ORDINALS = (
    *(
        "Pope",
        "King",
        "Queen",
        "Henry",
        "Louis",
        "Edward",
        "George",
        "William",
        "Charles",
        "James",
        "Richard",
    ),
    *("Elizabeth", "Napoleon", "Pius", "Benedict", "Leo", "John Paul", "Ramses", "Frederick", "Philip"),
    *("Alexander", "Nicholas", "Peter", "Catherine", "Ivan", "Umberto", "Victor Emmanuel", "Gustav"),
    *("Christian", "Ferdinand", "Mary", "Francis", "Wilhelm", "Otto", "Gregory", "Innocent", "Clement"),
    *(
        "Urban",
        "Boniface",
        "Sixtus",
        "Juan Carlos",
        "Felipe",
        "Alfonso",
        "Carlos",
        "Haakon",
        "Olaf",
        "Harald",
    ),
    *("Margrethe", "Baldwin", "Leopold", "Albert", "Joseph", "Maximilian", "Rudolf", "Sigismund", "Robert"),
    *("David", "Malcolm", "Constantine", "Justinian", "Theodosius", "Darius", "Xerxes", "Cyrus", "Ptolemy"),
    *("Cleopatra", "Amenhotep", "Thutmose", "Seti", "Pedro", "Manuel", "Afonso", "Selim", "Mehmed"),
)
_ALONE = frozenset("VXLC")
"""Letters that are numerals after names of rulers alone: not in "Malcolm X"."""
_INITIAL = re.compile(r"\. [A-Z]")
"""Behind a middle initial: "Edward L. Fox"."""
_LETTERED = frozenset({"Malcolm"})
TITLES = {
    **{"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Prof": "Professor", "St": "Saint"},
    **{"Mt": "Mount", "Ft": "Fort", "Gen": "General", "Gov": "Governor", "Sen": "Senator"},
    **{"Rep": "Representative", "Capt": "Captain", "Lt": "Lieutenant", "Col": "Colonel", "Sgt": "Sergeant"},
    **{"Cmdr": "Commander", "Rev": "Reverend", "Hon": "Honorable", "Pres": "President", "Cpl": "Corporal"},
    **{"Supt": "Superintendent", "Maj": "Major", "Adm": "Admiral", "Fr": "Father", "Msgr": "Monsignor"},
}
_WORDS = {
    **{
        "Jr.": "Junior",
        "Sr.": "Senior",
        "Ave.": "Avenue",
        "Blvd.": "Boulevard",
        "Rd.": "Road",
        "Ln.": "Lane",
    },
    **{"Hwy.": "Highway", "Pkwy.": "Parkway", "Apt.": "Apartment", "Bldg.": "Building", "Ltd.": "Limited"},
    **{"Inc.": "Incorporated", "Corp.": "Corporation", "Co.": "Company", "Bros.": "Brothers"},
    **{"Dept.": "Department", "Univ.": "University", "Assn.": "Association", "Govt.": "Government"},
    **{"approx.": "approximately", "vs.": "versus", "vs": "versus", "e.g.": "for example", "i.e.": "that is"},
    **{"etc.": "et cetera", "et al.": "et al", "cf.": "compare", "a.k.a.": "also known as", "viz.": "namely"},
    **{"w/o": "without", "w/": "with", "St.": "Street", "Mt.": "Mount", "Atty.": "Attorney"},
}
_BEFORE_NUMBERS = {
    **{"No": "number", "Nos": "numbers", "no": "number", "nos": "numbers", "Fig": "figure", "fig": "figure"},
    **{
        "Figs": "figures",
        "figs": "figures",
        "Vol": "volume",
        "vol": "volume",
        "Ch": "chapter",
        "ch": "chapter",
    },
    **{"Sec": "section", "sec": "section", "Eq": "equation", "eq": "equation", "est": "established"},
    **{"Est": "established"},
}
_PAGES = {
    "p": "page",
    "P": "page",
    "pp": "pages",
    "Pp": "pages",
    "ca": "circa",
    "c": "circa",
    "l": "line",
    "ll": "lines",
}
_AS_WORDS = words_of("""
    nasa nato unesco unicef opec fifa uefa aids asap aka laser radar sonar scuba gif jpeg ascii wasp yolo fomo
    nafta asean darpa noaa fema hipaa covid swat pin ram rom sim lan wan raid bios captcha ikea lego
""")
_SPELLED = words_of("""
    usa uk un eu us ceo cfo cto cio ai api ufo uv iq id ip io os ui ux ok diy eta iou irs ioc iss atm esa epa
    aaa aa cia ira uae ussr nba fda faa ngo hiv dna rna mit ucla usb cpu gpu led url fbi est edt utc cet ist
    eeg ecg icu er ivf ide sdk ssd hdd uhf vip emt apr roi suv iot isbn bce
""")
_MIXED = {"PhD": "P h D", "MSc": "M S c", "BSc": "B S c", "iOS": "i O S", "pH": "p H", "eBay": "eBay"}


def _cardinal_numeral(found: Found) -> str | None:
    return f"{found[1]} {cardinal(roman(found[2]))}" if found[2] else None


def _ordinal_numeral(found: Found) -> str | None:
    is_initial = found[2] in _ALONE and _INITIAL.match(found.string, found.end())
    if not found[2] or is_initial or (found[1] in _LETTERED and found[2] in _ALONE):
        return None
    return f"{found[1]} the {ordinal(roman(found[2]))}"


_LAST_WORDS = frozenset(word.split()[-1] for word in (*_BEFORE_CARDINALS, *_BEFORE_ORDINALS))


def _heir(found: Found) -> str | None:
    """A person's ordinal; rulers and works have rules of their own."""
    if found[1].split()[1] in _LAST_WORDS:
        return None
    return f"{found[1]} the {ordinal(roman(found[2]))}"


def _word(found: Found) -> str:
    """The word, with a full stop where that of the abbreviation ends a sentence too."""
    after = found.string[found.end() : found.end() + 2]
    ends = found[1].endswith(".") and (not after.strip() or after.lstrip("\"')")[:1] == "")
    return _WORDS[found[1]] + ("." if ends else "")


def _initials(found: Found) -> str | None:
    """Letters apart; words in capitals and acronyms that are read as words stay."""
    word, plural = found[1], found[2] or ""
    lower = word.lower()
    if lower in _AS_WORDS or (lower not in _SPELLED and (is_pronounceable(word) or lower in common_words())):
        return None
    if lower == "us" and not _is_country(found):
        return None
    return letters(word) + (f"'{plural[-1:]}" if plural else "")


def _is_country(found: Found) -> bool:
    """True for "the US"; "tell US" is a pronoun."""
    return re.search(r"\b[Tt]he $", found.string[max(0, found.start() - 4) : found.start()]) is not None


def _world_war(found: Found) -> str:
    return f"World War {cardinal(len(found[1])).capitalize()}"


ROMAN: tuple[Rule, ...] = (
    rule("world war", "roman", r"\bWW(I{1,2})\b", _world_war),
    rule("numeral", "roman", rf"\b({one_of(_BEFORE_CARDINALS)}) {_NUMERAL}", _cardinal_numeral),
    rule("ruler", "roman", rf"\b({one_of(_BEFORE_ORDINALS)}) {_NUMERAL}", _ordinal_numeral),
    rule("heir", "roman", r"\b([A-Z][a-z]+ [A-Z][a-z]+) (I{2,3}|IV|VI{1,3}|IX)(?![\w.]*\w)", _heir),
)
ABBREVIATIONS: tuple[Rule, ...] = (
    rule(
        "number of a thing",
        "abbreviation",
        rf"(?<![\w.])({one_of(list(_BEFORE_NUMBERS))})\. ?(?=\d)",
        lambda found: f"{_BEFORE_NUMBERS[found[1]]} ",
    ),
    rule(
        "page",
        "abbreviation",
        rf"(?<![\w.])({one_of(list(_PAGES))})\. ?(?=\d)",
        lambda found: f"{_PAGES[found[1]]} ",
    ),
    rule(
        "drive",
        "abbreviation",
        r"(?<=[a-z] )Dr\.(?=[.,;:!?)]|$| [a-z])",
        lambda found: "Drive",
    ),
    rule(
        "title",
        "abbreviation",
        rf"\b({one_of(list(TITLES))})\. (?=[A-Z])",
        lambda found: f"{TITLES[found[1]]} ",
    ),
    rule(
        "title without a name",
        "abbreviation",
        r"\b(Mr|Mrs|Ms|Dr)\.(?=,? (?:and|or)\b)",
        lambda found: TITLES[found[1]],
    ),
    rule("word", "abbreviation", rf"(?<![\w.])({one_of(list(_WORDS))})(?![\w/])", _word),
)
AMPERSANDS: tuple[Rule, ...] = (
    rule(
        "ampersand",
        "initialism",
        r"\b([A-Z]{1,3})&([A-Z]{1,3})\b",
        lambda found: f"{letters(found[1])} and {letters(found[2])}",
    ),
)
INITIALISMS: tuple[Rule, ...] = (
    rule("mixed", "initialism", rf"\b({one_of(list(_MIXED))})\b", lambda found: _MIXED[found[1]]),
    rule(
        "dotted initials",
        "initialism",
        r"(?<![\w.])((?:[A-Z]\.){2,})(?=\s+[a-z]|[,;:!?)]|\s+[A-Z]\w)",
        lambda found: letters(found[1].replace(".", "")),
    ),
    rule(
        "letters and digits",
        "initialism",
        r"\b([A-Z]{1,5})-?(\d{1,2})(?![\w.,]\d|\w)",
        lambda found: (
            f"{found[1] if found[1].lower() in _AS_WORDS else letters(found[1])} {cardinal(int(found[2]))}"
        ),
    ),
    rule(
        "digits and letters",
        "initialism",
        r"(?<![\w.,])(\d{1,2})([DGK])\b",
        lambda found: f"{cardinal(int(found[1]))} {found[2]}",
    ),
    rule(
        "formula",
        "initialism",
        r"\b(H|CO|N|O|SO|NO|CH|NH|C)(\d)([A-Z]?)\b",
        lambda found: f"{letters(found[1])} {cardinal(int(found[2]))} {found[3]}".rstrip(),
    ),
    rule("initials", "initialism", r"\b([A-Z]{2,5})('?s)?\b(?![.&]\w)", _initials),
)
