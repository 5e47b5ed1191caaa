"""Levelled samples of one segment after another.

Every voice has the target level in every segment, so gains are fixed by voice and segment. A file lowers all
voices for a peak somewhere in it; here peaks are limited instead, since another level in every segment would
be heard. Pauses are the finished file's.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from pipeline.arrays import Samples
from pipeline.planning.records import PlannedSegment, SegmentAudio
from pipeline.stitching.loudness import LoudnessTargets
from pipeline.stitching.mixer import PAUSES, Mix
from pipeline.stitching.timeline import lay_out

Segment = tuple[PlannedSegment, SegmentAudio | None]
"""A segment and its audio; None is a gap."""
_TARGETS = LoudnessTargets(yield_db=0.0)
_BLOCK_S = 4


def blocks(
    before: Segment | None,
    segment: Segment,
    read: Callable[[int, int], Samples],
    *,
    sample_rate_hz: int,
    words_per_s: float,
) -> Iterator[Samples]:
    """Yield the samples of a segment, and the pause before it, in blocks of a few seconds or less.

    Args:
        before: the segment before it; None for the first.
        read: reads samples of the segment's audio by start and count.
        words_per_s: length of a gap.
    """
    both = [segment] if before is None else [before, segment]
    timeline = lay_out(both, pauses=PAUSES, sample_rate_hz=sample_rate_hz, words_per_s=words_per_s)
    own = tuple(item for item in timeline.items if item.segment == len(both) - 1)
    earlier = [item for item in timeline.items if item.segment < len(both) - 1]
    position = earlier[-1].start + earlier[-1].samples if earlier else 0
    mix = Mix(replace(timeline, items=own), _TARGETS)
    for item in own:
        yield from _silence(item.start - position, sample_rate_hz)
        if item.span is None:
            yield from _silence(item.samples, sample_rate_hz)
        else:
            levelled = mix.samples(item, read(item.span.start, item.span.samples))
            for start in range(0, len(levelled), _BLOCK_S * sample_rate_hz):
                yield levelled[start : start + _BLOCK_S * sample_rate_hz]
        position = item.start + item.samples


def _silence(samples: int, sample_rate_hz: int) -> Iterator[Samples]:
    for start in range(0, samples, _BLOCK_S * sample_rate_hz):
        yield np.zeros(min(_BLOCK_S * sample_rate_hz, samples - start), np.float32)
