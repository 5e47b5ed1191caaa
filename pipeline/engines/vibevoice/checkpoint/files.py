"""A checkpoint on disk: found, read without torch, and known by a hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.engines.vibevoice.checkpoint import original, source
from pipeline.engines.vibevoice.checkpoint.adapter import Adapter, is_adapter, open_adapter
from pipeline.engines.vibevoice.checkpoint.architecture import MODEL_TYPE, Architecture, Config
from pipeline.engines.vibevoice.checkpoint.architecture import read as read_architecture
from pipeline.engines.vibevoice.checkpoint.stored_files import (
    Tensor,
    read_json,
    read_tensors,
    refuse_pointer,
    truncated,
)
from pipeline.errors import EngineError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
TOKENIZER = "tokenizer.json"
SHARDS_NAMED = 3


@dataclass(frozen=True)
class Checkpoint:
    """A folder with `config.json`, safetensors files, and a tokenizer."""

    folder: Path
    config: Config
    """In transformers' terms, whatever the layout."""
    tensors: Mapping[str, Tensor]
    """By their names in transformers' layout."""
    adapter: Adapter | None = None
    """Merged into the weights when they are loaded."""
    converted: bool = False
    """Set where it is in the original layout on disk."""

    @cached_property
    def architecture(self) -> Architecture:
        return read_architecture(self.config)

    @cached_property
    def generation(self) -> Config:
        """The settings that the checkpoint ships with, empty where it has none."""
        path = self.folder / "generation_config.json"
        found: Config = read_json(path) if path.is_file() else {}
        return {**original.GENERATION, **found} if self.converted else found

    @cached_property
    def hearing(self) -> Config:
        """The settings of its feature extractor, empty where it has none."""
        for name in ("processor_config.json", "preprocessor_config.json"):
            path = self.folder / name
            if path.is_file():
                read: Config = read_json(path)
                inner = "audio_processor" if self.converted else "feature_extractor"
                found: Config = read.get(inner, read)
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
        found = self._tokenizer_problems()
        shapes = self.architecture.shapes()
        for name, shape in shapes.items():
            if name not in self.tensors:
                found.append(f"the tensor {name} is missing")
            elif self.tensors[name].shape != shape:
                found.append(f"the tensor {name} has the shape {self.tensors[name].shape}, not {shape}")
        adapted = [] if self.adapter is None else self.adapter.problems(shapes)
        return [*found, *truncated(self.tensors), *adapted]

    def _tokenizer_problems(self) -> list[str]:
        path = self.folder / TOKENIZER
        if not path.is_file():
            advice = original.advice(self.folder) if self.converted else "download it"
            return [f"there is no {TOKENIZER}; {advice}"]
        try:
            refuse_pointer(path)
        except EngineError as reason:
            return [str(reason)]
        return []

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
        settings, its headers, a few bytes of every tensor, and its adapter; the same on every machine.
        """
        digest = hashlib.sha256(json.dumps([self.config, self.hearing], sort_keys=True).encode())
        digest.update(hashlib.sha256((self.folder / TOKENIZER).read_bytes()).digest())
        for name in sorted(self.tensors):
            tensor = self.tensors[name]
            digest.update(f"{name} {tensor.kind} {tensor.shape}".encode())
            digest.update(tensor.sample())
        if self.adapter is not None:
            digest.update(self.adapter.revision.encode())
        return digest.hexdigest()[:16]


def open_checkpoint(model: str) -> Checkpoint:
    """The checkpoint in that folder, or of that id on the hub (from its cache, else downloaded), with the
    adapter that the name may have (`source.parse`).

    Raises:
        EngineError: there is none, or it can't be read; says what was tried and how to get one.
    """
    named = source.parse(model)
    folder = source.locate(named.base)
    config = _config(folder)
    tensors: dict[str, Tensor] = {}
    for file in _weight_files(folder):
        tensors |= read_tensors(file)
    adapter = None
    if named.adapter is not None:
        place = source.locate(named.adapter, "adapter", source.ADAPTER_FILES)
        adapter = open_adapter(place, named.scale)
    if not original.is_original(config):
        return Checkpoint(folder, config, tensors, adapter)
    renamed = {original.rename(name): tensor for name, tensor in tensors.items()}
    return Checkpoint(folder, original.convert(config, folder), renamed, adapter, converted=True)


def _config(folder: Path) -> Config:
    """
    Raises:
        EngineError: there is none, or it is not of a model that can be run.
    """
    path = folder / "config.json"
    config: Config = read_json(path) if path.is_file() else {}
    if config.get("model_type") != MODEL_TYPE and is_adapter(folder):
        raise EngineError(
            f"{folder} is a LoRA adapter; name the model that it was trained for before it: "
            f"MODEL{source.MARK}{folder}"
        )
    if not config:
        raise EngineError(f"{folder} is no checkpoint: it has no config.json{_other_format(folder)}")
    if "quantization_config" in config:
        raise EngineError(
            f"the checkpoint in {folder} is quantised, which is not read here; use the one in bfloat16, and "
            "`quantize` for 8-bit weights"
        )
    read_architecture(original.convert(config, folder) if original.is_original(config) else config)
    return config


def _weight_files(folder: Path) -> list[Path]:
    index = folder / INDEX
    names = sorted(set(read_json(index)["weight_map"].values())) if index.is_file() else [SINGLE]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise EngineError(
            f"the checkpoint in {folder} lacks its weights: there is no {', '.join(missing[:SHARDS_NAMED])}"
            f"{_remedy(folder, missing)}"
        )
    return [folder / name for name in names]


def _remedy(folder: Path, missing: list[str]) -> str:
    """The end of the sentence that names missing weights."""
    if missing == [SINGLE] and any(folder.glob("model-*-of-*.safetensors")):
        return f" and no {INDEX}, which lists the shards that are there; download it"
    more = f" and {len(missing) - SHARDS_NAMED} more" if len(missing) > SHARDS_NAMED else ""
    return f"{more}{_other_format(folder) or '; the download is incomplete: run it again'}"


def _other_format(folder: Path) -> str:
    """A note on weights in a format that is not read here."""
    for pattern in ("*.gguf", "*.bin", "*.pt"):
        found = next(iter(sorted(folder.glob(pattern))), None)
        if found is not None:
            return f"; {found.name} is not read here: use the model's safetensors"
    return ""
