"""IPA to the phonemes of hibari's front end, those of misaki's American English.

Diphthongs and affricates are one letter each there, and length is not written. What English has no sound for
takes the nearest one.
"""

import re
import unicodedata

_SEQUENCES = {
    **{
        "tʃ": "ʧ",
        "t͡ʃ": "ʧ",
        "dʒ": "ʤ",
        "d͡ʒ": "ʤ",
        "eɪ": "A",
        "aɪ": "I",
        "aʊ": "W",
        "ɔɪ": "Y",
        "oʊ": "O",
        "əʊ": "O",
    },
    **{
        "ɪə": "ɪɹ",
        "eə": "ɛɹ",
        "ɛə": "ɛɹ",
        "ʊə": "ʊɹ",
        "ɜː": "ɜɹ",
        "əl": "ᵊl",
        "ei": "A",
        "ai": "I",
        "au": "W",
    },
    **{"oi": "Y", "ou": "O", "ts": "ts", "t͡s": "ts", "d͡z": "dz", "ɜr": "ɜɹ", "ɜɹ": "ɜɹ"},
}
_SINGLE = {
    **{letter: letter for letter in "bdfhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒθˈˌ "},
    **{"g": "ɡ", "r": "ɹ", "e": "A", "o": "O", "a": "ɑ", "ɚ": "əɹ", "ɝ": "ɜɹ", "ɐ": "ə", "ɒ": "ɑ", "ɘ": "ə"},
    **{"y": "i", "ø": "ɜ", "œ": "ɜ", "ɵ": "ə", "ɨ": "ɪ", "ʉ": "u", "ɯ": "u", "ɤ": "ʌ", "ɶ": "æ", "ʏ": "ɪ"},
    **{"ɾ": "T", "ʔ": "t", "ɫ": "l", "ʎ": "lj", "ɲ": "nj", "ɳ": "n", "ɴ": "ŋ", "ʀ": "ɹ", "ʁ": "ɹ", "ɻ": "ɹ"},
    **{"ɽ": "ɹ", "x": "k", "χ": "k", "ɣ": "ɡ", "ç": "h", "ʝ": "j", "β": "v", "ɸ": "f", "c": "k", "ɟ": "ɡ"},
    **{"q": "k", "ɢ": "ɡ", "ɕ": "ʃ", "ʑ": "ʒ", "ʂ": "ʃ", "ʐ": "ʒ", "ʈ": "t", "ɖ": "d", "ɬ": "l", "ʋ": "v"},
    **{"ɱ": "m", "ʍ": "w", "ɥ": "w", "ɦ": "h", "ħ": "h", "ʧ": "ʧ", "ʤ": "ʤ", "'": "ˈ", ",": "ˌ"},
}
_SILENT = frozenset("ːˑ.͡‿ʰʲʷˠˤ̩̯̥̬̪̃͜()")
_PARTS = re.compile("|".join(map(re.escape, sorted(_SEQUENCES, key=len, reverse=True))) + "|.", re.DOTALL)


def phonemes(ipa: str) -> tuple[str, list[str]]:
    """Phonemes of a word in IPA, and the characters that are no IPA.

    >>> phonemes("ˈnuːlə"), phonemes("təˈmɑːtoʊ"), phonemes("tʃɜːtʃ"), phonemes("ж")
    (('nˈulə', []), ('təmˈɑtO', []), ('ʧɜɹʧ', []), ('', ['ж']))
    """
    unknown: list[str] = []
    found = list[str]()
    for part in _PARTS.findall(unicodedata.normalize("NFD", ipa.strip()).replace("c\u0327", "\u00e7")):
        if part in _SEQUENCES:
            found.append(_SEQUENCES[part])
        elif part in _SINGLE:
            found.append(_SINGLE[part])
        elif part not in _SILENT:
            unknown.append(part)
    return _stressed("".join(found)), list(dict.fromkeys(unknown))


_ONSET = re.compile(r"([ˈˌ])([^AIOQWYaiuæɑɔəɛɜɪʊʌᵊˈˌ ]+)(?=[AIOQWYaiuæɑɔəɛɜɪʊʌᵊ])")


def _stressed(text: str) -> str:
    """Stress before the vowel, where the front end has it, and not before the syllable."""
    return _ONSET.sub(r"\2\1", text)
