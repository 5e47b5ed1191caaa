"""Names of models: a folder or hub ID, alone or with a LoRA adapter, located on disk or downloaded."""

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import EngineError

MARK, AT = "+lora:", "@"
SCALE_MAX = 10.0
FILES = ("*.safetensors", "*.json", "*.jinja")
ADAPTER_FILES = ("*.safetensors", "*.json", "*.bin")


@dataclass(frozen=True, slots=True)
class Source:
    """Name of a checkpoint, and of the adapter that is merged into it."""

    base: str
    """A folder, or an ID on the hub."""
    adapter: str | None = None
    """A folder, or an ID on the hub."""
    scale: float = 1.0
    """Factor of the adapter's changes."""

    def __str__(self) -> str:
        return self.base if self.adapter is None else f"{self.base}{MARK}{self.adapter}{AT}{self.scale!r}"

    @property
    def name(self) -> str:
        """Short name: the folder's, with the adapter's and its scale."""
        base = Path(self.base).name
        return base if self.adapter is None else f"{base}-{Path(self.adapter).name}-{self.scale!r}"

    def absolute(self) -> "Source":
        """Make paths absolute, for a process in another folder."""
        return replace(
            self, base=_absolute(self.base), adapter=None if self.adapter is None else _absolute(self.adapter)
        )


def parse(model: str) -> Source:
    """Read `CHECKPOINT`, `CHECKPOINT+lora:ADAPTER` or `CHECKPOINT+lora:ADAPTER@SCALE`.

    >>> parse("base+lora:voices/alice@0.8")
    Source(base='base', adapter='voices/alice', scale=0.8)
    >>> str(parse("base+lora:alice"))
    'base+lora:alice@1.0'

    Raises:
        EngineError: a scale that is not a number from 0 to 10, or more than one adapter.
    """
    base, mark, rest = model.partition(MARK)
    if not mark:
        return Source(model)
    if MARK in rest or not base or not rest:
        raise EngineError(f"{model!r} is not of the form CHECKPOINT{MARK}ADAPTER{AT}SCALE, with one adapter")
    adapter, at, scale = rest.rpartition(AT)
    return Source(base, adapter, _scale(model, scale)) if at else Source(base, rest)


def locate(name: str, kind: str = "checkpoint", files: tuple[str, ...] = FILES) -> Path:
    """Locate the folder of a checkpoint or an adapter; one on the hub is downloaded if not cached.

    Args:
        name: a folder, or an ID on the hub.
        kind: 'checkpoint' or 'adapter', for error messages.
        files: patterns of the files to download.

    Raises:
        EngineError: there is none; says what was tried and how to get one.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise EngineError(f"no {kind}: {name!r} is a file; give the folder of safetensors and JSON files")
    if folder.is_absolute() or name.count("/") != 1:
        raise EngineError(f"no {kind}: {name!r} is neither a folder nor an id of the form owner/name")
    return _from_hub(name, kind, files)


def _absolute(name: str) -> str:
    path = Path(name).expanduser()
    return str(path.absolute()) if path.exists() else name


def _scale(model: str, text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        raise EngineError(
            f"{model!r}: the adapter's scale {text!r} is not a number; a folder with {AT!r} in its name "
            f"needs its scale appended, as in {model}{AT}1"
        ) from None
    if not 0 <= scale <= SCALE_MAX:  # NaN is rejected, too
        raise EngineError(f"{model!r}: the adapter's scale {text} is not from 0 to {SCALE_MAX:g}")
    return scale


def _from_hub(name: str, kind: str, files: tuple[str, ...]) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as missing:
        raise EngineError(
            f"no folder {name!r}, and huggingface_hub is not installed to fetch it"
        ) from missing
    try:
        return Path(snapshot_download(name, allow_patterns=list(files), local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as reason:
        raise EngineError(
            f"no {kind} {name!r}: there is no such folder, it is not in the hub's cache, and the hub "
            f"did not give it ({type(reason).__name__}). Fetch it where there is a network with "
            f"`hf download {name}`, or give the path of a folder that holds it"
        ) from reason
