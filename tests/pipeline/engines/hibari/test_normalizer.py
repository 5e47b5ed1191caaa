"""Everything that people write is spoken by hibari, silent by rule, or refused: never dropped."""

import re
import unicodedata
from collections.abc import Iterator

import pytest
from hibari.g2p import G2P
from hibari.g2p.normalize import ABBREV, ROMAN_CARDINAL, ROMAN_ORDINAL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines.hibari import normalizer
from pipeline.engines.hibari.normalizer import wording
from pipeline.script.plain import plain_letters

BLOCKS = {
    "Basic Latin and Latin-1": (0x20, 0xFF),
    "Latin Extended": (0x100, 0x24F),
    "Greek": (0x370, 0x3FF),
    "Latin Extended Additional": (0x1E00, 0x1EFF),
    "General Punctuation": (0x2000, 0x206F),
    "Superscripts and Subscripts": (0x2070, 0x209F),
    "Currency Symbols": (0x20A0, 0x20CF),
    "Letterlike Symbols": (0x2100, 0x214F),
    "Number Forms": (0x2150, 0x218F),
    "Arrows": (0x2190, 0x21FF),
    "Mathematical Operators": (0x2200, 0x22FF),
    "Miscellaneous Technical": (0x2300, 0x23FF),
    "Enclosed Alphanumerics": (0x2460, 0x24FF),
    "Geometric Shapes to Dingbats": (0x25A0, 0x27BF),
    "Supplemental Arrows and Mathematics": (0x27C0, 0x2BFF),
    "CJK Symbols and Punctuation": (0x3000, 0x303F),
    "Ligatures": (0xFB00, 0xFB06),
    "Full-width Forms": (0xFF01, 0xFF5E),
}
SILENT = re.compile(
    r"[\s\"'()\[\]{}<>«»‹›“”‘’‚‛„‟_/|!?.,;:`´¨¯¸·¡¿¦‐‑‒–—―-]"
    r"|[†‡•‣‧‖‗‾‿⁀⁁⁂⁃⁅⁆⁊⁋⁎⁏⁐⁑⁓⁔⁕⁖⁗⁘⁙⁚⁛⁜⁝⁞″‴‶‷‸※‥․‵′⁽⁾₍₎。、‽⌈⌉⌊⌋〈〉❨❩❪❫❬❭❮❯❰❱❲❳❴❵■□▪▫●○◦◆◇]"
)
"""The stated rule: punctuation, brackets and bullets have no words."""


@pytest.fixture(scope="module")
def g2p() -> G2P:
    return G2P()


def said(g2p: G2P, text: str) -> str:
    """Phonemes of a text as it is worded, without spaces and stress."""
    return sounds_of(g2p, wording(text).text)


def sounds_of(g2p: G2P, worded: str) -> str:
    return re.sub(r"[\sˈˌ]+", "", str(g2p(worded)))


def characters(block: str) -> Iterator[str]:
    first, last = BLOCKS[block]
    for code in range(first, last + 1):
        if unicodedata.category(chr(code)) not in ("Cn", "Cc") and not (
            chr(code).isascii() and chr(code).isalnum()
        ):
            yield chr(code)


def is_silent(character: str) -> bool:
    if unicodedata.category(character) in ("Cf", "Mn", "Me", "Ps", "Pe", "Pi", "Pf", "Pd", "Zs", "Zl", "Zp"):
        return True
    plain = unicodedata.normalize("NFKC", plain_letters(character))
    return bool(SILENT.fullmatch(character)) or all(map(SILENT.fullmatch, plain))


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("place", ["see {} now", "see 5{} now", "see x {}5 now"])
def test_every_character_is_words_or_silent_by_rule_or_refused(g2p: G2P, block: str, place: str) -> None:
    without = said(g2p, place.format("").replace("  ", " "))
    dropped = []
    for character in characters(block):
        if is_silent(character):
            continue
        worded = wording(plain_letters(place.format(character)))
        if not worded.problems and sounds_of(g2p, worded.text) == without:
            dropped.append(character)
    assert dropped == []


@pytest.mark.parametrize(
    ("text", "named", "remedy"),
    [
        ("a ☃ b", "contains ☃ (snowman),", "write it in words"),
        ("это", "contains 'э', 'т', 'о',", "write it in Latin letters"),
        ("Nоra", "contains 'о' (cyrillic small letter o),", "write it in Latin letters"),
        ("съешь ещё", "contains 'с', 'ъ', 'е', 'ш', 'ь' and 2 more,", "write it in Latin letters"),
    ],
)
def test_what_is_refused_is_named_with_a_remedy(text: str, named: str, remedy: str) -> None:
    (problem,) = wording(text).problems
    assert problem.startswith(f"{named} which the English voice of hibari cannot speak; {remedy} or take")
    assert problem.endswith("or choose an engine that speaks it (`--engine`)")


WORDS = [
    *("Charles", "Victoria", "Lear", "Club", "Ideal", "Introduction", "Louis", "Ivan", "Lewis", "Vincent"),
    *("Chief", "Candles", "Light", "X-ray", "Isaac", "Lincoln", "Collins", "Cat", "India", "Vienna", "Lane"),
]


@pytest.mark.parametrize("trigger", [*ROMAN_CARDINAL, *ROMAN_ORDINAL])
def test_no_number_is_invented_behind_a_title_or_a_heading(g2p: G2P, trigger: str) -> None:
    for word in WORDS:
        text = f"We met {trigger} {word} there."
        assert "zɪɹO" not in said(g2p, text), text
    assert "tˈu" in g2p(wording(f"We met {trigger} II there.").text) or "sˈɛkənd" in g2p(
        wording(f"We met {trigger} II there.").text
    )


@pytest.mark.parametrize(
    "text",
    ["He said no.", "She ate a fig.", "We like the Sun.", "I met Jan. She left.", "No, no. Not now."],
)
def test_words_at_the_end_of_a_sentence_are_no_abbreviations(g2p: G2P, text: str) -> None:
    spoken = said(g2p, text)
    for expansion in ("nʌmbəɹ", "fɪɡjəɹ", "sʌndA", "ʤænjuɛɹi", "ʤænjəwˌɛɹi"):
        assert expansion not in spoken


def test_abbreviations_stay(g2p: G2P) -> None:
    assert "nʌmbəɹ" in said(g2p, "See no. 5 now.")
    assert "fɪɡjəɹ" in said(g2p, "See fig. 5 now.")
    assert "ʤænjəw" in said(g2p, "It was in Jan. 1999.")
    assert "no." in ABBREV, "the front end's own rule, for which this one exists"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Add ⅓ cup and 2⅔ spoons.", "Add one third cup and 2 and two thirds spoons."),
        ("If x ≤ 5 and y ≠ 3 it is ∞.", "If x less than or equal to 5 and y not equal to 3 it is infinity."),
        ("Salt is 35‰ of it.", "Salt is 35 per mille of it."),
        ("It costs 5€, ₽500, ₺1 or ₫2 million.", "It costs 5 euros, 500 rubles, 1 lira or 2 million dong."),
        ("The ratio is 4:1, at 16:9.", "The ratio is 4 to 1, at 16 to 9."),
        ("Open 24/7, rooms 1,2,3.", "Open 24 7, rooms 1, 2, 3."),
        ("He is 5'10\" tall.", "He is 5 feet 10 inches tall."),
        ("Use C# and 2 * 3.", "Use C sharp and 2 times 3."),
        ("x⁴ and H₂O, m⁻¹", "x to the power of 4 and H 2 O, m to the power of minus 1"),
        ("α is not π.", "alpha is not pi."),
        ("Ģirts and Ễva ate crème brûlée.", "Girts and Eva ate crème brûlée."),
        ("It is ①②, Ⅳ or ﬁne.", "It is 1 2, IV or ﬁne."),
        ("Noooo! Sooo goooood. Aaaaargh.", "No! so good. Aargh."),
        ("Type C, Class L.", "Type c, Class l."),
        ("Mail sam.lee@example.org.", "Mail sam dot lee at example dot org."),
        ("King Edward L. Fox left.", "King edward L. Fox left."),
        (
            "A 1.5 L bottle, 5 m², 2¾ cups.",
            "A one point five liters bottle, five square meters, two and three \
quarters cups.",
        ),
        ("Agent 007 in room 05 at 05:30.", "Agent 0 0 7 in room 0 5 at 05:30."),
    ],
)
def test_what_the_front_end_misreads_is_written_in_words(text: str, spoken: str) -> None:
    assert wording(text).text.casefold() == spoken.casefold()


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5.3 million, or €2.50 each, or £1,200.99; ¥500 and ₹2,000.",
        "The train leaves at 9:30PM on 12/05/2026, and arrives at 14:05.",
        "Henry VIII and Louis XIV met in World War II, in chapter IV.",
        "It weighs 2.5 kg, is 10 cm wide, and holds 3/4 of a bottle.",
        "Call 555-1234 or 212-555-0142 by 3/15/2024, for 10-15 minutes, #5.",
        "Add ½ cup, and 1,000,000 grains; that is -3 degrees, 25°C.",
        "A naïve café in Łódź — “quite so” — [sic] {so}. Hmm. Ugh! I?",
        "Mr. and Mrs. Fox of St. James St. met Dr. Hall at 5 p.m., e.g. on Mon.",
    ],
)
def test_what_the_front_end_reads_right_stays_as_it_is(text: str) -> None:
    assert wording(plain_letters(text)).text == plain_letters(text)


@pytest.mark.parametrize(
    "text", ["Shh!", "Shhhhh.", "Brr.", "Grrr!", "Pfft.", "Zzz.", "Psh!", "Tsss.", "Hmph."]
)
def test_sounds_without_vowels_are_not_spelled(g2p: G2P, text: str) -> None:
    phonemes = g2p(wording(text).text)
    assert phonemes.strip(" .!")
    assert not re.search("ˌɛs|ˈAʧ|ˌɑɹˈɑɹ|ˌɛf|ˌizˌi|pˌi", phonemes)


def test_long_words_are_spoken_to_the_end(g2p: G2P) -> None:
    found = wording("The Donaudampfschifffahrtsgesellschaft paid.")
    assert found.text == "The Donaudampf schifffahrts gesellschaft paid."
    assert found.notices == ("a word of 34 letters is spoken in parts",)
    known = "pneumonoultramicroscopicsilicovolcanoconiosis"
    assert wording(known).text == known
    assert len(g2p(known)) > 40


@pytest.mark.parametrize("digits", [33, 34, 70, 400])
def test_numbers_without_words_are_read_digit_by_digit(g2p: G2P, digits: int) -> None:
    assert len(said(g2p, f"See {'7' * digits} now.")) > digits


def test_a_users_brackets_are_no_phonemes(g2p: G2P) -> None:
    assert "ðə" in said(g2p, "See [the](/zzz/) now.")


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Henry VIII's wives", "Henry the eighth's wives"),
        ("Elizabeth II's crown", "Elizabeth the second's crown"),
        ("Louis XXIII's heir", "Louis the twenty-third's heir"),
        ("Louis XXX's heir", "Louis the thirtieth's heir"),
        ("Louis XLI's heir", "Louis the forty-first's heir"),
        ("Louis LIII's heir", "Louis the fifty-third's heir"),
        ("Louis LXXXII's heir", "Louis the eighty-second's heir"),
        ("Pius CXI's heir", "Pius the one hundred eleventh's heir"),
        ("World War II's end", "World War 2's end"),
        ("Super Bowl LVIII's score", "Super Bowl 58's score"),
        ("Henry I'm tired", "henry I'm tired"),
        ("Part I'll read", "Part i'll read"),
        ("Henry VIII, Elizabeth II", "Henry VIII, Elizabeth II"),
    ],
)
def test_numerals_with_a_possessive(g2p: G2P, text: str, spoken: str) -> None:
    assert wording(text).text == spoken
    assert "zˈɪɹ" not in str(g2p(spoken))


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("1⁄2", "one half"),
        ("-½", "minus one half"),
        ("2⅒", "2 and one tenth"),
        ("$1½", "one and one half dollars"),
        ("1ST", "first"),
        ("1ˢᵗ", "first"),
        ("11th", "eleventh"),
        ("2/3rds", "two thirds"),
    ],
)
def test_fractions_and_ordinals_sound_as_their_words(g2p: G2P, text: str, sounds: str) -> None:
    assert said(g2p, f"It is {text}.") == said(g2p, f"It is {sounds}.")


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It is 3,50 € now.", "It is 3.50 euros now."),
        ("It is €1.200,50 now.", "It is €1200.50 now."),
        ("It is ₹2,00,000 or 2,00,000 rupees.", "It is ₹200000 or 200000 rupees."),
        ("It is 10₫ 5 here.", "It is 10 dong 5 here."),
        ("It is 5 € 10 € here.", "It is 5 euros 10 euros here."),
        ("All 1 000 000 of 20 000.", "All 1000000 of 20000."),
        ("It is $1,200 and €1,200.99.", "It is $1,200 and €1,200.99."),
    ],
)
def test_numbers_as_other_countries_write_them(text: str, spoken: str) -> None:
    assert wording(text).text == spoken


MOSTLY_PLAIN = st.characters(min_codepoint=32, max_codepoint=126, include_characters="—⅓²₀")
"""Characters that leave examples to every pattern."""
PATTERNS = {name: found for name, found in vars(normalizer).items() if isinstance(found, re.Pattern)}


@pytest.mark.hypothesis
@pytest.mark.parametrize("name", PATTERNS)
def test_a_plain_text_that_a_rule_changes_is_never_left_as_it_is(name: str) -> None:
    @settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(PATTERNS[name], alphabet=MOSTLY_PLAIN))
    def check(text: str) -> None:
        changed = text
        for rule in normalizer._RULES:
            changed = rule(changed)
        if normalizer._PLAIN.fullmatch(text) and changed != text:
            assert normalizer._needs_words(text), changed

    check()
