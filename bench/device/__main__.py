"""Checks of the VibeVoice engine on a GPU, the most important first: `python -m bench.device`.

Prints one line of JSON for each check, a table, and one line of JSON for all checks. A check that fails does
not stop the next; one without enough time left is skipped, and its result says so. `--dry` runs everything
small on a CPU, to find mistakes before a GPU is used. Weights are random: speed and exactness do not depend
on them.
"""

import argparse
import json
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bench.device import ceilings, service, sound, speed
from bench.device.context import Bench

Check = Callable[[Bench], dict[str, Any]]

CHECKS: dict[str, tuple[float, Check]] = {
    "machine": (4, ceilings.machine),
    "exact": (12, sound.exact),
    "kernels": (15, sound.kernels),
    "frames_8": (50, speed.frames(8)),
    "prefill": (8, speed.prefill),
    "frames_64": (50, speed.frames(64)),
    "company": (12, sound.company),
    "fused_company": (25, sound.fused_company),
    "plain_8": (10, speed.frames(8, fused=False)),
    "plain_64": (10, speed.frames(64, fused=False)),
    "frames_1": (40, speed.frames(1)),
    "device_lost": (8, service.device_lost),
    "memory_runs_out": (15, service.memory_runs_out),
    "accounts": (8, service.accounts),
    "beside": (20, service.beside),
    "generate": (40, speed.generate),
    "eager_8": (12, speed.frames(8, fused=False, captured=False)),
    "frames_16": (50, speed.frames(16)),
    "frames_32": (50, speed.frames(32)),
}
"""Seconds on a GPU and function of each check."""


@contextmanager
def small(given: Path | None) -> Iterator[Path]:
    """Yield the small checkpoint: the given one, or one made for this run."""
    if given is not None:
        yield given
        return
    from bench.harness import tiny

    with tempfile.TemporaryDirectory() as folder:
        yield tiny.save(Path(folder))


def run(name: str, bench: Bench) -> dict[str, Any]:
    """Run one check; an error becomes its result."""
    start = time.monotonic()
    try:
        found = {"ok": True, **CHECKS[name][1](bench)}
    except Exception as error:  # noqa: BLE001  # the next check must run after any error
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        at = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        found = {"ok": False, "error": f"{type(error).__name__}: {str(error)[:300]}", "at": at}
        traceback.clear_frames(error.__traceback__)
    bench.tidy()
    return {"check": name, "s": round(time.monotonic() - start, 1), **found}


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--dry", action="store_true", help="small, on the CPU")
    wanted.add_argument("--budget", type=float, default=600.0, help="seconds")
    wanted.add_argument("--only", default="", help="names of checks, separated by commas")
    wanted.add_argument("--seven", action="store_true", help="the dimensions of 7B")
    wanted.add_argument("--no-own-kernels", action="store_true", help="fuse by Inductor alone")
    wanted.add_argument("--tiny", type=Path, help="a small checkpoint to use in place of a new one")
    given = wanted.parse_args()
    names = [name for name in given.only.split(",") if name] or list(CHECKS)
    start, results = time.monotonic(), []
    if given.dry:
        torch.set_num_threads(1)
    with small(given.tiny) as folder:
        bench = Bench(folder, given.dry, given.seven, not given.no_own_kernels)
        for name in names:
            left = given.budget - (time.monotonic() - start)
            enough = left >= CHECKS[name][0] * (0.1 if given.dry else 1)
            result = run(name, bench) if enough else {"check": name, "skipped": f"{left:.0f} s left"}
            print(json.dumps(result, default=str), flush=True)
            results.append(result)
    print("\n".join(bench.table))
    failed = [result["check"] for result in results if result.get("ok") is False]
    skipped = [result["check"] for result in results if "skipped" in result]
    took = round(time.monotonic() - start)
    print(json.dumps({"checks": len(results), "failed": failed, "skipped": skipped, "s": took}))
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
