"""The engines by name. An adapter is imported only when asked for: the CPU path starts without torch."""

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
    """The engine of that name, one per process and model, whichever of several threads asks first.

    Args:
        model: a checkpoint, as the engine names them; None is the engine's own default.
        slots: segments decoded at once, for an engine that can; None leaves it to the engine.
        own_kernels: whether an engine that has compiled kernels of this project uses them.

    Raises:
        OptionError: no such engine, or a model given to an engine that has none.
    """
    key = name, model, slots, own_kernels
    standing = _loaded.get(key)
    # an engine loads nothing until it is used, so of two that were made at once one may be thrown away
    return standing or _loaded.setdefault(key, _made(*key))


def presets() -> set[str]:
    """The names of all engines' own voices."""
    found: set[str] = set()
    for name in list(ENGINES):
        with contextlib.suppress(ImportError):  # of an operator's own, where only the workers have it
            found.update(load(name).profile.presets)
    return found


def _made(name: str, model: str | None, slots: int | None, own_kernels: bool | None) -> Engine:
    if name not in ENGINES:
        raise OptionError("engine", f"{name!r} is unknown; there are {', '.join(sorted(ENGINES))}")
    module, _, cls = ENGINES[name].partition(":")
    adapter = getattr(importlib.import_module(module), cls)
    takes = inspect.signature(adapter).parameters
    if model is not None and "model" not in takes:
        raise OptionError("model", f"the engine {name} has its model built in")
    given = {"model": model, "slots": slots, "own_kernels": own_kernels}
    known = {key: value for key, value in given.items() if key in takes and value is not None}
    engine: Engine = adapter(**known)
    return engine
