"""Registry of engines by name. Adapters are imported on first use, so the CPU path starts without torch."""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pipeline.engines.dependencies import missing_dependency
from pipeline.engines.openai.server import SpeechServer
from pipeline.engines.protocol import Engine
from pipeline.errors import DependencyError, OptionError

ENGINES: Mapping[str, str] = MappingProxyType(
    {
        "hibari": "pipeline.engines.hibari.engine:Hibari",
        "openai": "pipeline.engines.openai.engine:OpenAI",
        "vibevoice": "pipeline.engines.vibevoice.engine:VibeVoice",
    }
)
"""The built-in engines, as `module:Class`."""


class Engines:
    """Loads engines by name and caches them.

    Args:
        additional: further engines, `name: "module:Class"`.
        server: speech server of the engines that ask one.
    """

    def __init__(
        self, additional: Mapping[str, str] | None = None, server: SpeechServer | None = None
    ) -> None:
        self.places = {**ENGINES, **(additional or {})}
        self.server = server
        self._loaded: dict[tuple[str, str | None, int | None, bool | None], Engine] = {}

    def load(
        self, name: str, model: str | None = None, slots: int | None = None, own_kernels: bool | None = None
    ) -> Engine:
        """Load an engine, once per model. Thread-safe.

        Args:
            model: a checkpoint; None selects the engine's default.
            slots: segments decoded at once; None leaves it to the engine.
            own_kernels: use the engine's own compiled kernels, if it has any; None leaves it to the engine.

        Raises:
            OptionError: unknown engine, or a model for an engine without models.
            DependencyError: the engine cannot be imported on this machine.
        """
        key = name, model, slots, own_kernels
        loaded = self._loaded.get(key)
        # engines load lazily, so of two that were created at once one can be dropped
        return loaded or self._loaded.setdefault(key, self._made(*key))

    def presets(self) -> set[str]:
        """Presets of all engines."""
        found: set[str] = set()
        for name in self.places:
            with contextlib.suppress(DependencyError):  # an additional engine that only the workers have
                found.update(self.load(name).profile.presets)
        return found

    def takes_model(self, name: str) -> bool:
        """True for an engine that has models."""
        return name in self.places and "model" in inspect.signature(self._adapter(name)).parameters

    def _adapter(self, name: str) -> Callable[..., Engine]:
        module, _, cls = self.places[name].partition(":")
        try:
            adapter: Callable[..., Engine] = getattr(importlib.import_module(module), cls)
        except ImportError as error:
            raise missing_dependency(error, name) or error from None
        return adapter

    def _made(self, name: str, model: str | None, slots: int | None, own_kernels: bool | None) -> Engine:
        if name not in self.places:
            raise OptionError(
                "engine", f"unknown engine {name!r}; available: {', '.join(sorted(self.places))}"
            )
        adapter = self._adapter(name)
        takes = inspect.signature(adapter).parameters
        if model is not None and "model" not in takes:
            raise OptionError("model", f"engine {name} has a built-in model")
        given = {"model": model, "slots": slots, "own_kernels": own_kernels, "server": self.server}
        known = {key: value for key, value in given.items() if key in takes and value is not None}
        return adapter(**known)
