"""Limits of foreign files: bytes that are unpacked, and time that is spent."""

import time

from pipeline.errors import ScriptError

BOOK_BYTES_MAX = 64 << 20
"""Size of a book's file."""
UNPACKED_BYTES_MAX = 64 << 20
"""Bytes that are read from an archive, all members together."""
PAGE_BYTES_MAX = 16 << 20
"""Size of one page (XHTML, HTML, the body of a DOCX), about 2.5 million words."""
XML_BYTES_MAX = 4 << 20
"""Size of a package or a table of contents."""
COVER_BYTES_MAX = 8 << 20
COVER_PIXELS_MAX = 64_000_000
READING_MAX_S = 4.0
"""Processor time, so that a busy machine refuses no book that an idle one reads."""


class Budget:
    """Bytes and seconds that the reading of one book may take."""

    def __init__(self, unpacked_bytes: int = UNPACKED_BYTES_MAX, reading_s: float = READING_MAX_S) -> None:
        self.left, self.limit_s = unpacked_bytes, reading_s
        self._until = time.thread_time() + reading_s

    def take(self, size: int) -> None:
        """Count bytes that were unpacked.

        Raises:
            ScriptError: there were too many.
        """
        self.left -= size
        if self.left < 0:
            raise ScriptError(1, f"the book unpacks to more than {UNPACKED_BYTES_MAX:,} bytes")
        self.check_time()

    def check_time(self) -> None:
        """Check the time that is left.

        Raises:
            ScriptError: reading took too long.
        """
        if time.thread_time() > self._until:
            raise ScriptError(1, f"the book takes more than {self.limit_s:g} s of processor time to read")
