"""Registry of engines by name. Adapters are imported on first use, so the CPU path starts without torch."""

import contextlib
import importlib
import inspect

from pipeline.engines.protocol import Engine
from pipeline.errors import OptionError

ENGINES = {
    "hibari": "pipeline.engines.hibari.engine:Hibari",
    "vibevoice": "pipeline.engines.vibevoice.engine:VibeVoice",
}

_loaded: dict[tuple[str, str | None, int | None, bool | None], Engine] = {}


def load(
    name: str, model: str | None = None, slots: int | None = None, own_kernels: bool | None = None
) -> Engine:
    """Load an engine, once per process and model. Thread-safe.

    Args:
        model: a checkpoint; None selects the engine's default.
        slots: segments decoded at once; None leaves it to the engine.
        own_kernels: use the engine's own compiled kernels, if it has any; None leaves it to the engine.

    Raises:
        OptionError: unknown engine, or a model for an engine without models.
    """
    key = name, model, slots, own_kernels
    standing = _loaded.get(key)
    # engines load lazily, so of two that were created at once one can be dropped
    return standing or _loaded.setdefault(key, _made(*key))


def presets() -> set[str]:
    """Presets of all engines."""
    found: set[str] = set()
    for name in list(ENGINES):
        with contextlib.suppress(ImportError):  # an additional engine that only the workers have
            found.update(load(name).profile.presets)
    return found


def _made(name: str, model: str | None, slots: int | None, own_kernels: bool | None) -> Engine:
    if name not in ENGINES:
        raise OptionError("engine", f"unknown engine {name!r}; available: {', '.join(sorted(ENGINES))}")
    module, _, cls = ENGINES[name].partition(":")
    adapter = getattr(importlib.import_module(module), cls)
    takes = inspect.signature(adapter).parameters
    if model is not None and "model" not in takes:
        raise OptionError("model", f"engine {name} has a built-in model")
    given = {"model": model, "slots": slots, "own_kernels": own_kernels}
    known = {key: value for key, value in given.items() if key in takes and value is not None}
    engine: Engine = adapter(**known)
    return engine
