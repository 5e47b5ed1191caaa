"""Our own kernels: JIT-compiled ones for CPUs with AVX-512 BF16, and Triton kernels for CUDA.

The engine calls `gemm`, `rms_norm` and `attention`. Their `…_ir` modules generate LLVM IR with `ir_builder`,
`jit` compiles it, and `runtime` runs it in torch's OpenMP threads. LLVM is not loaded where the CPU lacks
AVX-512 BF16. `triton_attention` and `triton_conv_block` are for CUDA.
"""
