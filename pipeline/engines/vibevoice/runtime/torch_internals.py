"""Internals of torch: kernels outside its public interface, what the CPU supports, and the compiler's errors.

oneDNN's and FBGEMM's kernels exist only in builds with these libraries, so they are needed only there.
"""

from pathlib import Path
from typing import Any

import torch

from pipeline import internals
from pipeline.internals import Internal

_ONEDNN = "the linear layer in oneDNN's kernel"
_FP16_WEIGHTS = "the linear layer with float16 weights"
_CPU = "the choice of CPU kernels"
_FUSION = "the fused kernels"

INTERNALS = (
    Internal(torch.ops.aten, "_weight_int8pack_mm", "the linear layer with int8 weights"),
    Internal(torch.ops.aten, "_flash_attention_forward", "the attention over ragged rows"),
    Internal(torch.cpu, "_is_avx512_bf16_supported", _CPU, ()),
    Internal(torch.cpu, "_is_amx_tile_supported", _CPU, ()),
)
ONEDNN_INTERNALS = (
    Internal(torch.ops.mkldnn, "_reorder_linear_weight", _ONEDNN),
    Internal(torch.ops.mkldnn, "_linear_pointwise", _ONEDNN),
    Internal(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", "the choice of a type"),
)
FBGEMM_INTERNALS = (
    Internal(torch.ops.quantized, "linear_prepack_fp16", _FP16_WEIGHTS),
    Internal(torch.ops.quantized, "linear_dynamic_fp16", _FP16_WEIGHTS),
)


def check(*, compiler: bool) -> None:
    """Check that torch has what is used here.

    Args:
        compiler: the compiler is used as well.

    Raises:
        InternalsError: torch lacks something.
    """
    onednn = ONEDNN_INTERNALS if has_onednn() else ()
    fbgemm = FBGEMM_INTERNALS if has_fbgemm() else ()
    internals.check("torch", (*INTERNALS, *onednn, *fbgemm, *(compiler_internals() if compiler else ())))


def compiler_internals() -> tuple[Internal, ...]:
    """Those of the compiler, whose import takes as long as that of torch."""
    import torch._dynamo.config
    import torch._dynamo.exc
    import torch._inductor.exc

    return (
        Internal(torch._dynamo.config, "recompile_limit", _FUSION),
        Internal(torch._dynamo.config, "accumulated_recompile_limit", _FUSION),
        Internal(torch._dynamo.exc, "TorchDynamoException", _FUSION),
        Internal(torch._inductor.exc, "InductorError", _FUSION),
    )


def has_onednn() -> bool:
    """True for builds of torch with oneDNN."""
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def has_fbgemm() -> bool:
    """True for builds of torch with FBGEMM."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def onednn_supports_bf16() -> bool:
    """True if oneDNN computes bfloat16 natively on this CPU."""
    return has_onednn() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def cpu_has_avx512_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())


def cpu_has_amx() -> bool:
    return bool(torch.cpu._is_amx_tile_supported())


def openmp_libraries() -> list[Path]:
    """The libgomp that comes with torch, if there is one."""
    return sorted(Path(torch.__file__).parent.glob("lib/libgomp*.so*"))[:1]


def limit_traces(per_region: int, total: int) -> None:
    """Set the numbers of traces from which the compiler gives up."""
    import torch._dynamo.config

    torch._dynamo.config.recompile_limit = per_region
    torch._dynamo.config.accumulated_recompile_limit = total


def is_compiler_error(error: Exception) -> bool:
    """True for errors of torch's compiler itself."""
    import torch._dynamo.exc
    import torch._inductor.exc

    return isinstance(error, (torch._dynamo.exc.TorchDynamoException, torch._inductor.exc.InductorError))


def prepack_onednn(weight: torch.Tensor, rows: int) -> torch.Tensor:
    """Convert a contiguous weight (outer, inner) into oneDNN's format for batches of about `rows` rows."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


def linear_onednn(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, epilogue: str, algorithm: str
) -> torch.Tensor:
    """Compute epilogue(x W + b): x (..., inner), a prepacked weight, to (..., outer)."""
    y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, epilogue, [], algorithm)
    return y


def linear_onednn_binary(
    x: torch.Tensor, other: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, operation: str
) -> torch.Tensor:
    """Compute x W + b, joined with other (..., outer) by 'add' or 'mul'."""
    y: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, weight, bias, operation)
    return y


def prepack_fp16(weight: torch.Tensor, bias: torch.Tensor | None) -> Any:
    """Convert a contiguous weight (outer, inner) and a bias into FBGEMM's format with float16 weights."""
    return torch.ops.quantized.linear_prepack_fp16(weight, bias)


def linear_fp16(x: torch.Tensor, weight: Any) -> torch.Tensor:
    """Compute x W + b in float32: x (rows, inner), a prepacked weight, to (rows, outer)."""
    y: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16(x, weight)
    return y


def linear_int8(x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Compute x (W * scale): x (rows, inner), int8 W (outer, inner), scale (outer,), to (rows, outer)."""
    y: torch.Tensor = torch.ops.aten._weight_int8pack_mm(x, weight, scale)
    return y


def flash_attention(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    query_bounds: torch.Tensor,
    bounds: torch.Tensor,
    sizes: tuple[int, int],
    lengths: torch.Tensor,
    *,
    causal: bool,
) -> torch.Tensor:
    """Attend over ragged rows on a GPU; arguments as in `ragged_kv_cache`.

    `torch.nn.attention.varlen.varlen_attn` calls this operator; before torch 2.13 it takes no `seqused_k`.
    """
    scale = queries.shape[-1] ** -0.5
    y: torch.Tensor = torch.ops.aten._flash_attention_forward(
        *(queries, keys, values, query_bounds, bounds, *sizes, 0.0, causal, False),
        scale=scale,
        seqused_k=lengths,
    )[0]
    return y
