"""LoRA adapters (arXiv:2106.09685) of a checkpoint, read and checked without torch.

The layout is that of VibeVoice-finetuning, as its trainer's `_save` writes it
(https://github.com/voicepowered-ai/VibeVoice-finetuning/blob/98f9863/src/finetune_vibevoice_lora.py):

    adapter_config.json, adapter_model.safetensors     of the language model, as peft saves them
    diffusion_head/                                    the same for the head, or the whole head
    acoustic_connector/, semantic_connector/           a whole connector

The trainer writes the head and the connectors whole even where they were not trained, and a whole language
model in place of its adapter; that one was not trained and is not read.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.engines.vibevoice.checkpoint.architecture import Shape
from pipeline.engines.vibevoice.checkpoint.footprint import TABLES
from pipeline.engines.vibevoice.checkpoint.original import rename
from pipeline.engines.vibevoice.checkpoint.peft_settings import LowRank, read_settings
from pipeline.engines.vibevoice.checkpoint.stored_files import read_tensors, refuse_pointer, truncated
from pipeline.errors import EngineError

SETTINGS = "adapter_config.json"
LOW_RANK = ("adapter_model.safetensors", "adapter_model.bin")
WHOLE = ("model.safetensors", "diffusion_head_full.bin", "pytorch_model.bin")
ROOTS = {
    "": "model.language_model.",
    "diffusion_head": "model.prediction_head.",
    "acoustic_connector": "model.acoustic_connector.",
    "semantic_connector": "model.semantic_connector.",
}
"""Folders of the parts, and the prefixes of their tensors in the original layout."""
FACTOR = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight")

Shapes = Mapping[str, Shape]
ReadShapes = Callable[[Path], Shapes]


@dataclass(frozen=True, slots=True)
class Update:
    """Low-rank update of a weight: W + factor * B A."""

    file: Path
    a: str
    """Name of A, (rank, inner), in the file."""
    b: str
    """Name of B, (outer, rank), in the file."""
    factor: float


@dataclass(frozen=True, slots=True)
class Replacement:
    """Weight that replaces the checkpoint's."""

    file: Path
    name: str


Change = Update | Replacement


@dataclass(frozen=True, slots=True)
class Part:
    """Change of one part of the model."""

    root: str
    """The prefix of its tensors in the original layout."""
    file: Path
    """File of its tensors."""
    settings: Path | None = None
    """Its `adapter_config.json`; None if the file has whole weights."""

    @property
    def pickled(self) -> bool:
        """True if only torch can read the file."""
        return self.file.suffix == ".bin"

    def changes(self, read: ReadShapes, weights: Shapes) -> Iterator[tuple[str, Change]]:
        """Yield the names of changed weights in the checkpoint, each with its change.

        Args:
            read: reads the shapes of a file's tensors.
            weights: shapes of the checkpoint's tensors.

        Raises:
            EngineError: it does not fit the checkpoint, or its kind is not supported.
        """
        tensors = read(self.file)
        if self.settings is None:
            return self._replacements(tensors, weights)
        return self._updates(read_settings(self.settings), tensors, weights)

    def _replacements(self, tensors: Shapes, weights: Shapes) -> Iterator[tuple[str, Change]]:
        for name, shape in tensors.items():
            found = self._weight(name, name, weights)
            if weights[found] != shape:
                raise EngineError(
                    f"the adapter's {self.file} has {name} in the shape {shape}, and the model has "
                    f"{weights[found]}: it was trained for another model"
                )
            yield found, Replacement(self.file, name)

    def _updates(self, settings: LowRank, tensors: Shapes, weights: Shapes) -> Iterator[tuple[str, Change]]:
        for module, sides in self._pairs(tensors).items():
            if not settings.targeted(module):
                raise EngineError(f"the adapter in {self.file.parent} has {module}, which it does not target")
            found = self._weight(module, f"{module}.weight", weights)
            if len(sides) < 2:
                missing = "lora_B" if "A" in sides else "lora_A"
                raise EngineError(f"the adapter's {self.file} is incomplete: {module} has no {missing}")
            self._check_shapes(module, settings.rank_of(module), sides, tensors, weights[found])
            yield found, Update(self.file, sides["A"], sides["B"], settings.factor_of(module))

    def _pairs(self, tensors: Shapes) -> dict[str, dict[str, str]]:
        """Group the names of A and B by module."""
        pairs: dict[str, dict[str, str]] = {}
        for name in tensors:
            match = FACTOR.fullmatch(name)
            if match is None:
                raise EngineError(
                    f"the adapter's {self.file} has {name}, but only LoRA of linear layers is supported"
                )
            pairs.setdefault(match["module"], {})[match["side"]] = name
        return pairs

    def _check_shapes(
        self, module: str, rank: int, sides: Mapping[str, str], tensors: Shapes, weight: Shape
    ) -> None:
        found = tensors[sides["A"]], tensors[sides["B"]]
        if len(weight) != 2:
            raise EngineError(f"the adapter changes {module}, which is not a linear layer")
        if found != ((rank, weight[1]), (weight[0], rank)):
            raise EngineError(
                f"the adapter's {module} has A {found[0]} and B {found[1]}; for rank {rank} and the model's "
                f"weight {weight} they should be {(rank, weight[1])} and {(weight[0], rank)}: it was trained "
                "for another model"
            )

    def _weight(self, module: str, tensor: str, weights: Shapes) -> str:
        """Find the checkpoint's name of a tensor, which may be relative to the part or the model."""
        bare = tensor.removeprefix("base_model.model.").removeprefix("base.")  # a wrapper around the head
        inner = bare.removeprefix("model.")
        for path in (self.root + bare, self.root + inner, bare, f"model.{bare}"):
            name = rename(path)
            if name in weights and name not in TABLES:
                return name
        raise EngineError(
            f"the adapter in {self.file.parent} changes {module}, which the model does not have or which "
            "cannot be adapted"
        )


@dataclass(frozen=True)
class Adapter:
    """A folder of parts, and the factor of their changes."""

    folder: Path
    scale: float
    parts: tuple[Part, ...]

    def changes(self, read: ReadShapes, weights: Shapes) -> dict[str, Change]:
        """Collect the changes of all parts by name of the checkpoint's weight; see `Part.changes`."""
        found: dict[str, Change] = {}
        for part in self.parts:
            for name, change in part.changes(read, weights):
                if name in found:
                    raise EngineError(f"the adapter in {self.folder} changes {name} twice")
                found[name] = change
        return found

    def problems(self, weights: Shapes) -> list[str]:
        """List reasons why it cannot be merged, as far as they can be found without torch."""
        found: list[str] = []
        for part in self.parts:
            try:
                if part.pickled:
                    refuse_pointer(part.file)
                else:
                    found += truncated(read_tensors(part.file))
                    list(part.changes(shapes, weights))
            except EngineError as reason:
                found.append(str(reason))
        return found

    @cached_property
    def revision(self) -> str:
        """Hash of its files and its scale, the same on every machine."""
        digest = hashlib.sha256(repr(self.scale).encode())
        for part in self.parts:
            for file in filter(None, (part.settings, part.file)):
                with file.open("rb") as stream:
                    content = hashlib.file_digest(stream, "sha256").hexdigest()
                digest.update(f"{part.root} {file.name} {content}".encode())
        return digest.hexdigest()


def open_adapter(folder: Path, scale: float) -> Adapter:
    """Open the adapter in a folder, or in the `lora` folder of a training's output.

    Raises:
        EngineError: there is none, or one of its files is missing.
    """
    parts = tuple(_parts(_root(folder)))
    if not parts:
        raise EngineError(f"{folder} is not a LoRA adapter: it has no {SETTINGS} and no folder {_folders()}")
    return Adapter(_root(folder), scale, parts)


def is_adapter(folder: Path) -> bool:
    """Return True if the folder is an adapter's, not a checkpoint's."""
    root = _root(folder)
    return any((root / name).is_file() for name in (SETTINGS, *LOW_RANK)) or any(
        (root / name).is_dir() for name in ROOTS if name
    )


def shapes(file: Path) -> Shapes:
    """Read the shapes of a safetensors file's tensors."""
    return {name: tensor.shape for name, tensor in read_tensors(file).items()}


def _root(folder: Path) -> Path:
    return folder / "lora" if (folder / "lora").is_dir() else folder


def _folders() -> str:
    *first, last = (name for name in ROOTS if name)
    return f"{', '.join(first)} or {last}"


def _parts(folder: Path) -> Iterator[Part]:
    for name, root in ROOTS.items():
        inside = folder / name
        low_rank = [inside / file for file in LOW_RANK if (inside / file).is_file()]
        whole = [inside / file for file in WHOLE if name and (inside / file).is_file()]
        if name == "diffusion_head" and (folder / WHOLE[1]).is_file():
            whole.append(folder / WHOLE[1])
        if (inside / SETTINGS).is_file() != bool(low_rank):
            missing = LOW_RANK[0] if not low_rank else SETTINGS
            raise EngineError(f"the adapter in {inside} is incomplete: there is no {missing}")
        if low_rank:
            yield Part(root, low_rank[0], inside / SETTINGS)
        elif whole:
            yield Part(root, whole[0])
