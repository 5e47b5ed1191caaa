"""Our GEMM and oneDNN's in bfloat16, on weights of the language model that exceed the caches.

Both multiply the same numbers in turns. Takes a quarter of a minute on two cores and 2 GB of memory; needs a
CPU with AVX-512 BF16 and without AMX.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch

from pipeline.engines.vibevoice.kernels import runtime
from pipeline.engines.vibevoice.layers.linear import Linear, NativeLinear, OneDnnLinear

OUTER, INNER = 8960, 1536
WEIGHTS = 18
"""Number of weights that fill half a gigabyte."""
TURNS = 7


def took_s(products: Sequence[Linear], x: torch.Tensor) -> float:
    start = time.perf_counter()
    for one in products:
        one(x)
    return (time.perf_counter() - start) / len(products)


@torch.inference_mode()
def compare(rows: int, sides: Sequence[Sequence[Linear]]) -> dict[str, float]:
    """Measure both `sides`, oneDNN's and ours, with that many rows."""
    x = torch.randn(rows, INNER).bfloat16()
    turns = [[took_s(side, x) for side in sides] for _ in range(TURNS)]
    theirs, ours = (statistics.median(turn) for turn in zip(*turns, strict=True))
    size_gb, work_gflop = 2e-9 * OUTER * INNER, 2e-9 * rows * OUTER * INNER
    return {
        "onednn_gb_per_s": round(size_gb / theirs, 1),
        "ours_gb_per_s": round(size_gb / ours, 1),
        "onednn_gflop_per_s": round(work_gflop / theirs),
        "ours_gflop_per_s": round(work_gflop / ours),
        "ratio": round(statistics.median(a / b for a, b in turns), 2),
    }


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--threads", type=int, default=os.cpu_count())
    wanted.add_argument("--rows", default="1,2,4,8,12,16,64,256", help="rows that are multiplied")
    args = wanted.parse_args()
    if not runtime.supported():
        sys.exit("needs a processor with AVX-512 BF16 and without AMX")
    torch.set_num_threads(args.threads)
    weights = [torch.randn(OUTER, INNER).bfloat16() for _ in range(WEIGHTS)]
    kinds: list[Callable[[torch.Tensor], Linear]] = [OneDnnLinear, NativeLinear]
    sides = [[kind(weight) for weight in weights] for kind in kinds]
    found = {}
    for rows in map(int, args.rows.split(",")):
        found[str(rows)] = compare(rows, sides)
        print(f"{rows} rows: {found[str(rows)]}", flush=True)
    print(json.dumps({"rows": found, "threads": args.threads}))


if __name__ == "__main__":
    main()
