"""Boxes of MPEG-4 files (ISO/IEC 14496-12): their layout, without what an audiobook has in them."""

import struct
from collections.abc import Sequence

_UINT32_MAX = 0xFFFFFFFF
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""Transformation matrix that changes nothing."""


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full_box(name: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version and flags (section 4.2)."""
    return box(name, struct.pack(">I", version << 24 | flags), *content)


def descriptor(tag: int, *content: bytes) -> bytes:
    """A descriptor of at most 127 bytes (ISO/IEC 14496-1, section 8.3.3)."""
    body = b"".join(content)
    return bytes((tag, len(body))) + body


def movie_header(timescale: int, duration: int, next_track: int) -> bytes:
    version, times = _times(timescale, duration)
    rate_volume = struct.pack(">IHH8x", 0x10000, 0x100, 0)
    return full_box(
        b"mvhd", times, rate_volume, _UNITY, bytes(24), struct.pack(">I", next_track), version=version
    )


def track_header(number: int, duration: int, *, enabled: bool, volume: int) -> bytes:
    """Header of a track.

    Args:
        duration: in the movie's timescale.
        volume: 0x100 for sound, 0 for anything else.
    """
    wide = duration > _UINT32_MAX
    times = struct.pack(">QQIIQ" if wide else ">IIIII", 0, 0, number, 0, duration)
    rest = struct.pack(">8xHHHH", 0, 0, volume, 0) + _UNITY + bytes(8)
    return full_box(b"tkhd", times, rest, version=int(wide), flags=3 if enabled else 2)


def media_header(timescale: int, duration: int, language: str) -> bytes:
    """Header of a track's media; the language has three letters (ISO 639-2)."""
    version, times = _times(timescale, duration)
    first, second, third = (ord(letter) - 0x60 for letter in language)
    return full_box(b"mdhd", times, struct.pack(">HH", first << 10 | second << 5 | third, 0), version=version)


def edit_list(duration: int, media_time: int) -> bytes:
    """The part of a track's media that is played, from a sample of it on."""
    wide = duration > _UINT32_MAX
    entry = struct.pack(">QqI" if wide else ">IiI", duration, media_time, 0x10000)
    return box(b"edts", full_box(b"elst", struct.pack(">I", 1), entry, version=int(wide)))


def handler(kind: bytes, name: bytes, vendor: bytes = b"") -> bytes:
    return full_box(b"hdlr", bytes(4), kind, vendor.ljust(12, b"\0"), name + b"\0")


def own_data() -> bytes:
    """Statement that the media is in this file."""
    return box(b"dinf", full_box(b"dref", struct.pack(">I", 1), full_box(b"url ", flags=1)))


def sample_sizes(sizes: bytes) -> bytes:
    """Sizes of samples, each as 32 bits in big-endian order."""
    return full_box(b"stsz", struct.pack(">II", 0, len(sizes) // 4), sizes)


def chunk_offsets(offsets: bytes) -> bytes:
    """Places of chunks in the file, each as 64 bits in big-endian order."""
    return full_box(b"co64", struct.pack(">I", len(offsets) // 8), offsets)


def table(name: bytes, rows: Sequence[tuple[int, ...]]) -> bytes:
    """A counted table of 32-bit numbers: `stts`, `stsc`."""
    return full_box(name, struct.pack(">I", len(rows)), *(struct.pack(f">{len(row)}I", *row) for row in rows))


def _times(timescale: int, duration: int) -> tuple[int, bytes]:
    """Version, and times of creation and change, which are not stated, timescale and duration."""
    wide = duration > _UINT32_MAX
    return int(wide), struct.pack(">QQIQ" if wide else ">IIII", 0, 0, timescale, duration)
