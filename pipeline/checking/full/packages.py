"""Files of the models of full verification, found in their wheels without importing these."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import EngineError

INSTALL = "make listen"
"""Command that installs the models."""


class MissingPackageError(EngineError):
    """A package of full verification is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package

    def __str__(self) -> str:
        return f"full verification needs {self.package}, which is not installed; run `{INSTALL}`"


def need(package: str, module: str) -> Path:
    """Folder of an installed package.

    Raises:
        MissingPackageError: it is not installed.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(package)
    return Path(spec.submodule_search_locations[0])


@cache
def digest(files: tuple[Path, ...]) -> str:
    """SHA-256 over the contents of files, in order, in hex."""
    found = hashlib.sha256()
    for file in files:
        with file.open("rb") as data:
            found.update(hashlib.file_digest(data, "sha256").digest())
    return found.hexdigest()


def files_of(folder: Path, suffixes: Iterable[str]) -> tuple[Path, ...]:
    """Files of a folder with these suffixes, sorted by name."""
    allowed = set(suffixes)
    return tuple(sorted(file for file in folder.iterdir() if file.suffix in allowed))
