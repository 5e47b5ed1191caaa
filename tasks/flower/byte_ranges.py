"""Byte ranges of requests (RFC 9110, section 14), for files of the store."""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
_DIGITS_MAX = 18
"""Longest number in a range; larger ones are outside of any file."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of a file."""

    start: int
    end: int
    """One after the last byte."""
    size: int
    """Bytes of the file."""
    partial: bool
    """True if a range was asked for."""

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def wanted(size: int, range_header: str | None, if_range: str | None, etag: str) -> ByteRange | None:
    """Byte range of a request, or the whole file for unsupported headers (several ranges).

    A client that has the start of another file, by `If-Range`, gets the whole one. None if the range is
    outside the file.

    >>> wanted(10, "bytes=2-4", None, "").content_range, wanted(10, "bytes=-3", None, "").content_range
    ('bytes 2-4/10', 'bytes 7-9/10')
    >>> wanted(10, "bytes=10-", None, "") is None, wanted(10, None, None, "").partial
    (True, False)
    """
    asked = _RANGE.fullmatch(range_header or "")
    if not asked or asked[0] == "bytes=-" or if_range not in (None, etag):
        return ByteRange(0, size, size, partial=False)
    first, last = (digits if len(digits) <= _DIGITS_MAX else "9" * _DIGITS_MAX for digits in asked.groups())
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    return ByteRange(start, end, size, partial=True) if start < end else None
