"""A checkpoint on disk: found, read without torch, and known by a hash.

Format of a safetensors file: eight bytes, little endian, the length of a JSON header; the header, that names
each tensor's type, shape and place; the numbers (https://github.com/huggingface/safetensors#format).
"""

import hashlib
import json
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from pipeline.engines.vibevoice.checkpoint.architecture import Architecture, Shape
from pipeline.engines.vibevoice.checkpoint.architecture import read as read_architecture
from pipeline.errors import EngineError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
FILES = ("*.safetensors", "*.json", "*.jinja")
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
SAMPLE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor's numbers lie."""

    file: Path
    kind: str
    """A key of `ITEM_BYTES`."""
    shape: Shape
    offset: int
    """First byte, from the start of the file."""

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * ITEM_BYTES[self.kind]

    def map(self) -> tuple[mmap.mmap, int]:
        """Its pages, private to this process and read when touched, and the first byte's place in them."""
        start = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        with self.file.open("rb") as file:
            pages = mmap.mmap(
                file.fileno(), self.offset - start + self.size_bytes, access=mmap.ACCESS_COPY, offset=start
            )
        return pages, self.offset - start


@dataclass(frozen=True)
class Checkpoint:
    """A folder with `config.json`, safetensors files, and a tokenizer."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @cached_property
    def architecture(self) -> Architecture:
        return read_architecture(self.config)

    @cached_property
    def generation(self) -> Mapping[str, Any]:
        """The settings that the checkpoint ships with, empty where it has none."""
        path = self.folder / "generation_config.json"
        found: Mapping[str, Any] = _json(path) if path.is_file() else {}
        return found

    @cached_property
    def hearing(self) -> Mapping[str, Any]:
        """The settings of its feature extractor, empty where it has none."""
        for name in ("processor_config.json", "preprocessor_config.json"):
            path = self.folder / name
            if path.is_file():
                read = _json(path)
                found: Mapping[str, Any] = read.get("feature_extractor", read)
                return found
        return {}

    @property
    def half(self) -> bool:
        """Whether all its numbers have sixteen bits."""
        return all(tensor.kind in ("BF16", "F16") for tensor in self.tensors.values())

    def tensor(self, name: str) -> Tensor:
        """Raises: EngineError if there is none of that name."""
        if name not in self.tensors:
            raise EngineError(f"the checkpoint in {self.folder} has no tensor {name!r}")
        return self.tensors[name]

    def problems(self) -> list[str]:
        """What keeps it from being used, one sentence each; empty if nothing does."""
        found = [f"there is no {name}" for name in ("tokenizer.json",) if not (self.folder / name).is_file()]
        for name, shape in self.architecture.shapes().items():
            if name not in self.tensors:
                found.append(f"the tensor {name} is missing")
            elif self.tensors[name].shape != shape:
                found.append(f"the tensor {name} has the shape {self.tensors[name].shape}, not {shape}")
        return found + list(self._short_files())

    def check(self) -> "Checkpoint":
        """Itself.

        Raises:
            EngineError: it is incomplete or damaged; says what is wrong first and how much more there is.
        """
        problems = self.problems()
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise EngineError(f"the checkpoint in {self.folder} can't be used: {problems[0]}{more}")
        return self

    def revision(self) -> str:
        """A hash of all that shapes the sound: its configuration, its tokenizer, its feature extractor's
        settings, its headers, and a few bytes of every tensor; the same on every machine.
        """
        digest = hashlib.sha256(json.dumps([self.config, self.hearing], sort_keys=True).encode())
        digest.update(hashlib.sha256((self.folder / "tokenizer.json").read_bytes()).digest())
        for name in sorted(self.tensors):
            tensor = self.tensors[name]
            digest.update(f"{name} {tensor.kind} {tensor.shape}".encode())
            digest.update(_sample(tensor))
        return digest.hexdigest()[:16]

    def _short_files(self) -> Iterator[str]:
        ends: dict[Path, int] = {}
        for tensor in self.tensors.values():
            ends[tensor.file] = max(ends.get(tensor.file, 0), tensor.offset + tensor.size_bytes)
        for file, end in ends.items():
            if (size := file.stat().st_size) < end:
                yield f"{file.name} has {size} bytes and should have {end}: the download is incomplete"


def open_checkpoint(model: str) -> Checkpoint:
    """The checkpoint in that folder, or of that id on the hub (from its cache, else downloaded).

    Raises:
        EngineError: there is none, or it can't be read; says what was tried and how to get one.
    """
    folder = _locate(model)
    if not (folder / "config.json").is_file():
        raise EngineError(f"{folder} is no checkpoint: it has no config.json")
    config = _json(folder / "config.json")
    read_architecture(config)
    tensors: dict[str, Tensor] = {}
    for file in _weight_files(folder):
        tensors |= _header(file)
    return Checkpoint(folder=folder, config=config, tensors=tensors)


def _locate(model: str) -> Path:
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or model.count("/") != 1:
        raise EngineError(f"no checkpoint: {model!r} is neither a folder nor an id of the form owner/name")
    return _from_hub(model)


def _from_hub(model: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as missing:
        raise EngineError(
            f"no folder {model!r}, and huggingface_hub is not installed to fetch it"
        ) from missing
    try:
        return Path(snapshot_download(model, allow_patterns=list(FILES), local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(model, allow_patterns=list(FILES)))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as reason:
        raise EngineError(
            f"no checkpoint {model!r}: there is no such folder, it is not in the hub's cache, and the hub "
            f"did not give it ({type(reason).__name__}). Fetch it where there is a network with "
            f"`hf download {model}`, or give the path of a folder that holds it"
        ) from reason


def _weight_files(folder: Path) -> list[Path]:
    index = folder / INDEX
    names = sorted(set(_json(index)["weight_map"].values())) if index.is_file() else [SINGLE]
    for name in names:
        if not (folder / name).is_file():
            raise EngineError(f"the checkpoint in {folder} lacks its weights: there is no {name}")
    return [folder / name for name in names]


def _header(file: Path) -> dict[str, Tensor]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= size - 8:
            raise EngineError(f"{file} is damaged: its header should be {length} bytes long")
        try:
            header = json.loads(stream.read(length))
        except ValueError as reason:
            raise EngineError(f"{file} is damaged: its header is no JSON") from reason
    return {
        name: _tensor(file, name, entry, 8 + length)
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _tensor(file: Path, name: str, entry: Mapping[str, Any], data: int) -> Tensor:
    if entry["dtype"] not in ITEM_BYTES:
        raise EngineError(
            f"{file}: the tensor {name} is of type {entry['dtype']}, a quantised or foreign checkpoint"
        )
    return Tensor(file, entry["dtype"], tuple(entry["shape"]), data + entry["data_offsets"][0])


def _sample(tensor: Tensor) -> bytes:
    """A few bytes from the start, the middle and the end of its numbers."""
    last = max(0, tensor.size_bytes - SAMPLE_BYTES)
    with tensor.file.open("rb") as stream:
        parts = []
        for place in (0, last // 2, last):
            stream.seek(tensor.offset + place)
            parts.append(stream.read(min(SAMPLE_BYTES, tensor.size_bytes)))
    return b"".join(parts)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as reason:
        raise EngineError(f"{path} is damaged: it is no JSON") from reason
