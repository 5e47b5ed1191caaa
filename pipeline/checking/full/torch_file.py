"""Reader of tensors in a file of `torch.save` in its form before PyTorch 1.6, without torch.

The file is five pickles (magic number, protocol, system, object, storage keys) and then the storages, each
with its number of elements. Only names in an allowlist are unpickled, so that a file cannot run code.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import numpy.typing as npt

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

Array = npt.NDArray[np.float32]


class TorchFileError(Exception):
    """A file that is not of this form, or names something that is not allowed."""


class _Storage:
    """Elements that follow the pickles; filled once they are read."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.data: Array | None = None


class _View:
    """Tensor: a view of a storage."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> Array:
        data = self.storage.data
        if data is None:
            raise TorchFileError("a tensor's storage is missing")
        steps = tuple(stride * data.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps, writeable=False)
        return np.ascontiguousarray(view)


def _view(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> _View:
    return _View(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    _ALLOWED: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _view,
        ("torch", "FloatStorage"): _Storage,
    }

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._ALLOWED[module_name, global_name]
        except KeyError:
            raise TorchFileError(f"{module_name}.{global_name} is not allowed") from None

    def persistent_load(self, pid: Any, /) -> _Storage:
        kind, storage, key, _, size, *_ = pid
        if kind != "storage" or storage is not _Storage:
            raise TorchFileError(f"{kind} is not a storage of float32")
        return self.storages.setdefault(key, _Storage(size))


def read(path: Path, names: Iterable[str], *, under: str) -> dict[str, Array]:
    """Read float32 tensors by name.

    Args:
        under: key of the dictionary that contains them.

    Raises:
        TorchFileError: another form, or a missing tensor.
    """
    with path.open("rb") as file:
        if [_Unpickler(file).load() for _ in range(2)] != [_MAGIC, _PROTOCOL]:
            raise TorchFileError(f"{path.name} is not in the form before PyTorch 1.6")
        _Unpickler(file).load()  # sizes of the writer's types
        unpickler = _Unpickler(file)
        content = unpickler.load()
        for key in _Unpickler(file).load():
            size = int.from_bytes(file.read(8), "little")
            data = np.frombuffer(file.read(size * 4), "<f4")
            if key in unpickler.storages:
                unpickler.storages[key].data = data
    tensors = content[under]
    missing = [name for name in names if not isinstance(tensors.get(name), _View)]
    if missing:
        raise TorchFileError(f"{path.name} lacks {', '.join(missing)}")
    return {name: tensors[name].array() for name in names}
