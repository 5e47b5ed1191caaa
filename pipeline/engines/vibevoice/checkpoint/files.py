"""Checkpoints on disk: located, read without torch, checked, and identified by a hash."""

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
from pipeline.engines.vibevoice.dtypes import BY_STORED_NAME
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
    """The `config.json` in transformers' layout."""
    tensors: Mapping[str, Tensor]
    """Tensors by name in transformers' layout."""
    adapter: Adapter | None = None
    """LoRA adapter, merged into the weights when they are loaded."""
    converted: bool = False
    """True if the files have the original layout."""

    @cached_property
    def architecture(self) -> Architecture:
        return read_architecture(self.config)

    @cached_property
    def generation(self) -> Config:
        """Settings of generation, empty if the checkpoint has none."""
        path = self.folder / "generation_config.json"
        found: Config = read_json(path) if path.is_file() else {}
        return {**original.GENERATION, **found} if self.converted else found

    @cached_property
    def feature_extractor(self) -> Config:
        """Settings of the feature extractor, empty if the checkpoint has none."""
        for name in ("processor_config.json", "preprocessor_config.json"):
            path = self.folder / name
            if path.is_file():
                read: Config = read_json(path)
                inner = "audio_processor" if self.converted else "feature_extractor"
                found: Config = read.get(inner, read)
                return found
        return {}

    @property
    def is_half_precision(self) -> bool:
        """True if all tensors have 16 bits."""
        return all(BY_STORED_NAME[tensor.kind].array_dtype.itemsize == 2 for tensor in self.tensors.values())

    def tensor(self, name: str) -> Tensor:
        """Return a tensor by name.

        Raises:
            EngineError: there is none.
        """
        if name not in self.tensors:
            raise EngineError(f"the checkpoint in {self.folder} has no tensor {name!r}")
        return self.tensors[name]

    def problems(self) -> list[str]:
        """List the problems that prevent its use, one sentence each."""
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
        """Check that the checkpoint is usable, and return it.

        Raises:
            EngineError: it is incomplete or damaged; names the first problem and counts the others.
        """
        problems = self.problems()
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise EngineError(f"the checkpoint in {self.folder} can't be used: {problems[0]}{more}")
        return self

    def revision(self) -> str:
        """Hash everything that shapes the audio; the same on every machine.

        Covers configuration, tokenizer, feature extractor, headers, a few bytes of every tensor, and adapter.
        """
        digest = hashlib.sha256(json.dumps([self.config, self.feature_extractor], sort_keys=True).encode())
        digest.update(hashlib.sha256((self.folder / TOKENIZER).read_bytes()).digest())
        for name in sorted(self.tensors):
            tensor = self.tensors[name]
            digest.update(f"{name} {tensor.kind} {tensor.shape}".encode())
            digest.update(tensor.sample())
        if self.adapter is not None:
            digest.update(self.adapter.revision.encode())
        return digest.hexdigest()[:16]


def open_checkpoint(model: str) -> Checkpoint:
    """Open a checkpoint in a folder or on the hub (from its cache, else downloaded), with its adapter.

    Args:
        model: a folder or hub ID, alone or with an adapter; see `source.parse`.

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
    """Read and check the `config.json`.

    Raises:
        EngineError: there is none, or it is of an unsupported model.
    """
    path = folder / "config.json"
    config: Config = read_json(path) if path.is_file() else {}
    if config.get("model_type") != MODEL_TYPE and is_adapter(folder):
        raise EngineError(
            f"{folder} is a LoRA adapter; name the model that it was trained for before it: "
            f"MODEL{source.MARK}{folder}"
        )
    if not config:
        raise EngineError(f"{folder} is not a checkpoint: it has no config.json{_other_format(folder)}")
    if "quantization_config" in config:
        raise EngineError(
            f"the checkpoint in {folder} is quantised, which is not supported; use the one in bfloat16, and "
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
    """Advise what to do about missing weights, as the end of a sentence."""
    if missing == [SINGLE] and any(folder.glob("model-*-of-*.safetensors")):
        return f" and no {INDEX}, which lists the shards that are there; download it"
    more = f" and {len(missing) - SHARDS_NAMED} more" if len(missing) > SHARDS_NAMED else ""
    return f"{more}{_other_format(folder) or '; the download is incomplete: run it again'}"


def _other_format(folder: Path) -> str:
    """Name weights in an unsupported format, as the end of a sentence."""
    for pattern in ("*.gguf", "*.bin", "*.pt"):
        found = next(iter(sorted(folder.glob(pattern))), None)
        if found is not None:
            return f"; {found.name} is not supported: use the model's safetensors"
    return ""
