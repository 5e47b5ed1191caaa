"""What torch says of a device that can't go on, in the project's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipeline.errors import DeviceLostError, OutOfMemoryError


@contextmanager
def told() -> Iterator[None]:
    """
    Raises:
        OutOfMemoryError, DeviceLostError: in place of torch's errors; all others pass.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(first_line(error)) from error
        if is_lost(error):
            raise DeviceLostError(first_line(error)) from error
        raise


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device, or the memory of the CPU, had no room."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def device_is_lost(error: Exception) -> bool:
    """True if the accelerator can't be used any more, as asking it shows: cuBLAS, cuDNN and Triton report a
    broken context as a plain `RuntimeError`.
    """
    if is_lost(error):
        return True
    if not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def is_lost(error: Exception) -> bool:
    """Whether the accelerator reported a fault; this process can't use it any more."""
    return isinstance(error, torch.AcceleratorError)


def first_line(error: Exception) -> str:
    """torch adds advice and addresses below it."""
    return str(error).partition("\n")[0]
