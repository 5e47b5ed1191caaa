"""Alignment of recognised words with the words of a segment's lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.checking.full import normalizer
from pipeline.checking.full.normalizer import Token
from pipeline.checking.full.recognizer import HeardWord
from pipeline.checking.full.thresholds import THRESHOLDS, Thresholds


@dataclass(frozen=True, slots=True)
class ScriptToken:
    """Token of a line."""

    text: str
    line: int
    word: int
    """Index into the line's words."""


@dataclass(frozen=True, slots=True)
class Block:
    """Stretch of script tokens and the recognised tokens in its place; either may be empty."""

    first: int
    last: int
    """Script tokens [first, last)."""
    heard_first: int
    heard_last: int
    """Recognised tokens [heard_first, heard_last)."""
    likeness: float
    """1 for the same words, 0 to 1 for words that differ."""
    errors: int
    """Word errors by the usual count: substitutions, deletions and insertions in canonical form."""

    @property
    def words(self) -> int:
        """Length: the longer side."""
        return max(self.last - self.first, self.heard_last - self.heard_first)


@dataclass(frozen=True, slots=True)
class Alignment:
    """Blocks that cover the script and the recognised words, in order."""

    script: Sequence[ScriptToken]
    heard: Sequence[Token]
    """Tokens, with indices into `words`."""
    words: Sequence[HeardWord]
    blocks: Sequence[Block]

    @property
    def errors(self) -> int:
        return sum(block.errors for block in self.blocks)

    def diverging(self, thresholds: Thresholds = THRESHOLDS) -> int:
        """Number of words that were not heard as written, or nearly so."""
        return sum(block.words for block in self.blocks if block.likeness < thresholds.alike_min)

    def script_text(self, first: int, last: int) -> list[str]:
        """Texts of the script tokens [first, last)."""
        return [token.text for token in self.script[first:last]]

    def heard_text(self, first: int, last: int) -> list[str]:
        """Texts of the recognised tokens [first, last)."""
        return [token.text for token in self.heard[first:last]]

    def start_s(self, heard: int) -> float:
        """Start of a recognised token, or the end of the last one."""
        if heard < len(self.heard):
            return self.words[self.heard[heard].word].start_s
        return self.end_s(heard)

    def end_s(self, heard: int) -> float:
        """End of the recognised token before an index; 0 at the start."""
        return self.words[self.heard[heard - 1].word].end_s if heard else 0.0


def script_tokens(lines: Sequence[str], language: str) -> list[ScriptToken]:
    """Tokens of a segment's lines."""
    return [
        ScriptToken(token.text, number, token.word)
        for number, text in enumerate(lines)
        for token in normalizer.tokens(text.split(), language)
    ]


def align(script: Sequence[ScriptToken], words: Sequence[HeardWord], language: str) -> Alignment:
    """Align recognised words with script tokens by their Levenshtein distance."""
    from rapidfuzz.distance import Levenshtein

    heard = normalizer.tokens([word.text for word in words], language)
    written_text, heard_text = [token.text for token in script], [token.text for token in heard]
    blocks: list[Block] = []
    differing: tuple[int, int, int, int] | None = None
    for step in Levenshtein.opcodes(written_text, heard_text):
        if step.tag == "equal":
            if differing:
                blocks.append(_compared(differing, written_text, heard_text, language))
            differing = None
            blocks.append(Block(step.src_start, step.src_end, step.dest_start, step.dest_end, 1.0, 0))
        elif differing:
            differing = differing[0], step.src_end, differing[2], step.dest_end
        else:
            differing = step.src_start, step.src_end, step.dest_start, step.dest_end
    if differing:
        blocks.append(_compared(differing, written_text, heard_text, language))
    return Alignment(script, heard, words, blocks)


def _compared(
    place: tuple[int, int, int, int], written: Sequence[str], heard: Sequence[str], language: str
) -> Block:
    """Compare a differing stretch in canonical form."""
    from rapidfuzz.distance import Levenshtein

    first, last, heard_first, heard_last = place
    there, found = written[first:last], heard[heard_first:heard_last]
    likeness = normalizer.spoken_alike(there, found, language)
    if likeness == 1.0:
        return Block(*place, 1.0, 0)
    errors = Levenshtein.distance(
        *(normalizer.canonical_words(" ".join(part), language) for part in (there, found))
    )
    return Block(*place, likeness, max(1, errors))
