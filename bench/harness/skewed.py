"""Celery in a process whose clock is wrong, as on a machine without time synchronisation.

    python -m bench.harness.skewed SECONDS -A tasks.app worker …

`time.time` is ahead by that many seconds, or behind if they are negative, also in its children. The clock
since boot is right, as it is on such a machine.
"""

import runpy
import sys
import time


def main() -> None:
    ahead_s = float(sys.argv.pop(1))
    right = time.time
    time.time = lambda: right() + ahead_s
    runpy.run_module("celery", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
