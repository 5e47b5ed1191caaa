"""Respelling of words that hibari's front end spells letter by letter, cuts or drawls."""

import functools
import re
from collections.abc import Callable

from pipeline.script.vocabulary import common_words, words_of

WORD_LETTERS_MAX = 24
"""Letters of an unknown word that the front end reads; what is longer is read in parts."""
_PART_LETTERS = 12
_LONG_WORD = re.compile(rf"[^\W\d_]{{{WORD_LETTERS_MAX + 1},}}")
_STRETCHED = re.compile(r"\b(?=[^\W\d_]*?([^\W\d_])(?i:\1){2})[^\W\d_]++\b")
_RUN = re.compile(r"([^\W\d_])(?i:\1){2,}")
_SOUNDS = (
    ("s+h+", "ʃʃʃ"),
    ("b+r{2,}", "bɹˈɜɹ"),
    ("g+r{2,}", "ɡɹˈɜɹ"),
    ("z{2,}", "zzz"),
    ("b+z{2,}t?", "bˈʌzz"),
    ("p+s+h+", "pʃˈʌ"),
    ("p+f{2,}", "pfˈʌ"),
    ("p+f+t+", "pft"),
    ("t+s{2,}", "tsˈɪs"),
    ("h+m+p+h+", "hˈʌmf"),
    ("h+m{4,}", "hmmm"),
    ("m+h+m{2,}", "mhˈʌm"),
    ("m+w+a+h+", "mwˈɑ"),
    ("r{3,}", "ɹˈɜɹ"),
    ("s{3,}", "sss"),
    ("f{3,}", "fff"),
    ("n{3,}", "nˈʌn"),
    ("u+h+m+", "ˈʌm"),
)
"""Sounds without a vowel or with letters repeated, and their phonemes."""
_INTERJECTIONS = tuple(
    (re.compile(rf"(?<![\w'-])(?:{pattern})(?![\w'-])", re.IGNORECASE), phonemes)
    for pattern, phonemes in _SOUNDS
)
_INTERJECTION = re.compile(
    rf"(?<![\w'-])(?:{'|'.join(pattern for pattern, _ in _SOUNDS)})(?![\w'-])", re.IGNORECASE
)
"""All of them in one pass, which takes an eighth of the time."""


_TRIPLE = re.compile(r"(\w)\1\1")
_VOWELLESS = re.compile(r"(?<![\w'-])(?:[b-df-hj-np-tv-xz]{2,}|m+w+a+h+|u+h+m+)(?![\w'-])")
"""Superset of the sounds in lower case; a search for it takes a third of the time."""


def is_needed(text: str) -> bool:
    """Tell whether a text of Latin letters has a word that is respelt.

    Letters whose lower case is two characters, such as `İ`, hide a run of letters from it.
    """
    folded = text.casefold()
    if max(map(len, text.split()), default=0) > WORD_LETTERS_MAX and _LONG_WORD.search(text):
        return True
    if _TRIPLE.search(folded) and _STRETCHED.search(text):
        return True
    return _VOWELLESS.search(folded) is not None and _INTERJECTION.search(text) is not None


def respelt(text: str, notices: list[str]) -> str:
    """Respell interjections, stretched words and words that the front end would cut.

    >>> respelt("Shh! Noooo!", [])
    '[Shh](/ʃʃʃ/)! No!'
    """

    def parted(found: re.Match[str]) -> str:
        if _lexicon()(found[0]):
            return found[0]
        notices.append(f"a word of {len(found[0])} letters is spoken in parts")
        return " ".join(_parts(found[0]))

    text = _LONG_WORD.sub(parted, _STRETCHED.sub(lambda found: _unstretched(found[0]), text))
    for pattern, phonemes in _INTERJECTIONS:
        text = pattern.sub(functools.partial(_said, phonemes=phonemes), text)
    return text


def _said(found: re.Match[str], phonemes: str) -> str:
    """A word with its phonemes, which the front end takes as they are; abbreviations in capitals stay."""
    return found[0] if found[0].isupper() and len(found[0]) > 1 else f"[{found[0]}](/{phonemes}/)"


def _unstretched(word: str) -> str:
    """A word without letters that are repeated for effect.

    >>> [_unstretched(word) for word in ("Nooooo", "goooood", "Aaaargh", "VIII", "www")]
    ['No', 'good', 'Aargh', 'VIII', 'www']
    """
    if word.isupper() or word.lower() == "www" or not _is_stretched(word):
        return word
    for limit in (2, 1):
        candidate = _RUN.sub(lambda found: found[0][:limit], word)  # noqa: B023 - used before it changes
        if candidate.lower() in _STRETCHABLE or candidate.lower() in common_words():
            return candidate
    return _RUN.sub(lambda found: found[0][:2], word)


def _is_stretched(word: str) -> bool:
    """True if letters repeat for effect, and not where parts of a long compound meet."""
    return len(word) <= WORD_LETTERS_MAX or len(set(word.lower())) < len(word) // 3


_STRETCHABLE = words_of("no so oh ah hi hey yes yeah ow aw yay wow please hello mom dad mum the okay")


@functools.cache
def _lexicon() -> Callable[[str], bool]:
    """A test for words that the front end has in its lexicon; loaded for the first very long word."""
    from hibari.g2p import G2P

    lexicon = G2P(oov=False).lexicon
    return lambda word: bool(lexicon.is_known(word.lower(), "NN"))


def _parts(word: str) -> list[str]:
    """A long word in parts of about a dozen letters, cut between consonants where there are two.

    >>> _parts("Donaudampfschifffahrtsgesellschaft")
    ['Donaudampf', 'schifffahrts', 'gesellschaft']
    """
    parts, rest = [], word
    while len(rest) > _PART_LETTERS + 2:
        parts.append(rest[: (cut := _cut(rest))])
        rest = rest[cut:]
    return [*parts, rest]


def _cut(word: str) -> int:
    best = [cut for cut in range(6, _PART_LETTERS + 3) if _may_cut(word, cut)]
    return max(best, key=lambda cut: -abs(cut - _PART_LETTERS)) if best else _PART_LETTERS


def _may_cut(word: str, cut: int) -> bool:
    """Tell whether two consonants meet that do not sound together."""
    before, after = word[cut - 1].lower(), word[cut].lower()
    together = word[cut - 1 : cut + 1].lower() in _TOGETHER or word[cut - 2 : cut + 1].lower() == "sch"
    return before not in _VOWELS and after not in _VOWELS and before != after and not together


_VOWELS = "aeiouyäöüéèáàâêîôû"
_TOGETHER = words_of("""
    ch sh th ph ck gh ng sc tz wh qu st tr dr br pr kr gr fr fl pl bl kl gl sp sk hr hl hn pf ts rt lt nt nd
    mp
""")
