"""Kernels of our own, compiled for the processor that runs them: for bfloat16 with AVX-512 BF16.

`gemm`, `rms_norm` and `attention` are what the engine calls. `runtime` has what their `…_ir` modules write in
LLVM's language (`ir_builder`) compiled (`jit`), and runs it with torch's threads. Nothing of LLVM is loaded
where they can't run.
"""
