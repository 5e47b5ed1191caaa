import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OptionError
from pipeline.normalization.normalizer import RULES, normalized
from pipeline.normalization.quantities import fraction
from pipeline.normalization.rules import KINDS, kinds_of


@pytest.mark.parametrize(
    "text",
    [
        "Nothing here is a number, an address or a date.",
        "I met Malcolm X, and Edward L. Fox, in plan B.",
        "May I march in the sun? We sat. It was no. The fig fell.",
        "She said 'Well, I do.' and left; tell US. HELP! STOP THAT NOW!",
        "Vitamin C, model T, type O. I am so-so - really.",
    ],
)
def test_plain_prose_stays_as_it_is(text: str) -> None:
    assert normalized(text) == text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Room 204B, seat 12B, page 4B.", "Room 204B, seat 12B, page 4B."),
        ("patch 8.2.1215", "patch eight point two point one thousand two hundred fifteen"),
        ("King George VI saw World War II.", "King George the sixth saw World War two."),
        ("Thurston Howell III, Rocky IV", "Thurston Howell the third, Rocky four"),
        ("0x200c is 5x larger", "0x200c is 5x larger"),
        ("It was 1,2,3 go.", "It was 1,2,3 go."),
        ("a 5-year-old, the 3-2 win", "a five-year-old, the three to two win"),
        ("5 - 3 = 2", "five minus three equals two"),
        ("He is 12 Oak Dr. now.", "He is twelve Oak Drive now."),
        ("It costs $1,000,000.50.", "It costs one million dollars and fifty cents."),
        ("$0.01, £0.01, $1.01", "one cent, one penny, one dollar and one cent"),
        ("at 14:00 or 7:00", "at fourteen hundred or seven o'clock"),
        ("A waltz in F#, ± a bar.", "A waltz in F sharp, plus or minus a bar."),
        ("It ended at 7 p.m. The end.", "It ended at seven P M. The end."),
    ],
)
def test_readings_beside_the_table(text: str, spoken: str) -> None:
    assert normalized(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("the 11th, 12th and 13th", "the eleventh, twelfth and thirteenth"),
        ("the 21st, 22nd and 23rd", "the twenty-first, twenty-second and twenty-third"),
        ("the 111th, 112th, 113th", "the one hundred eleventh, one hundred twelfth, one hundred thirteenth"),
        ("the 101st of 1,001st", "the one hundred first of one thousand first"),
        ("1ST, 2ND, 3RD, 12TH PLACE", "first, second, third, twelfth PLACE"),
        ("1ˢᵗ, 2ⁿᵈ, 3ʳᵈ, 4ᵗʰ", "first, second, third, fourth"),
        ("2/3rds of it, 3/4ths", "two thirds of it, three quarters"),
        ("1⁄2 cup, 2 3⁄4, 7⁄20, ⅟5", "one half cup, two and three quarters, seven twentieths, one fifth"),
        ("-½ or −2¼ degrees", "minus one half or minus two and one quarter degrees"),
        (
            "6½ ft tall, 5½kg, ½ lb, 1½ km walk, 6 1/2 ft, 2 3⁄4 oz, 1/16 mi",
            "six and one half feet tall, five and one half kilograms, one half pound, one and one half "
            "kilometer walk, six and one half feet, two and three quarters ounces, one sixteenth mile",
        ),
        (
            "1,000½ at 12:30½, 3½x",
            "one thousand and one half at twelve thirty and one half, three and one half x",
        ),
        (
            "$1½k, £2½m, $1,000½",
            "one and one half thousand dollars, two and one half million pounds, "
            "one thousand and one half dollars",
        ),
        (
            "$1½, £½, $2½ million, US$1½",
            "one and one half dollars, one half pound, two and one half million dollars, "
            "one and one half dollars",
        ),
    ],
)
def test_readings_of_the_same_kind(text: str, spoken: str) -> None:
    assert normalized(text) == spoken


def vulgar_fractions(*codes: int) -> list[str]:
    return [chr(code) for code in range(*codes) if "VULGAR FRACTION" in unicodedata.name(chr(code), "")]


VULGAR_FRACTIONS = vulgar_fractions(0x3000)


def test_all_vulgar_fractions_are_known() -> None:
    assert vulgar_fractions(0x3000, 0x110000) == []


@pytest.mark.parametrize("sign", VULGAR_FRACTIONS)
def test_every_vulgar_fraction_of_unicode_is_read_as_its_digits_are(sign: str) -> None:
    above, below = unicodedata.normalize("NFKC", sign).split("⁄")
    assert normalized(sign) == fraction(int(above), int(below))
    assert normalized(f"2{sign} cups") == f"two and {fraction(int(above), int(below))} cups"


@pytest.mark.parametrize("text", ["1" + ",111" * 5_000 + " or ½", "½ " * 10_000])
def test_long_rows_of_numbers_and_fractions_take_little_time(text: str) -> None:
    began = time.thread_time()
    normalized(text)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_switched_off_and_is_on_alone(kind: str) -> None:
    text = (
        "Ask a.b@site.org or 555-1234 on 3/15/2024 at 3:30 for $5, 5 km, 3–4 or 3/4, the 2nd, Act II, No. 7, "
        "BBC, 5 & 6, -9."
    )
    alone, without = normalized(text, [kind]), normalized(text, [other for other in KINDS if other != kind])
    assert alone != text
    assert without != normalized(text)
    assert normalized(text, []) == text


def test_rules_that_an_engine_reads_itself_are_left_to_it() -> None:
    text = "It is 3/4 or 5/16 inch."
    assert (
        normalized(text, reads={"fraction": re.compile(r"\d/\d\b"), "number": None})
        == "It is 3/4 or five sixteenths inch."
    )
    assert normalized("On 3/15/2024.", reads={"slashed date": None, "number": None}) == "On 3/15/2024."


def test_rules_have_names_of_their_own_and_known_kinds() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert {rule.kind for rule in RULES} == set(KINDS)


def test_normalised_text_stays_as_it_is() -> None:
    text = "On 3/15/2024 Henry VIII paid $3.50 for 5 kg at 3:30 p.m., see www.example.com."
    assert normalized(normalized(text)) == normalized(text)


WRITTEN = [
    *(
        "3.5",
        "$4",
        "15.03.2024",
        "12–18",
        "Henry VIII",
        "a.b@c.org",
        "½",
        "²",
        "#x",
        "@y",
        "'80s",
        "p. 3",
        "e.g.",
    ),
    *(
        "(212) 555-0187",
        "-4",
        "1/2",
        "V",
        "5 m²",
        "Mon",
        "Jan. 5",
        "3:30",
        "a.m.",
        "٣",
        "１２",
        "www.",
        "/",
        "%",
        "x",
    ),
    *(
        "0/0",
        "99/99/9999",
        "1e400",
        "0" * 40,
        "£",
        "°",
        "&",
        "+1",
        "U.S.",
        "MMXX",
        "25:99",
        "0.0.2024",
        ".",
        ",",
    ),
]


@given(st.lists(st.sampled_from(WRITTEN), max_size=12).map(" ".join))
def test_any_writing_is_read_without_an_error(text: str) -> None:
    assert normalized(text).strip() or not text.strip()


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    normalized(text)


@pytest.mark.parametrize("kinds", ["", "dates", "all,-x", ",", "date;time"])
def test_unknown_kinds_are_refused(kinds: str) -> None:
    with pytest.raises(OptionError, match="is unknown; there are all, none, address, phone"):
        kinds_of(kinds)


def test_kinds_are_chosen_by_name() -> None:
    assert kinds_of("all") == set(KINDS)
    assert kinds_of("none") == frozenset()
    assert kinds_of("Date, time") == {"date", "time"}
    assert kinds_of("-date") == set(KINDS) - {"date"}
    assert kinds_of("all,-date,-time") == set(KINDS) - {"date", "time"}
