"""Optional dependencies of engines: which are missing on this machine, and how to install them."""

import importlib.util
import socket

from pipeline.engines.protocol import Profile
from pipeline.errors import DependencyError

_OURS = ("bench", "cli", "db", "pipeline", "tasks", "tests")
_EXTRAS = {"vibevoice": ("huggingface_hub", "llvmlite", "tokenizers", "torch", "transformers")}
"""Extras of the project, and packages that they install."""


def check_installed(profile: Profile) -> None:
    """Check that the packages that an engine needs are installed on this machine.

    Raises:
        DependencyError: they are not; names all of them.
    """
    missing = [name for name in profile.requires if importlib.util.find_spec(name) is None]
    if missing:
        raise _error(missing, profile.name)


def missing_dependency(error: ImportError, engine: str = "") -> DependencyError | None:
    """Convert the error of a missing package; None if a module of this project is missing, which is a bug."""
    package = (error.name or "").partition(".")[0]
    return None if package in _OURS or not package else _error([package], engine)


def _error(packages: list[str], engine: str) -> DependencyError:
    extra = next((name for name, found in _EXTRAS.items() if set(packages) <= set(found)), None)
    advice = f"pip install -c constraints.txt '.[{extra}]'" if extra else f"pip install {' '.join(packages)}"
    return DependencyError(engine, ", ".join(packages), socket.gethostname(), advice)
