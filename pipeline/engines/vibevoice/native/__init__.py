"""Kernels of our own, compiled for the processor that runs them: for bfloat16 with AVX-512 BF16.

`library` compiles what the `…_kernel` modules write in LLVM's language (`writing`) and runs it with torch's
threads; `product` and `norm` are what the engine calls. Nothing of LLVM is loaded where they can't run.
"""
