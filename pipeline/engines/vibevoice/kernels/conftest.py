"""Doctests pass Triton's kernels by where Triton is not installed: it comes with torch for a GPU."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("triton") else ["triton_*.py"]
