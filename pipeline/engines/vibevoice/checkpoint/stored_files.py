"""JSON and safetensors files, read without torch; anything else is rejected with advice.

Format of a safetensors file: eight bytes, little endian, the length of a JSON header; the header, that names
each tensor's type, shape and place; the numbers (https://github.com/huggingface/safetensors#format).
"""

import json
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from pipeline.engines.vibevoice.checkpoint.architecture import Shape
from pipeline.engines.vibevoice.dtypes import BY_STORED_NAME
from pipeline.errors import EngineError

SAMPLE_BYTES = 64
POINTER = b"version https://git-lfs"
"""First bytes of the text that Git LFS leaves in place of a file (https://git-lfs.com/spec/v1)."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Location of a tensor's elements in a file."""

    file: Path
    kind: str
    """A key of `dtypes.BY_STORED_NAME`."""
    shape: Shape
    offset: int
    """First byte, from the start of the file."""

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * BY_STORED_NAME[self.kind].array_dtype.itemsize

    def map(self) -> tuple[mmap.mmap, int]:
        """Map its pages copy-on-write; also returns the offset of the first byte in them."""
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        with self.file.open("rb") as file:
            pages = mmap.mmap(
                file.fileno(), self.offset - start + self.size_bytes, access=mmap.ACCESS_COPY, offset=start
            )
        return pages, self.offset - start

    def sample(self) -> bytes:
        """Read a few bytes from the start, the middle and the end."""
        last = max(0, self.size_bytes - SAMPLE_BYTES)
        with self.file.open("rb") as stream:
            parts = []
            for place in (0, last // 2, last):
                stream.seek(self.offset + place)
                parts.append(stream.read(min(SAMPLE_BYTES, self.size_bytes)))
        return b"".join(parts)


def refuse_pointer(path: Path) -> None:
    """Reject the pointer that Git LFS leaves in place of a file.

    Raises:
        EngineError: it is such a pointer.
    """
    with path.open("rb") as stream:
        if stream.read(len(POINTER)) == POINTER:
            raise EngineError(
                f"{path} is a Git LFS pointer in place of the file; run `git lfs pull` in {path.parent}, "
                "or download the file"
            )


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        EngineError: a Git LFS pointer, or not JSON.
    """
    refuse_pointer(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as reason:
        raise EngineError(f"{path} is damaged: it is not JSON; download it again") from reason


def read_tensors(file: Path) -> dict[str, Tensor]:
    """List the tensors of a safetensors file by name. Only its header is read.

    Raises:
        EngineError: a Git LFS pointer, a damaged header, or an unsupported type.
    """
    refuse_pointer(file)
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= size - 8:
            raise EngineError(
                f"{file} is damaged: it has {size} bytes, and its header alone should have {length}; "
                "download it again"
            )
        try:
            header = json.loads(stream.read(length))
        except ValueError as reason:
            raise EngineError(f"{file} is damaged: its header is not JSON; download it again") from reason
    return {
        name: _tensor(file, name, entry, 8 + length)
        for name, entry in header.items()
        if name != "__metadata__"
    }


def truncated(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """Yield a sentence for every file that ends before its last tensor does."""
    ends: dict[Path, int] = {}
    for tensor in tensors.values():
        ends[tensor.file] = max(ends.get(tensor.file, 0), tensor.offset + tensor.size_bytes)
    for file, end in ends.items():
        if (size := file.stat().st_size) < end:
            yield (
                f"{file.name} has {size} bytes and should have {end}: the download is incomplete; "
                "run it again"
            )


def _tensor(file: Path, name: str, entry: Mapping[str, Any], data: int) -> Tensor:
    if entry["dtype"] not in BY_STORED_NAME:
        raise EngineError(
            f"{file}: the tensor {name} is of type {entry['dtype']}, a quantised or foreign checkpoint; "
            "use the one in bfloat16"
        )
    return Tensor(file, entry["dtype"], tuple(entry["shape"]), data + entry["data_offsets"][0])
