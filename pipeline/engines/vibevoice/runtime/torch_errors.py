"""What torch says of a device that can't go on, in the project's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipeline.errors import DeviceLostError, OutOfMemoryError

CUDA_OUT_OF_MEMORY = 2
"""cudaErrorMemoryAllocation."""
OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
)


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
        if device_is_lost(error):
            raise DeviceLostError(first_line(error)) from error
        raise


def is_out_of_memory(error: Exception) -> bool:
    """True if a device, or the CPU, had no room.

    torch's allocator is not the only one that says so: loading a kernel and instantiating a graph report
    CUDA's own error 2, cuBLAS and cuDNN a status.
    """
    if isinstance(error, torch.OutOfMemoryError) or getattr(error, "error_code", None) == CUDA_OUT_OF_MEMORY:
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)


def device_is_lost(error: Exception) -> bool:
    """True if this process can't use the accelerator any more.

    torch's own error need not mean that (an operation that a capture does not permit reports one), and
    cuBLAS, cuDNN and Triton report a broken context as a plain `RuntimeError`. So the device is asked.
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
    """torch adds advice and addresses below it."""
    return str(error).partition("\n")[0]
