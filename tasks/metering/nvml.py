"""NVIDIA's management library (NVML), with None in place of its exceptions.

The module `pynvml` is from the distribution `nvidia-ml-py`; the distribution named `pynvml` is abandoned.
"""

from typing import Any, Optional


class Nvml:
    """The library, initialised in this process.

    Args:
        module: `pynvml`, or a module with the same functions.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._error: type[Exception] = module.NVMLError

    @classmethod
    def load(cls) -> Optional["Nvml"]:
        """Initialise the library; None without a driver. Call it after a fork, never before."""
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return None
        return cls(pynvml)

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function; None if device, driver or permissions refuse."""
        try:
            return getattr(self._module, function)(*arguments)
        except self._error:
            return None
