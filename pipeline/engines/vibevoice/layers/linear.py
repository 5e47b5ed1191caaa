"""A matrix product with what follows it, in the fastest kernel that there is for its numbers.

On CPUs the weight is stored as the kernel reads it, and what is stored replaces the original. All of these
kernels give a row the same bits whatever the number of rows, but for the fewest, which are made more.
"""

from typing import Literal, Protocol

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.kernels import abi, gemm, runtime

Activation = Literal["silu", "gelu"]

EPILOGUES = {"silu": "swish", "gelu": "gelu"}
ROWS_HINT = 16
"""oneDNN's block format hardly depends on it: one serves a step of any number of rows, and a prefill."""
FEW, FILLED = 4, 6
"""Fewer rows than `FEW` are filled up to `FILLED`, of which oneDNN's kernel makes one block: it then reads
weights a third faster than with two rows (Zen 4: 27 for 20 GB/s), and one row gets the bits of many.
"""
TILED_MIN = (1 << 20) + 1
"""Numbers of a weight. A smaller one is read from the processor's caches, and oneDNN is as fast."""
HALVED_ERROR = 2.0**-25
"""Half the distance of float16's smallest numbers."""


class Linear:
    """x (..., inner) to (..., outer), as torch computes it."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self.outer, self.inner = weight.shape
        self.weight, self.bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight, self.bias)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        """activation(x W + b)."""
        y = self(x)
        return F.silu(y) if activation == "silu" else F.gelu(y)

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """(x W + b) * factor."""
        return self(x) * factor

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        """x W + b + term."""
        return self(x) + term


class Make(Protocol):
    """How a product is made of its weight and bias."""

    def __call__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Linear: ...


class Blocked(Linear):
    """oneDNN's: what follows runs inside the product's kernel. Very few rows are made more (`FEW`)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__(weight, bias)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS_HINT)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._fused(x, "none")

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        return self._fused(x, EPILOGUES[activation])

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return self._joined(x, factor, "mul")

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        return self._joined(x, term, "add")

    def _fused(self, x: torch.Tensor, epilogue: str) -> torch.Tensor:
        count = x.numel() // self.inner
        if count < FEW:
            return self._fused(_filled(x), epilogue)[:count].view(*x.shape[:-1], self.outer)
        algorithm = "none" if epilogue == "gelu" else ""
        y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self.weight, self.bias, epilogue, [], algorithm
        )
        return y

    def _joined(self, x: torch.Tensor, other: torch.Tensor, operation: str) -> torch.Tensor:
        count = x.numel() // self.inner
        if count < FEW:
            return self._joined(_filled(x), _filled(other), operation)[:count].view(other.shape)
        y: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, other, self.weight, self.bias, operation
        )
        return y


class Tiled(Linear):
    """Our own (`kernels`), for large weights in bfloat16: what follows runs inside it."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__(weight, bias)
        self.weight = gemm.packed(weight)
        self.added = weight.new_zeros(self.outer) if bias is None else bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._product(x)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        return self._product(x, activation=abi.SILU if activation == "silu" else abi.GELU)

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return self._product(x, joining=abi.TIMES, other=factor)

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        return self._product(x, joining=abi.PLUS, other=term)

    def _product(
        self,
        x: torch.Tensor,
        activation: int = abi.NOTHING,
        joining: int = abi.ALONE,
        other: torch.Tensor | None = None,
    ) -> torch.Tensor:
        rows = x.reshape(-1, self.inner)
        other = None if other is None else other.reshape(-1, self.outer)
        y = gemm.product(rows, self.weight, self.added, activation, joining, other)
        return y.view(*x.shape[:-1], self.outer)


class Halved(Linear):
    """FBGEMM's: float32 arithmetic on a weight that is held in float16, for processors with AVX2.

    A weight of a checkpoint in bfloat16 has so few digits that float16 holds it as it is (its smallest
    numbers within `HALVED_ERROR`), so this is float32 with half of the memory to hold and to read. With a
    factor in it it would have more digits: factors stay beside it. The kernel takes up to six rows at once.
    Its variants for one and two rows have bits of their own, so the rows are filled up to where it needs
    neither.
    """

    ROWS = 6

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        before: torch.Tensor | None = None,
        after: torch.Tensor | None = None,
    ) -> None:
        """`before` (inner,) and `after` (outer,): as for `fastest`."""
        super().__init__(weight, bias)
        self.weight = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)
        self.before, self.after = before, after

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        y = self._product(x)
        return y if self.after is None else y.mul_(self.after)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        y = self(x)
        return F.silu(y, inplace=True) if activation == "silu" else F.gelu(y)

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return self(x).mul_(factor)

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        if self.after is None:
            return self._product(x).add_(term)
        return torch.addcmul(term, self._product(x), self.after)

    def _product(self, x: torch.Tensor) -> torch.Tensor:
        rows = (x if self.before is None else x * self.before).reshape(-1, self.inner)
        count = len(rows)
        left = count % self.ROWS
        more = self.ROWS - left if left in (1, 2) else 0
        filled = F.pad(rows, (0, 0, 0, more)) if more else rows
        y: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(filled, self.weight)
        return y[:count].view(*x.shape[:-1], self.outer)


class Gated:
    """silu(x G) * (x U): one product where the kernel gains nothing from two."""

    def __init__(self, weights: Weights, gate: str, up: str, linear: Make) -> None:
        """`gate`, `up`: names of the weights."""
        made = linear(weights(gate))
        self.joined: Linear | None = None
        if type(made) is Linear:
            self.joined = Linear(weights.joined(gate, up))
        else:
            self.gate, self.up = made, linear(weights(up))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x (..., inner) to (..., outer)."""
        if self.joined is None:
            return self.up.times(x, self.gate.activated(x, "silu"))
        gate, up = self.joined(x).chunk(2, -1)
        return F.silu(gate) * up


def fastest(
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    before: torch.Tensor | None = None,
    after: torch.Tensor | None = None,
) -> Linear:
    """The product in the best kernel for its numbers.

    Args:
        weight: (outer, inner).
        bias: (outer,).
        before: (inner,), what is put in is multiplied by it: (x * before) W + b.
        after: (outer,), what comes out is multiplied by it: (x W + b) * after.
    """
    if halvable(weight.dtype, weight.device) and weight.numel() >= footprint.HALVED_MIN and fits_half(weight):
        return Halved(weight, bias, before, after)
    if before is not None:
        weight = weight * before
    if after is not None:
        weight, bias = weight * after[:, None], None if bias is None else bias * after
    if runtime.suits(weight.dtype, weight.device) and tileable(weight):
        return Tiled(weight, bias)
    return Blocked(weight, bias) if blockable(weight.dtype, weight.device) else Linear(weight, bias)


def tileable(weight: torch.Tensor) -> bool:
    """Whether our own kernel is the best for its shape."""
    return weight.numel() >= TILED_MIN and gemm.takes(*weight.shape)


def blockable(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether oneDNN has a kernel for such numbers there."""
    if device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    half = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return half or dtype == torch.float32


def halvable(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether products of float32 with weights of float16 have a kernel there whose rows don't depend on
    their number: as measured, with AVX2.
    """
    return (
        device.type == "cpu"
        and dtype == torch.float32
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
        and "fbgemm" in torch.backends.quantized.supported_engines
    )


def fits_half(weight: torch.Tensor) -> bool:
    """Whether float16 holds every number of it within `HALVED_ERROR`. A few rows at a time need no room."""
    return all(bool((rows.half() - rows).abs_().max() <= HALVED_ERROR) for rows in torch.split(weight, 256))


def _filled(x: torch.Tensor) -> torch.Tensor:
    """(..., n) as (FILLED, n), with zeros after what there is."""
    rows = x.reshape(-1, x.shape[-1])
    return F.pad(rows, (0, 0, 0, FILLED - len(rows)))
