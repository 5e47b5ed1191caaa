"""FLAC files with tags, chapters and a cover, which libsndfile cannot write.

libsndfile writes through this file. Metadata blocks are inserted behind the first one, STREAMINFO, when it
has been written; what comes later is shifted. STREAMINFO itself, which libsndfile completes at the end, stays
in its place, so nothing is written twice (RFC 9639, section 8).
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from pipeline.stitching.tags import Tags, comment_block, picture_block

_HEADER_BYTES = 4 + 4 + 34
"""The mark `fLaC`, and STREAMINFO with its header."""
_COMMENT, _PICTURE = 4, 6
_BLOCK_BYTES_MAX = 0xFFFFFF


class FlacFile:
    """File object for libsndfile."""

    def __init__(self, path: Path, tags: Tags) -> None:
        self._file: BinaryIO = path.open("wb")
        blocks = [(_COMMENT, comment_block("voxchord", tags.vorbis()))]
        if tags.cover:
            blocks.append((_PICTURE, picture_block(tags.cover, tags.cover_type)))
        self._inserted = b"".join(
            struct.pack(">I", kind << 24 | len(body)) + body
            for kind, body in blocks
            if len(body) <= _BLOCK_BYTES_MAX
        )
        self._position = self._size = 0
        """Without the inserted blocks."""

    def write(self, data: bytes) -> int:
        """Write at the position, as libsndfile counts it."""
        data = bytes(data)
        first = data[: max(0, _HEADER_BYTES - self._position)]
        rest = data[len(first) :]
        if first:
            self._file.seek(self._position)
            self._file.write(first)
        if rest:
            if self._size <= _HEADER_BYTES:
                self._file.seek(_HEADER_BYTES)
                self._file.write(self._inserted)
            self._file.seek(self._position + len(first) + len(self._inserted))
            self._file.write(rest)
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def close(self) -> None:
        self._file.close()
