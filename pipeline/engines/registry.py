"""The engines by name. An adapter is imported only when asked for: the CPU path starts without torch."""

import functools
import importlib
import inspect

from pipeline.engines.protocol import Engine
from pipeline.errors import OptionError

ENGINES = {
    "hibari": "pipeline.engines.hibari:Hibari",
    "vibevoice": "pipeline.engines.vibevoice.adapter:VibeVoice",
}


@functools.cache
def load(name: str, model: str | None = None) -> Engine:
    """The engine of that name, one per process and model.

    Args:
        model: a checkpoint, as the engine names them; None is the engine's own default.

    Raises:
        OptionError: no such engine, or a model given to an engine that has none.
    """
    if name not in ENGINES:
        raise OptionError("engine", f"{name!r} is unknown; there are {', '.join(sorted(ENGINES))}")
    module, _, cls = ENGINES[name].partition(":")
    adapter = getattr(importlib.import_module(module), cls)
    if model is not None and "model" not in inspect.signature(adapter).parameters:
        raise OptionError("model", f"the engine {name} has its model built in")
    engine: Engine = adapter() if model is None else adapter(model=model)
    return engine
