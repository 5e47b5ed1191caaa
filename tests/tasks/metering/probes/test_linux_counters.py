import os
import threading
import time
from hashlib import pbkdf2_hmac

import pytest

from tasks.metering.probes import linux_counters


def waited_s(process: linux_counters.Process) -> float:
    return process.read()[linux_counters.NAMES.index("cpu_wait_s")]


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this kernel doesn't count it")
def test_waits_of_ended_threads_stay_counted() -> None:
    process = linux_counters.Process()
    core = min(os.sched_getaffinity(0))
    computed, stopped = threading.Barrier(4), threading.Event()

    def compete() -> None:
        os.sched_setaffinity(threading.get_native_id(), {core})
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pbkdf2_hmac("sha256", b"", b"", 2_000)  # without the interpreter's lock
        computed.wait()
        stopped.wait()

    before_s = waited_s(process)
    threads = [threading.Thread(target=compete) for _ in range(3)]
    for thread in threads:
        thread.start()
    computed.wait()
    alive_s = waited_s(process)
    stopped.set()
    for thread in threads:
        thread.join()
    assert alive_s - before_s > 0.2
    assert waited_s(process) >= alive_s
    process.close()
