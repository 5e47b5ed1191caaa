"""Benchmarks: each prints JSON on its last line. `python -m bench.NAME`."""
