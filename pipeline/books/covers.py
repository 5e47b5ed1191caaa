"""Covers: the type and the size of a picture by its first bytes. No pixel is decoded."""

import struct

from pipeline.books.document import Cover
from pipeline.books.limits import COVER_PIXELS_MAX
from pipeline.errors import ScriptError

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of JPEG frames, which state the size (ITU-T T.81, table B.1)."""


def checked(data: bytes) -> Cover:
    """Recognise a JPEG or PNG picture of a size that players show.

    Raises:
        ScriptError: another format, a damaged header, or too many pixels.
    """
    width, height = picture_size(data)
    if not width * height:
        raise ScriptError(1, "it is neither JPEG nor PNG, or its header is damaged")
    if width * height > COVER_PIXELS_MAX:
        raise ScriptError(1, f"it states {width:,} x {height:,} pixels")
    return Cover(data, "image/png" if data.startswith(_PNG) else "image/jpeg")


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG or JPEG picture; (0, 0) for anything else."""
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    position = 2 if data.startswith(b"\xff\xd8\xff") else len(data)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 2 + max(length, 2)
    return 0, 0
