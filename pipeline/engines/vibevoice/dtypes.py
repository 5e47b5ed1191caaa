"""Types of a checkpoint's numbers: their names in torch and safetensors, and their types in numpy."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Dtype:
    """A floating-point type."""

    name: str
    """Name in torch, as in `torch.bfloat16`."""
    stored_name: str
    """Name in the header of a safetensors file."""
    array_dtype: np.dtype[np.generic]
    """Type in numpy, which has no bfloat16: its bits are passed as integers."""


BFLOAT16 = Dtype("bfloat16", "BF16", np.dtype(np.uint16))
DTYPES = (
    BFLOAT16,
    Dtype("float16", "F16", np.dtype(np.float16)),
    Dtype("float32", "F32", np.dtype(np.float32)),
    Dtype("float64", "F64", np.dtype(np.float64)),
)
BY_STORED_NAME = {dtype.stored_name: dtype for dtype in DTYPES}
