"""Frame plan: the expected and the largest number of frames of a segment, from its words."""

import math

FRAMES_PER_WORD = 2.4
"""Frames per word; at 7.5 frames a second, about 190 words a minute."""
FRAMES_MIN = 8
RUNAWAY = 2.0
"""Factor of the expected length at which a segment is cut, but not before ten seconds."""
FRAMES_CAP_MIN = 75


def frames(words: float) -> tuple[int, int]:
    """Plan the frames of a number of words: expected, and most that will be decoded.

    >>> frames(200)
    (480, 960)
    """
    expected = max(FRAMES_MIN, math.ceil(words * FRAMES_PER_WORD))
    return expected, max(FRAMES_CAP_MIN, math.ceil(expected * RUNAWAY))
