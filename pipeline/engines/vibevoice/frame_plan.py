"""How long a segment will be, known before it is spoken."""

import math

FRAMES_PER_WORD = 2.4
"""At 7.5 frames a second, about 190 words a minute."""
FRAMES_MIN = 8
RUNAWAY = 2.0
"""A segment is cut at so many times its expected length, and no sooner than ten seconds."""
FRAMES_CAP_MIN = 75


def frames(words: float) -> tuple[int, int]:
    """Expected frames, and the most that will be decoded.

    >>> frames(200)
    (480, 960)
    """
    expected = max(FRAMES_MIN, math.ceil(words * FRAMES_PER_WORD))
    return expected, max(FRAMES_CAP_MIN, math.ceil(expected * RUNAWAY))
