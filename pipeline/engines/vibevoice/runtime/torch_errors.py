"""Translation of torch's device errors into the project's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipeline.errors import DeviceLostError, OutOfMemoryError

CUDA_OUT_OF_MEMORY = 2
"""Value of cudaErrorMemoryAllocation."""
OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
)


@contextmanager
def translate() -> Iterator[None]:
    """Translate torch's device errors that the body raises; all other errors pass.

    Raises:
        OutOfMemoryError: a device, or the CPU, is out of memory.
        DeviceLostError: this process can't use the accelerator any more.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(first_line(error)) from error
        if device_is_lost(error):
            raise DeviceLostError(first_line(error)) from error
        raise


def is_out_of_memory(error: Exception) -> bool:
    """Return True if a device, or the CPU, is out of memory.

    torch's allocator is not the only source: loading a kernel and instantiating a graph report CUDA's own
    error 2, and cuBLAS and cuDNN report a status.
    """
    if isinstance(error, torch.OutOfMemoryError) or getattr(error, "error_code", None) == CUDA_OUT_OF_MEMORY:
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)


def device_is_lost(error: Exception) -> bool:
    """Return True if this process can't use the accelerator any more.

    torch's own error does not imply that (an operation that a capture does not permit raises one too), and
    cuBLAS, cuDNN and Triton report a broken context as a plain `RuntimeError`. So this synchronises with the
    device.
    """
    cuda: Any = torch.cuda
    if not cuda.is_initialized():
        return isinstance(error, torch.AcceleratorError)
    try:
        cuda.synchronize()
    except RuntimeError:
        return True
    return False


def first_line(error: BaseException) -> str:
    """Return the first line of the message; torch adds advice and addresses below it."""
    return str(error).partition("\n")[0]
