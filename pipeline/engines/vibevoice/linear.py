"""A matrix product with what follows it, in one kernel where there is one.

On CPUs the weight is stored in oneDNN's own block format (the packed weight replaces the original), and the
activation, product or sum that follows runs inside the product's kernel. These kernels also give a row the
same bits whatever the number of rows, as long as there are two: so one row is computed twice.
"""

from typing import Literal

import torch
import torch.nn.functional as F

Activation = Literal["silu", "gelu"]

EPILOGUES = {"silu": "swish", "gelu": "gelu"}
ROWS_HINT = 16
"""The block format hardly depends on it: one serves a step of any number of rows, and a prefill."""


def packable(weight: torch.Tensor) -> bool:
    """Whether oneDNN has a kernel for numbers of its type on its device."""
    if weight.device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    half = weight.dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return half or weight.dtype == torch.float32


class Linear:
    """x (..., inner) to (..., outer)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self.outer, self.inner = weight.shape
        self.bias = bias
        self.packed = packable(weight)
        self.weight = weight
        if self.packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS_HINT)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self.packed:
            return self._fused(x, "none")
        return F.linear(x, self.weight, self.bias)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        """activation(x W + b)."""
        if self.packed:
            return self._fused(x, EPILOGUES[activation])
        y = F.linear(x, self.weight, self.bias)
        return F.silu(y) if activation == "silu" else F.gelu(y)

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """(x W + b) * factor."""
        if self.packed:
            return self._joined(x, factor, "mul")
        return F.linear(x, self.weight, self.bias) * factor

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        """x W + b + term."""
        if self.packed:
            return self._joined(x, term, "add")
        return F.linear(x, self.weight, self.bias) + term

    def _fused(self, x: torch.Tensor, epilogue: str) -> torch.Tensor:
        algorithm = "none" if epilogue == "gelu" else ""
        if x.numel() == self.inner:
            return self._fused(_twice(x), epilogue)[:1].view(*x.shape[:-1], self.outer)
        y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self.weight, self.bias, epilogue, [], algorithm
        )
        return y

    def _joined(self, x: torch.Tensor, other: torch.Tensor, operation: str) -> torch.Tensor:
        if x.numel() == self.inner:
            return self._joined(_twice(x), _twice(other), operation)[:1].view(other.shape)
        y: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, other, self.weight, self.bias, operation
        )
        return y


def _twice(row: torch.Tensor) -> torch.Tensor:
    return row.reshape(1, -1).repeat(2, 1)
