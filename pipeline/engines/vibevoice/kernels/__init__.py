"""Kernels of our own, compiled for the processor that runs them: for bfloat16 with AVX-512 BF16.

`product`, `norm` and `attention` are what the engine calls. `library` has what their `…_kernel` modules write
in LLVM's language (`writing`) compiled (`compiling`), and runs it with torch's threads. Nothing of LLVM is
loaded where they can't run.
"""
