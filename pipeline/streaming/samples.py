"""Samples of a finished take, read in ranges.

The checksum covers the whole artifact, so it is verified once, block by block; then each span is read alone.
A slow reader so holds one span in memory, and not a segment of minutes.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Samples
from pipeline.errors import MissingArtifactError
from pipeline.jobs.artifacts import take_name
from pipeline.store.artifacts import Store, header

_BLOCK = 1 << 20
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class SampleFile:
    """Verified artifact of a take's samples."""

    store: Store
    name: str
    offset: int
    """First byte of the samples."""
    samples: int

    def read(self, start: int, count: int) -> Samples:
        """Read samples [start, start + count), float32.

        Raises:
            MissingArtifactError: it was removed meanwhile.
        """
        first = self.offset + start * _FLOAT_BYTES
        data = self.store.objects.read_range(self.name, first, first + count * _FLOAT_BYTES)
        if data is None or len(data) != count * _FLOAT_BYTES:
            raise MissingArtifactError(self.name)
        return np.frombuffer(data, "<f4")


def open_samples(store: Store, key: str, take: int) -> SampleFile:
    """Verify the samples of a take.

    Raises:
        MissingArtifactError: they are missing or damaged.
    """
    name = take_name(key, take, "audio")
    size = store.objects.size(name)
    start = store.objects.read_range(name, 0, min(size or 0, _BLOCK))
    if size is None or start is None:
        raise MissingArtifactError(name)
    head, newline, rest = start.partition(b"\n")
    begin = len(head) + len(newline)
    digest = hashlib.sha256(rest)
    for position in range(len(start), size, _BLOCK):
        digest.update(store.objects.read_range(name, position, min(size, position + _BLOCK)) or b"")
    if head != header(digest.hexdigest(), size - begin):
        raise MissingArtifactError(name)
    length = int.from_bytes(rest[:8], "little")
    described = json.loads(rest[8 : 8 + length])["samples"]
    first, end = described["data_offsets"]
    if described["dtype"] != "F32":
        raise MissingArtifactError(name)
    return SampleFile(store, name, begin + 8 + length + first, (end - first) // _FLOAT_BYTES)
