"""NVIDIA's management library, asked so that no answer is None instead of an exception.

The module `pynvml` comes from the distribution `nvidia-ml-py`; the one that is called `pynvml` is abandoned.
"""

from typing import Any, Optional


class Nvml:
    """The library, begun in this process.

    Args:
        module: `pynvml`, or what answers like it.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._error: type[Exception] = module.NVMLError

    @classmethod
    def load(cls) -> Optional["Nvml"]:
        """Begin; None without a driver. Call it after a fork, never before."""
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return None
        return cls(pynvml)

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call one of its functions; None where device, driver or permission say no."""
        try:
            return getattr(self._module, function)(*arguments)
        except self._error:
            return None
