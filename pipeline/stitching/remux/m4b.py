"""Audiobooks in MPEG-4 (M4B): AAC packets, chapters, metadata and cover.

Packets come encoded, so a run that was encoded before is copied. FFmpeg's muxer takes each packet as an
object, and holds a record of 64 bytes for it until the end; here a packet costs four bytes. The tables are in
front of the sound (the length gives their size), so that players begin before they have the whole file.

Boxes are those of ISO/IEC 14496-12 and 14496-14; chapters are a text track (QuickTime File Format, "Chapter
lists") and, for players that do not know it, Nero's list; metadata is Apple's.
"""

import struct
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.stitching.remux import boxes
from pipeline.stitching.remux.encoded_run import AAC, AAC_FRAME, EncodedRun
from pipeline.stitching.tags import Tags, language_code

_CHUNK = 32
"""Packets of a chunk, about a second."""
_AUDIO, _CHAPTERS = 1, 2
"""Numbers of the tracks."""
_CHAPTER_TIMESCALE = 1000
_NERO_MAX = 255
_AUDIOBOOK = 2
"""Media type of an audiobook."""
_UTF8, _JPEG, _PNG, _INTEGER = 1, 13, 14, 21
_NAMES = {
    "title": b"\xa9nam",
    "artist": b"\xa9ART",
    "album_artist": b"aART",
    "album": b"\xa9alb",
    "genre": b"\xa9gen",
    "grouping": b"\xa9grp",
    "comment": b"\xa9cmt",
}
_BOX_BYTES = 8
_SPARE_BYTES = 64
"""Room beyond the expected tables; one of chunks has another row if there are fewer packets."""
_MDAT_HEADER_BYTES = 16
_TEXT_ENCODING = struct.pack(">I4sI", 12, b"encd", 0x100)
_TEXT_STYLE = struct.pack(">I2x4x8x4xHH4x", 1, 1, 0) + struct.pack(">I4sHHB", 13, b"ftab", 1, 1, 0)
"""Rest of a text track's sample entry: one font, no style."""


class M4bFile:
    """Audiobook being written.

    Args:
        samples: of the whole file; at most so many are written.
        config: AudioSpecificConfig of the packets.
    """

    def __init__(self, path: Path, sample_rate_hz: int, samples: int, tags: Tags, config: bytes) -> None:
        self._rate, self._tags, self._config = sample_rate_hz, tags, config
        self._sizes = array("I")
        self._titles = [_title(chapter.title) for chapter in tags.chapters]
        self._sound_at = 0
        self._file: BinaryIO = path.open("wb")
        brand = boxes.box(b"ftyp", b"M4B ", struct.pack(">I", 0x200), b"M4B M4A mp42isom")
        self._file.write(brand)
        self._tables_at = len(brand)
        packets = -(-samples // AAC_FRAME) + 1
        self._room = len(self._tables(array("I", bytes(4 * packets)), samples)) + _SPARE_BYTES
        self._sound_at = self._tables_at + self._room + _MDAT_HEADER_BYTES
        self._file.seek(self._sound_at)
        for title in self._titles:
            self._file.write(title)

    def write(self, packets: Iterable[bytes]) -> None:
        """Add packets behind the others."""
        for packet in packets:
            self._file.write(packet)
            self._sizes.append(len(packet))

    def append(self, run: EncodedRun) -> None:
        """Add a run behind the others, in place of their last packet, which is for the end of a file."""
        if self._sizes:
            self._file.seek(-self._sizes.pop(), 1)
        self._file.write(run.data)
        self._sizes.extend(run.sizes)

    def close(self, samples: int) -> None:
        """Write the tables.

        Args:
            samples: that were encoded.
        """
        end = self._file.tell()
        tables = self._tables(self._sizes, samples)
        free = self._room - len(tables)
        self._file.seek(self._tables_at)
        self._file.write(tables + boxes.box(b"free", bytes(free - _BOX_BYTES)))
        self._file.write(struct.pack(">I4sQ", 1, b"mdat", end - self._sound_at + _MDAT_HEADER_BYTES))
        self._file.truncate(end)
        self._file.close()

    def _tables(self, sizes: "array[int]", samples: int) -> bytes:
        tracks = [self._sound(sizes, samples)]
        if self._titles:
            tracks.append(self._chapters(samples))
        user = [_metadata(self._tags)]
        if self._titles:
            user.append(_nero(self._tags))
        return boxes.box(
            b"moov",
            boxes.movie_header(self._rate, samples, len(tracks) + 1),
            *tracks,
            boxes.box(b"udta", *user),
        )

    def _sound(self, sizes: "array[int]", samples: int) -> bytes:
        """Track of the sound. The encoder's first frame, which is before the first sample, is not played."""
        media = boxes.box(
            b"mdia",
            boxes.media_header(self._rate, samples + AAC_FRAME if sizes else 0, _language(self._tags)),
            boxes.handler(b"soun", b"SoundHandler"),
            boxes.box(
                b"minf",
                boxes.full_box(b"smhd", bytes(4)),
                boxes.own_data(),
                self._packets(np.asarray(sizes, np.uint32), samples),
            ),
        )
        chapters = boxes.box(b"chap", struct.pack(">I", _CHAPTERS))
        return boxes.box(
            b"trak",
            boxes.track_header(_AUDIO, samples, enabled=True, volume=0x100),
            boxes.edit_list(samples, AAC_FRAME),
            boxes.box(b"tref", chapters) if self._titles else b"",
            media,
        )

    def _packets(self, sizes: npt.NDArray[np.uint32], samples: int) -> bytes:
        """Tables of the packets' lengths, sizes and places."""
        count = len(sizes)
        begins = self._sound_at + sum(map(len, self._titles)) + np.cumsum(sizes, dtype=np.uint64) - sizes
        full, rest = divmod(count, _CHUNK)
        last = samples + AAC_FRAME - (count - 1) * AAC_FRAME
        return boxes.box(
            b"stbl",
            boxes.full_box(b"stsd", struct.pack(">I", 1), self._aac()),
            boxes.table(b"stts", [(count - 1, AAC_FRAME), (1, last)] if count else []),
            boxes.table(b"stsc", [(1, _CHUNK, 1)] * bool(full) + [(full + 1, rest, 1)] * bool(rest)),
            boxes.sample_sizes(sizes.astype(">u4").tobytes()),
            boxes.chunk_offsets(begins[::_CHUNK].astype(">u8").tobytes()),
            boxes.full_box(b"sgpd", b"roll", struct.pack(">IIh", 2, 1, -1), version=1),
            boxes.full_box(b"sbgp", b"roll", struct.pack(">III", 1, count, 1)),
        )

    def _aac(self) -> bytes:
        """Sample entry of AAC (ISO/IEC 14496-14, section 5.6)."""
        stream = struct.pack(">BBHBII", 0x40, 0x15, 0, 0, AAC.bit_rate, AAC.bit_rate)
        decoder = boxes.descriptor(4, stream, boxes.descriptor(5, self._config))
        elementary = boxes.descriptor(3, struct.pack(">HB", _AUDIO, 0), decoder, boxes.descriptor(6, b"\2"))
        sound = struct.pack(">6xH8xHHHHI", 1, 1, 16, 0, 0, self._rate << 16)
        return boxes.box(b"mp4a", sound, boxes.full_box(b"esds", elementary))

    def _chapters(self, samples: int) -> bytes:
        """Text track of the chapters; its samples are in front of the sound, in one chunk."""
        marks = [round(chapter.start_s * _CHAPTER_TIMESCALE) for chapter in self._tags.chapters]
        end = max(round(samples / self._rate * _CHAPTER_TIMESCALE), marks[-1])
        durations = [after - start for start, after in zip(marks, [*marks[1:], end], strict=True)]
        sizes = struct.pack(f">{len(self._titles)}I", *map(len, self._titles))
        entry = boxes.box(b"text", struct.pack(">6xH", 1), _TEXT_STYLE)
        table = boxes.box(
            b"stbl",
            boxes.full_box(b"stsd", struct.pack(">I", 1), entry),
            boxes.table(b"stts", [(1, duration) for duration in durations]),
            boxes.table(b"stsc", [(1, len(self._titles), 1)]),
            boxes.sample_sizes(sizes),
            boxes.chunk_offsets(struct.pack(">Q", self._sound_at)),
        )
        base = boxes.full_box(b"gmin", struct.pack(">HHHHHH", 0x40, 0x8000, 0x8000, 0x8000, 0, 0))
        text = boxes.box(b"text", struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
        media = boxes.box(
            b"mdia",
            boxes.media_header(_CHAPTER_TIMESCALE, sum(durations), _language(self._tags)),
            boxes.handler(b"text", b"Chapters"),
            boxes.box(b"minf", boxes.box(b"gmhd", base, text), boxes.own_data(), table),
        )
        return boxes.box(b"trak", boxes.track_header(_CHAPTERS, samples, enabled=False, volume=0), media)


def _language(tags: Tags) -> str:
    return language_code(tags.language) if tags.language else "und"


def _title(text: str) -> bytes:
    """A text track's sample."""
    encoded = text.encode()[:0xFFFF].decode(errors="ignore").encode()
    return struct.pack(">H", len(encoded)) + encoded + _TEXT_ENCODING


def _metadata(tags: Tags) -> bytes:
    named = tags.named()
    items = [_item(_NAMES[name], _UTF8, text.encode()) for name, text in named.items() if name in _NAMES]
    items += [_item(b"\xa9too", _UTF8, b"voxchord"), _item(b"stik", _INTEGER, bytes((_AUDIOBOOK,)))]
    if tags.track:
        number, _, of = tags.track.partition("/")
        items.append(_item(b"trkn", 0, struct.pack(">2xHH2x", int(number), int(of or 0))))
    if tags.cover:
        items.append(_item(b"covr", _PNG if tags.cover_type == "image/png" else _JPEG, tags.cover))
    return boxes.full_box(b"meta", boxes.handler(b"mdir", b"", b"appl"), boxes.box(b"ilst", *items))


def _item(name: bytes, kind: int, content: bytes) -> bytes:
    return boxes.box(name, boxes.box(b"data", struct.pack(">II", kind, 0), content))


def _nero(tags: Tags) -> bytes:
    """Nero's list of chapters, which has 255 at most."""
    listed = tags.chapters[:_NERO_MAX]
    entries = [(round(chapter.start_s * 10_000_000), _short(chapter.title)) for chapter in listed]
    marks = [struct.pack(">QB", start, len(title)) + title for start, title in entries]
    return boxes.full_box(b"chpl", struct.pack(">IB", 0, len(marks)), *marks, version=1)


def _short(title: str) -> bytes:
    """A title of at most 255 bytes."""
    return title.encode()[:255].decode(errors="ignore").encode()
