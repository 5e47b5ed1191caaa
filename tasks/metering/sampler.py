"""Sampling thread of a process, once a second while attempts run.

It measures what has no counter: means, child processes, threads, devices. It also renews the flight recorder
and records a series of samples for long attempts.
"""

import logging
import threading
import time
from typing import Any

from pipeline import clock
from tasks.metering.meter import Meter
from tasks.metering.usage import Usage

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_FROM_S = 0.4
"""Minimum age of a sampled attempt: for shorter ones, start and end suffice."""
_IDLE_ROUNDS = 3
"""Rounds without a running attempt before the thread sleeps; waking it costs more than an idle round."""


class Sampler:
    """Samples the attempts of one process once a second."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._wake = threading.Event()
        self._stopping = False
        self._asleep = True
        self._thread: threading.Thread | None = None
        self.interval_s = _EVERY_S

    def wake(self) -> None:
        """Wake the thread for a new attempt; does nothing if it is awake."""
        if not self._asleep:
            return
        self._asleep = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="history-sampler", daemon=True)
            self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait()
            self._wake.clear()
            self._sample_until_idle()
            self._asleep = True
            if self._meter.active:  # one started between the last round and the line above
                self.wake()

    def _sample_until_idle(self) -> None:
        idle = 0
        while idle < _IDLE_ROUNDS and not self._stopping:
            time.sleep(_EVERY_S)
            idle = 0 if self._meter.active else idle + 1
            try:
                self._sample()
            except Exception:
                # statistics never fail a task
                log.exception("a sample failed")

    def _sample(self) -> None:
        begun, now = time.thread_time(), time.perf_counter()
        meter = self._meter
        running = [one for one in list(meter.active) if now - one.clock >= _FROM_S]
        if not running:
            return
        meter.energy.joules()  # its counters wrap around
        status = meter.process.status()
        rss, threads = status.get(b"VmRSS"), status.get(b"Threads", 0)
        children = meter.process.children_rss_bytes()
        device = next((one.gpu.read() for one in running if one.gpu is not None), None)
        for one in running:
            self._add(one, rss, threads, children, device)
        cost = (time.thread_time() - begun) / len(running)
        for one in running:
            one.sampler_cpu_s += cost

    def _add(
        self, one: Usage, rss: int | None, threads: int, children: int, device_sample: dict[str, Any] | None
    ) -> None:
        meter = self._meter
        if rss is not None:
            one.rss_samples.append(rss)
        one.threads_peak = max(one.threads_peak, threads)
        one.children_rss_peak_bytes = max(one.children_rss_peak_bytes or 0, children)
        device = one.gpu.sample(device_sample) if one.gpu is not None else {}
        elapsed_s = time.perf_counter() - one.clock
        with meter.lock:
            if one not in meter.active:
                return
            meter.share_out()
            known = {
                **one.row,
                **one.facts,
                "run_s": elapsed_s,
                "rss_peak_bytes": max(one.rss_samples, default=None),
                "cpu_user_s": one.used[0],
                "cpu_system_s": one.used[1],
                "share_s": one.used[-1],
            }
            meter.recorder.renew(one.slot, known)
        after_s = meter.settings.sample_after_s
        if after_s is not None and elapsed_s >= after_s:
            self._keep(
                one,
                elapsed_s,
                {"rss_bytes": rss, "children_rss_bytes": children, "threads": threads, **device},
            )

    def _keep(self, one: Usage, elapsed_s: float, sample: dict[str, Any]) -> None:
        self._meter.spool.append(
            "task_sample",
            {
                "attempt_uid": one.row["attempt_uid"],
                "at_ms": int(elapsed_s * 1000),
                "sampled_epoch": int(clock.now()),
                "cpu_s": one.used[0] + one.used[1],
                **sample,
            },
        )
