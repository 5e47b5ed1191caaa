"""Media overlays: the clips of a page, and its SMIL document (EPUB 3.3, section 9)."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.books.read_along.marks import MarkedPage, Part
from pipeline.books.read_along.timing import SpokenWord, times_of


@dataclass(frozen=True, slots=True)
class Clip:
    """A marked part of a page and its time in the audio."""

    part: Part
    name: str
    """ID of its element."""
    start_s: float
    end_s: float


def clips_of(
    page: MarkedPage, spoken: Mapping[int, Sequence[SpokenWord]], *, first_line: int, first_name: int
) -> list[Clip]:
    """Clips of a page, in order; what is not spoken has none.

    Args:
        spoken: words by line.
        first_line: line of the page's first block.
        first_name: number of the first ID.
    """
    times = {
        block: times_of([word.text for word in words], spoken[first_line + block])
        for block, words in enumerate(page.blocks)
        if words and first_line + block in spoken
    }
    clips: list[Clip] = []
    for part in page.parts():
        found = [time for time in times.get(part.block, ())[part.first : part.last] if time]
        if found:
            name = f"voxchord-{first_name + len(clips)}"
            end_s = max(end_s for _, end_s in found)
            clips.append(Clip(part, name, round(found[0][0], 3), round(end_s, 3)))
    return clips


def ends_of(clips: Sequence[Clip], after_s: float) -> list[float]:
    """Ends of clips such that each lasts up to the next one, so that no pause is cut out.

    Args:
        after_s: start of the first clip of the next page, or the end of the audio.
    """
    following = [*(clip.start_s for clip in clips[1:]), after_s]
    return [max(clip.end_s, next_s) for clip, next_s in zip(clips, following, strict=True)]


def smil(page: str, audio: str, clips: Sequence[Clip], ends_s: Sequence[float]) -> str:
    """The SMIL document of a page.

    Args:
        page, audio: references from the document.
    """
    pars = "".join(
        f'<par id="p{number}"><text src={quoted(f"{page}#{clip.name}")}/>'
        f"<audio src={quoted(audio)} clipBegin={_clock(clip.start_s)} clipEnd={_clock(end_s)}/></par>\n"
        for number, (clip, end_s) in enumerate(zip(clips, ends_s, strict=True), 1)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<smil xmlns="http://www.w3.org/ns/SMIL" version="3.0">\n'
        f"<body>\n{pars}</body>\n</smil>\n"
    )


def quoted(value: str) -> str:
    """A value of an attribute, in quotation marks."""
    return f'"{html.escape(value)}"'


def clock(seconds: float) -> str:
    """A time as EPUB has it, in milliseconds.

    >>> clock(83.0426)
    '83.043s'
    """
    return f"{seconds:.3f}s"


def _clock(seconds: float) -> str:
    return f'"{clock(seconds)}"'
