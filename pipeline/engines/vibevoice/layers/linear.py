"""Linear layers with fused epilogues, in the fastest GEMM kernel available for their shape and type.

On CPUs the weight is prepacked into the kernel's layout and the original is dropped. Results per row are
independent of the batch size; very small batches are padded to keep that true.
"""

from typing import Literal, Protocol

import torch
import torch.nn.functional as F

from pipeline.engines.vibevoice.checkpoint import footprint
from pipeline.engines.vibevoice.checkpoint.weights import Weights
from pipeline.engines.vibevoice.kernels import abi, gemm, runtime
from pipeline.engines.vibevoice.runtime import torch_internals

Activation = Literal["silu", "gelu"]

EPILOGUES = {"silu": "swish", "gelu": "gelu"}
ROWS_HINT = 16
"""Batch size that oneDNN prepacks for. Its block format hardly depends on it, so one serves all sizes."""
ROWS_FEW, ROWS_PADDED = 4, 6
"""Batches of fewer than `ROWS_FEW` rows are padded to `ROWS_PADDED`, which oneDNN computes as one block. It
then reads weights a third faster than for two rows (Zen 4: 27 instead of 20 GB/s), and a row's result does
not depend on the batch size.
"""
NATIVE_MIN = (1 << 20) + 1
"""Elements from which a weight uses our own kernel. A smaller one fits the CPU caches: oneDNN is as fast."""
FP16_ERROR = 2.0**-25
"""Largest error accepted from a conversion to float16: half the spacing of its subnormals."""


class Linear:
    """Linear layer as torch computes it: x (..., inner) to (..., outer)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        self.outer, self.inner = weight.shape
        self.weight, self.bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight, self.bias)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        """Return activation(x W + b)."""
        y = self(x)
        return F.silu(y) if activation == "silu" else F.gelu(y)

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        """Return (x W + b) * factor, with factor (..., outer)."""
        return self(x) * factor

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        """Return x W + b + term, with term (..., outer)."""
        return self(x) + term


class LinearFactory(Protocol):
    """Makes a linear layer from a weight (outer, inner) and a bias (outer,)."""

    def __call__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Linear: ...


class OneDnnLinear(Linear):
    """Linear layer in oneDNN's kernel, with the epilogue fused. Small batches are padded (`ROWS_FEW`)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__(weight, bias)
        self.weight = torch_internals.prepack_onednn(weight.contiguous(), ROWS_HINT)

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
        if count < ROWS_FEW:
            return self._fused(_padded(x), epilogue)[:count].view(*x.shape[:-1], self.outer)
        algorithm = "none" if epilogue == "gelu" else ""
        return torch_internals.linear_onednn(x, self.weight, self.bias, epilogue, algorithm)

    def _joined(self, x: torch.Tensor, other: torch.Tensor, operation: str) -> torch.Tensor:
        count = x.numel() // self.inner
        if count < ROWS_FEW:
            return self._joined(_padded(x), _padded(other), operation)[:count].view(other.shape)
        return torch_internals.linear_onednn_binary(x, other, self.weight, self.bias, operation)


class NativeLinear(Linear):
    """Linear layer in our own kernel (`kernels.gemm`) for large bfloat16 weights, with fused epilogues."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> None:
        super().__init__(weight, bias)
        self.weight = gemm.pack_weight(weight)
        self.added = weight.new_zeros(self.outer) if bias is None else bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._product(x)

    def activated(self, x: torch.Tensor, activation: Activation) -> torch.Tensor:
        return self._product(x, activation=abi.SILU if activation == "silu" else abi.GELU)

    def times(self, x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        return self._product(x, post_op=abi.MULTIPLY, other=factor)

    def plus(self, x: torch.Tensor, term: torch.Tensor) -> torch.Tensor:
        return self._product(x, post_op=abi.ADD, other=term)

    def _product(
        self,
        x: torch.Tensor,
        activation: int = abi.NO_ACTIVATION,
        post_op: int = abi.NO_POST_OP,
        other: torch.Tensor | None = None,
    ) -> torch.Tensor:
        rows = x.reshape(-1, self.inner)
        other = None if other is None else other.reshape(-1, self.outer)
        y = gemm.product(rows, self.weight, self.added, activation, post_op, other)
        return y.view(*x.shape[:-1], self.outer)


class Fp16WeightLinear(Linear):
    """Linear layer in FBGEMM's kernel: float32 arithmetic on float16 weights, for CPUs with AVX2.

    float16 represents the weights of a bfloat16 checkpoint exactly, except for subnormals (`FP16_ERROR`), so
    the results are those of float32 at half the memory and bandwidth. Folding a factor into the weight would
    need more mantissa bits, so factors are applied separately. The kernel computes six rows at a time. Its
    variants for one and two rows round differently, so batches are padded until neither is needed.
    """

    ROWS = 6

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        before: torch.Tensor | None = None,
        after: torch.Tensor | None = None,
    ) -> None:
        """
        Args:
            before, after: scales of the input (inner,) and the output (outer,), as in `make_linear`.
        """
        super().__init__(weight, bias)
        self.weight = torch_internals.prepack_fp16(weight.contiguous(), bias)
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
        return torch_internals.linear_fp16(filled, self.weight)[:count].view(*x.shape[:-1], self.outer)


class SwiGlu:
    """SwiGLU (arXiv:2002.05202): silu(x G) * (x U); one product where a fused epilogue gains nothing."""

    def __init__(self, weights: Weights, gate: str, up: str, linear: LinearFactory) -> None:
        """
        Args:
            gate, up: names of the weights, each (outer, inner).
        """
        made = linear(weights(gate))
        self.joined: Linear | None = None
        if type(made) is Linear:
            self.joined = Linear(weights.concatenated(gate, up))
        else:
            self.gate, self.up = made, linear(weights(up))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the layer: x (..., inner) to (..., outer)."""
        if self.joined is None:
            return self.up.times(x, self.gate.activated(x, "silu"))
        gate, up = self.joined(x).chunk(2, -1)
        return F.silu(gate) * up


def make_linear(
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    before: torch.Tensor | None = None,
    after: torch.Tensor | None = None,
) -> Linear:
    """Make a linear layer in the fastest kernel for the weight's shape, type and device.

    Args:
        weight: (outer, inner).
        bias: (outer,).
        before: (inner,), a scale of the input: (x * before) W + b.
        after: (outer,), a scale of the output: (x W + b) * after.
    """
    if (
        has_fp16_weight_kernel(weight.dtype, weight.device)
        and weight.numel() >= footprint.FP16_WEIGHT_MIN
        and fits_fp16(weight)
    ):
        return Fp16WeightLinear(weight, bias, before, after)
    if before is not None:
        weight = weight * before
    if after is not None:
        weight, bias = weight * after[:, None], None if bias is None else bias * after
    if runtime.usable(weight.dtype, weight.device) and suits_native_kernel(weight):
        return NativeLinear(weight, bias)
    return (
        OneDnnLinear(weight, bias) if has_onednn_kernel(weight.dtype, weight.device) else Linear(weight, bias)
    )


def suits_native_kernel(weight: torch.Tensor) -> bool:
    """Return True if our own kernel is the fastest for the weight's shape."""
    return weight.numel() >= NATIVE_MIN and gemm.supports(*weight.shape)


def has_onednn_kernel(dtype: torch.dtype, device: torch.device) -> bool:
    """Return True if oneDNN has a kernel for that type on that device."""
    if device.type != "cpu" or not torch_internals.has_onednn():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch_internals.onednn_supports_bf16())


def has_fp16_weight_kernel(dtype: torch.dtype, device: torch.device) -> bool:
    """Return True if the device has a kernel for float32 activations and float16 weights with results per row
    that are independent of the batch size (measured: with AVX2 only).
    """
    return (
        device.type == "cpu"
        and dtype == torch.float32
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
        and torch_internals.has_fbgemm()
    )


def fits_fp16(weight: torch.Tensor) -> bool:
    """Return True if float16 represents every element within `FP16_ERROR`; slices save memory."""
    return all(bool((rows.half() - rows).abs_().max() <= FP16_ERROR) for rows in torch.split(weight, 256))


def _padded(x: torch.Tensor) -> torch.Tensor:
    """Reshape (..., n) to (rows, n) and pad it with zeros to (ROWS_PADDED, n)."""
    rows = x.reshape(-1, x.shape[-1])
    return F.pad(rows, (0, 0, 0, ROWS_PADDED - len(rows)))
