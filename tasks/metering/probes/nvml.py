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

    def device(self, name: str) -> Any:
        """Handle of a device by its name in `CUDA_VISIBLE_DEVICES`, an index or a UUID; None if unknown."""
        if name.isdecimal():
            return self.ask("nvmlDeviceGetHandleByIndex", int(name))
        return self.ask("nvmlDeviceGetHandleByUUID", name)

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function; None if device, driver or permissions refuse."""
        try:
            return getattr(self._module, function)(*arguments)
        except self._error:
            return None


def visible_names(visible: str) -> list[str]:
    """Devices of a `CUDA_VISIBLE_DEVICES`; like CUDA, it ignores what follows `-1`.

    >>> visible_names("3, 5,-1,7"), visible_names("")
    (['3', '5'], [])
    """
    names: list[str] = []
    for part in visible.split(","):
        name = part.strip()
        if name in {"", "-1"}:
            break
        names.append(name)
    return names
