"""Places of a page's words in its source, and marks around its sentences.

The words of a block are found by the reader that made the block, so what is left out of the speech has no
mark and no time. A sentence gets one `span` where its source is well-formed by itself, else one for each part
that is: `<p>One <em>two. Three</em> four.</p>` has four.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pipeline.books.document import HEADING, TEXT
from pipeline.books.formats.html_page import PageReader, decode_page, without_document_type
from pipeline.script import sentences

_CHARACTER = re.compile(r"&(?:#\d+|#[xX][0-9A-Fa-f]+|\w+);|.", re.DOTALL)
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)[^>]*?(/?)>|<!--.*?-->|<[?!][^>]*>", re.DOTALL)
_END_TAG = re.compile(r"</([A-Za-z][\w:.-]*)\s*>")
_START_TAG = re.compile(r"<([A-Za-z][\w:.-]*)[^>]*>")
_TAGS_MAX = 200
"""Tags in a sentence, and tries to mark it, beyond which only stretches without tags are marked."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a block."""

    text: str
    start: int
    """Place of its first character in the page's source."""
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A sentence of a block, or a part of one that can be marked by itself."""

    block: int
    """Index among the blocks of the page."""
    first: int
    """Index of its first word within the block."""
    last: int
    """Index after its last word."""
    start: int
    """Place in the source."""
    end: int


@dataclass(frozen=True, slots=True)
class MarkedPage:
    """A page and the words of its blocks."""

    source: str
    blocks: tuple[tuple[Word, ...], ...]
    """Words by block; a scene break has none."""

    def parts(self) -> list[Part]:
        """Sentences of all blocks, in order."""
        return [part for block in range(len(self.blocks)) for part in self._parts(block)]

    def _parts(self, block: int) -> Iterator[Part]:
        words, first = self.blocks[block], 0
        for sentence in sentences.split(" ".join(word.text for word in words)):
            last = first + len(sentence.split(" "))
            tags = _TAG.finditer(self.source, words[first].start, words[last - 1].end)
            simple = next(islice(tags, _TAGS_MAX, None), None) is None
            tries = iter(range(_TAGS_MAX if simple else 0))
            while first < last:
                until, place = self._longest(words, first, last, tries)
                if place:
                    yield Part(block, first, until, *place)
                first = until

    def _longest(
        self, words: Sequence[Word], first: int, last: int, tries: Iterator[int]
    ) -> tuple[int, tuple[int, int] | None]:
        """The most words from the first on that can be marked together.

        Returns:
            Index after them, and their place; None if not even the first can be marked.
        """
        start = words[first].start
        for until in range(last, first, -1):
            if next(tries, None) is None:
                break
            place = self._closed(start, words[until - 1].end)
            if place:
                return until, place
        else:
            return first + 1, None
        tag = _TAG.search(self.source, start)
        end = tag.start() if tag else len(self.source)
        until = next((index for index in range(first + 1, last) if words[index].end > end), last)
        return until, self._closed(start, words[until - 1].end)

    def _closed(self, start: int, end: int) -> tuple[int, int] | None:
        """A stretch of the source in which every element that begins ends, and the other way round.

        Tags directly before and behind it are added where that makes it so; None if it cannot be made so.
        """
        opened: list[str] = []
        for tag in _TAG.finditer(self.source, start, end):
            closing, name, empty = tag.groups()
            if not name or empty:
                continue
            if not closing:
                opened.append(name)
            elif opened and opened[-1] == name:
                opened.pop()
            else:
                before = _START_TAG.fullmatch(self.source, self.source.rfind("<", 0, start), start)
                if opened or before is None or before[1] != name:
                    return None
                start = before.start()
        for name in reversed(opened):
            behind = _END_TAG.match(self.source, end)
            if behind is None or behind[1] != name:
                return None
            end = behind.end()
        return start, end

    def marked(self, parts: Sequence[Part], names: Sequence[str]) -> str:
        """The source with a named span around each part."""
        pieces, position = [], 0
        for part, name in zip(parts, names, strict=True):
            pieces += [self.source[position : part.start], f'<span id="{name}">']
            pieces += [self.source[part.start : part.end], "</span>"]
            position = part.end
        return "".join([*pieces, self.source[position:]])


def read_marked_page(data: bytes, name: str) -> MarkedPage:
    """Read a page, which the reader of books has accepted, with the places of its words."""
    source = without_document_type(decode_page(data))
    reader = _PlaceReader(name, source)
    reader.feed(source)
    reader.close()
    reader.end()
    blocks = tuple(reader.words.get(index, ()) for index in range(len(reader.page.blocks)))
    return MarkedPage(source, blocks)


class _PlaceReader(PageReader):
    """Reader of a page that records from where the text of each block comes."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(name)
        self._source = source
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", source))]
        self._starts: list[int] = []
        """Places of the pieces of text of the block so far; -1 for a line break."""
        self.words: dict[int, tuple[Word, ...]] = {}
        """Words by the block's index."""

    def append(self, text: str) -> None:
        del self._starts[len(self.text) :]
        line, column = self.getpos()
        place = self._line_starts[line - 1] + column
        self._starts.append(-1 if self._source.startswith("<", place) else place)
        super().append(text)

    def flush(self) -> None:
        before = len(self.page.blocks)
        pieces = list(zip(self.text, self._starts[: len(self.text)], strict=True))
        super().flush()
        if len(self.page.blocks) > before and self.page.blocks[-1].kind in (TEXT, HEADING):
            self.words[len(self.page.blocks) - 1] = tuple(self._words(pieces))

    def _words(self, pieces: Sequence[tuple[str, int]]) -> Iterator[Word]:
        text, start, end = "", -1, -1
        for letter, first, last in self._letters(pieces):
            if not letter.isspace():
                text, start, end = text + letter, (start if text else first), last
            elif text:
                yield Word(text, start, end)
                text = ""
        if text:
            yield Word(text, start, end)

    def _letters(self, pieces: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int, int]]:
        """Letters of a block with their places in the source."""
        for text, place in pieces:
            if place < 0:
                yield " ", place, place
                continue
            given = iter(text)  # raised numbers are other characters than the source has
            end = self._source.find("<", place)
            for found in _CHARACTER.finditer(self._source, place, end if end >= 0 else len(self._source)):
                for _ in html.unescape(found[0]):
                    letter = next(given, None)
                    if letter is None:
                        return
                    yield letter, found.start(), found.end()
