"""Excludes the Triton kernels from doctests where Triton is not installed; it comes with torch for CUDA."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("triton") else ["triton_*.py"]
