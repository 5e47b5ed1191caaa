"""Identity of people: one person is one speaker, however the name is written."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from pipeline.script.turns import Findings

_LATIN = {
    **dict(zip("асеорхуіјѕԁһԛԝАВЕКМНОРСТХІЈЅ", "aceopxyijsdhqwABEKMHOPCTXIJS", strict=True)),
    **dict(zip("αικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aiknoptuxABEZHIKMNOPTYX", strict=True)),
}
"""Cyrillic and Greek letters that look like Latin ones (Unicode TR 39, the intentional ones)."""
_LOOKALIKES = str.maketrans(_LATIN)
_SILENT = str.maketrans(dict.fromkeys(".'’‘ʼ`´\"“”„«»#\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_SPACES = re.compile(r"[\s_·・\-‐‑‒–—/]+")
_ZEROS = re.compile(r"(?<=\s)0+(?=\d)")
_NUMBER_APART = re.compile(r"(?<=[^\W\d_]) (?=\d{1,3}$)")
_NUMBERED = re.compile(r"speaker (\d{1,3})")
_TITLED = re.compile(r"(?:mr|mrs|ms|miss|dr|sir|lady|lord)\b")
_COMPARED = 500
"""In a script with more names nobody looks for near misses."""
_TITLES = {"mister": "mr", "missus": "mrs", "doctor": "dr", "professor": "prof", "saint": "st"}


@functools.lru_cache(maxsize=4096)
def identity(name: str) -> str:
    """A key that is equal for spellings of one person's name.

    >>> identity("O’BRIEN") == identity("o'Brien"), identity("Mr. Fox") == identity("Mr Fox")
    (True, True)
    >>> identity("SPEAKER_01"), identity("Guard #1")
    ('speaker 1', 'guard 1')
    """
    text = unicodedata.normalize("NFKC", name)
    if _is_mixed(text):
        text = text.translate(_LOOKALIKES)
    text = unicodedata.normalize("NFKC", text.casefold()).translate(_SILENT).replace("&", " and ")
    words = _SPACES.sub(" ", text).split()
    if words and words[0] in _TITLES and len(words) > 1:
        words[0] = _TITLES[words[0]]
    return _ZEROS.sub("", " ".join(words)) or name.strip()


def skeleton(name: str) -> str:
    """A key that is equal for all names that `People` takes for one, look-alike letters of other scripts too.

    >>> skeleton("Ann\u0430") == skeleton("ANNA")
    True
    """
    return identity(name.translate(_LOOKALIKES))


def _compact(name: str) -> str:
    """The skeleton without the space before a number: `Speaker1`."""
    return _NUMBER_APART.sub("", skeleton(name))


def displayed(name: str) -> str:
    """The name as it is shown: `Speaker 1` for numbered speakers, else as written.

    >>> displayed("SPEAKER 02"), displayed(" Mary  Ann ")
    ('Speaker 2', 'Mary Ann')
    """
    numbered = _NUMBERED.fullmatch(identity(name))
    return f"Speaker {int(numbered[1])}" if numbered else " ".join(name.split())


def find(name: str, among: Iterable[str]) -> str | None:
    """The speaker that a name given beside the script means; an exact spelling comes first."""
    known = list(among)
    if name in known:
        return name
    for key in (identity, _compact):
        wanted = key(name)
        found = next((speaker for speaker in known if key(speaker) == wanted), None)
        if found is not None:
            return found
    return None


class People:
    """The speakers of one script, each under the spelling that is commonest, or comes first."""

    def __init__(self, written: Iterable[tuple[str, int]]) -> None:
        """Args:
        written: names as they are written, with their lines, in order.
        """
        self._look_alikes: dict[str, str] = {}
        self._first: dict[str, int] = {}
        self._spellings: dict[str, Counter[str]] = {}
        self._lines: dict[tuple[str, str], int] = {}
        for name, line in written:
            key, spelling = self._key(name), displayed(name)
            self._first.setdefault(key, line)
            self._spellings.setdefault(key, Counter())[spelling] += 1
            self._lines.setdefault((key, spelling), line)

    def name(self, written: str) -> str:
        """The speaker's one name."""
        return self._shown(self._key(written))

    def _shown(self, key: str) -> str:
        spellings = self._spellings[key]  # of equals one with a capital, then the first
        return max(spellings, key=lambda spelling: (spellings[spelling], spelling[:1].isupper()))

    def _key(self, name: str) -> str:
        """The identity; of a name that looks the same, in letters of another script too, that one's."""
        return self._look_alikes.setdefault(_compact(name), identity(name))

    def report(self, findings: Findings) -> None:
        """Report spellings that were merged, and names that nearly are another's."""
        for (key, spelling), line in self._lines.items():
            shown = self._shown(key)
            if spelling != shown and (identity(spelling) == key or spelling.isascii()):
                findings.notice(line, f"{spelling!r} and {shown!r} are one speaker")
            elif spelling != shown:
                findings.notice(line, f"{spelling!r} looks like {shown!r} in other letters: one speaker")
        if len(self._first) > _COMPARED:
            return
        counts = {key: spellings.total() for key, spellings in self._spellings.items()}
        for key in counts:
            near = next((other for other in counts if self._nearly(key, other, counts)), None)
            if near is not None:
                findings.notice(
                    self._first[key],
                    f"{self._shown(key)!r} is spelled nearly as {self._shown(near)!r}; correct it if that is "
                    "one person",
                )

    def _nearly(self, key: str, other: str, counts: Mapping[str, int]) -> bool:
        """Tell whether a rarer name differs from another in one letter or in accents alone."""
        if key == other or counts[key] > counts[other]:
            return False
        if counts[key] == counts[other] and self._first[key] < self._first[other]:
            return False
        if _bare(key) == _bare(other):
            return True
        if _TITLED.match(key) or _TITLED.match(other):
            return False
        return counts[key] == 1 < counts[other] and min(len(key), len(other)) > 3 and _one_off(key, other)


def _is_mixed(text: str) -> bool:
    """Tell whether Latin letters stand beside Cyrillic or Greek ones."""
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha()}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})


def _bare(key: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", key) if not unicodedata.combining(c))


def _one_off(one: str, other: str) -> bool:
    """Tell whether one letter was changed, added, left out or swapped; digits are no letters.

    >>> _one_off("theo", "thoe"), _one_off("guard 1", "guard 2")
    (True, False)
    """
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    if any(map(str.isdigit, left + right)) or " " in left + right:
        return False
    if {len(one.rpartition(" ")[2]), len(other.rpartition(" ")[2])} == {1}:  # `Host A`
        return False
    swapped = len(left) == 2 and left == right[::-1]
    return swapped or max(len(left), len(right)) == 1
