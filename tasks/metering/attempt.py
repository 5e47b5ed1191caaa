"""Measurement of one attempt of a task: one row, also if the attempt fails.

    with attempt(task):
        ...                       # the body
        note(chars_in=812)        # facts that only the body knows, from anywhere inside it

In a process that runs one task at a time all figures are exact: the kernel's high-water mark of memory is
reset at the start and read at the end. If attempts overlap in one process (a thread pool), the use of the
process is divided among them, so that sums stay correct; `overlap_max` and `cpu_scope` record this.

Measuring never fails or slows a task: an error costs a figure, or the row.
"""

import contextvars
import logging
import math
import time
from types import TracebackType
from typing import Any

from celery import Task

from pipeline import clock
from tasks.metering.instruments import Instruments
from tasks.metering.meter import Meter
from tasks.metering.outcome import outcome_of
from tasks.metering.probes import linux_counters
from tasks.metering.request_identity import identity, since
from tasks.metering.usage import Usage

log = logging.getLogger(__name__)

WORK_FACTS = frozenset(
    (
        *("job", "segment", "labels", "engine", "model", "model_version", "device", "dtype", "voice", "lang"),
        *("chars_in", "tokens_in", "segments", "batch_size", "cache_hit", "audio_s", "sample_rate", "ttfa_s"),
        *("graphs_refused", "model_load_s", "cold_start", "bytes_out", "take", "findings", "score"),
    )
)
"""Columns of `task_run` that only the body knows and `note` accepts."""
PUBLIC_FACTS = frozenset(("voices",))
"""Further facts that `note` accepts, for `tasks.privacy.results`: the number of voices."""

Row = dict[str, Any]

_WORTH_ALL_S = 0.25
"""Attempts of tasks whose last run was shorter skip the counters that explain slowness and the cgroup's peak:
reading them cold takes 0.2 ms, more than 1 % of a short task."""

_current: contextvars.ContextVar["attempt | None"] = contextvars.ContextVar("attempt", default=None)


def note(**facts: Any) -> None:
    """Add facts to the running attempt's row; later ones win. Does nothing outside an attempt."""
    running = _current.get()
    if running is None:
        return
    unknown = facts.keys() - WORK_FACTS - PUBLIC_FACTS
    if unknown:
        log.warning("no column in the history for these facts", extra={"facts": sorted(unknown)})
    running.note(facts)


def note_failure(error: BaseException) -> None:
    """Record a failure that the task returns instead of raising; the row shows it whatever Celery's state."""
    running = _current.get()
    if running is not None:
        running.failure = error


class attempt:
    """Context manager that measures its body and appends one row to the spool."""

    def __init__(self, task: Task[Any, Any]) -> None:
        self._task = task
        self.usage = Usage()
        self.run_s: float | None = None
        self.failure: BaseException | None = None
        self._instruments: Instruments | None = None
        self._noted = False

    def __enter__(self) -> "attempt":
        self._token = _current.set(self)
        try:
            self._instruments = Instruments.mine()
            if self._instruments is not None:
                self._begin(self._instruments)
        except Exception:
            # statistics never fail a task
            self._abandon()
            log.exception("an attempt could not be measured")
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        self.run_s = time.perf_counter() - self.usage.clock
        if self._instruments is None:
            return
        try:
            self._end(self._instruments, error)
        except Exception:
            # statistics never fail a task
            log.exception("an attempt could not be recorded")

    def _begin(self, instruments: Instruments) -> None:
        meter, usage = instruments.meter, self.usage
        self.started = clock.now()
        usage.row = {**meter.place, **identity(self._task, self.started)}
        usage.worth_all = meter.last_run_s.get(self._task.name, _WORTH_ALL_S) >= _WORTH_ALL_S
        with meter.lock:
            meter.begun += 1
            usage.row["child_seq"] = meter.begun
            usage.slot = meter.recorder.begin(usage.row)
            meter.share_out(joining=usage)
            meter.active.append(usage)
            usage.overlap_max = len(meter.active)
            for other in meter.active:
                other.overlap_max = max(other.overlap_max, usage.overlap_max)
            alone = usage.overlap_max == 1
            self._reset = alone and meter.settings.reset_peak and meter.process.reset_peak()
            self._peak_before = None if alone else meter.process.status().get(b"VmHWM")
        self._cgroup_peak = meter.process.cgroup_peak_bytes() if usage.worth_all else linux_counters.UNKNOWN
        usage.rss_start_bytes = meter.process.rss_bytes()
        usage.cpu_energy_start_j = meter.energy.joules()
        usage.gpu = meter.gpu.begin(alone=usage.overlap_max == 1)
        instruments.sampler.wake()
        usage.clock = time.perf_counter()

    def note(self, facts: Row) -> None:
        """Add facts; the first ones go into the flight recorder at once, since they identify the job."""
        self.usage.facts.update(facts)
        if self._noted or self._instruments is None:
            return
        self._noted = True
        try:
            recorder = self._instruments.meter.recorder
            recorder.renew(self.usage.slot, {**self.usage.row, **self._columns()})
        except Exception:
            # statistics never fail a task
            log.exception("an attempt's facts could not be recorded")

    def _abandon(self) -> None:
        if self._instruments is not None:
            meter = self._instruments.meter
            with meter.lock:
                if self.usage in meter.active:
                    meter.active.remove(self.usage)
        self._instruments = None

    def _end(self, instruments: Instruments, error: BaseException | None) -> None:
        meter, usage = instruments.meter, self.usage
        run_s = time.perf_counter() - usage.clock
        status = meter.process.status()
        with meter.lock:
            meter.share_out()
            meter.active.remove(usage)
            meter.last_run_s[self._task.name] = run_s
        finished = self.started + run_s
        row, alone = usage.row, usage.overlap_max == 1
        row.update(finished_at=finished, finished_epoch=int(finished), run_s=run_s, stats_complete=1)
        row.update(overlap_max=usage.overlap_max, cpu_scope="process" if alone else "share")
        row.update(
            zip(linux_counters.NAMES, map(self._counter, linux_counters.NAMES, usage.used[:-1]), strict=True)
        )
        row.update(self._memory(instruments, status, run_s))
        part = 1.0 if alone else min(1.0, usage.used[-1] / max(run_s, 1e-9))
        row["share_s"] = run_s * part
        if usage.gpu is not None:
            row.update(usage.gpu.end(run_s, part))
        row.update(self._cpu_energy(meter, part))
        row.update(self._work(run_s))
        row["total_s"] = since(row.get("first_published_at"), finished)
        row["recorded_at"] = clock.now()
        self._leave(meter, error)

    def _cpu_energy(self, meter: Meter, part: float) -> Row:
        """Energy of the machine's CPU packages, divided among the attempts of this process."""
        start_j, end_j = self.usage.cpu_energy_start_j, meter.energy.joules()
        if start_j is None or end_j is None:
            return {}
        known, ours = self.usage.row, {"energy_method": "rapl", "energy_scope": "host_shared"}
        joined = {name: "+".join(filter(None, (known.get(name), each))) for name, each in ours.items()}
        return {"cpu_energy_j": (end_j - start_j) * part, **joined}

    def _leave(self, meter: Meter, error: BaseException | None) -> None:
        """Append the row to the spool, or leave it to the main process if that is ending this one."""
        row = {name: value for name, value in self.usage.row.items() if value is not None}
        if isinstance(error, SystemExit) and row.get("pool") == "prefork":
            meter.recorder.renew(self.usage.slot, row)  # only the main process knows the reason
            return
        row.update(outcome_of(error, self.failure).columns())
        meter.spool.append("task_run", row)
        meter.recorder.end(self.usage.slot)

    def _counter(self, name: str, value: float) -> float | int | None:
        if math.isnan(value):
            return None
        return value if name.endswith("_s") else round(value)

    def _memory(self, instruments: Instruments, status: dict[bytes, int], run_s: float) -> Row:
        meter, usage, rss_end = instruments.meter, self.usage, status.get(b"VmRSS")
        known = [rss for rss in (usage.rss_start_bytes, *usage.rss_samples, rss_end) if rss is not None]
        cgroup_peak = meter.process.cgroup_peak_bytes() if usage.worth_all else linux_counters.UNKNOWN
        peak, method = self._peak(status, known)
        row: Row = {
            "rss_start_bytes": usage.rss_start_bytes,
            "rss_end_bytes": rss_end,
            "rss_mean_bytes": sum(known) // len(known) if known else None,
            "rss_peak_bytes": peak,
            "rss_peak_method": method,
            "swap_end_bytes": status.get(b"VmSwap"),
            "threads_peak": max(usage.threads_peak, status.get(b"Threads", 0)) or None,
            "children_rss_peak_bytes": usage.children_rss_peak_bytes,
            "mem_limit_bytes": meter.process.mem_limit_bytes,
            "cgroup_peak_bytes": int(cgroup_peak) if cgroup_peak > self._cgroup_peak else None,
            "cpus_allowed": meter.process.cpus_allowed,
            "sample_count": len(known),
            "sample_interval_s": instruments.sampler.interval_s if usage.rss_samples else None,
            "sampler_cpu_s": usage.sampler_cpu_s,
        }
        shares = meter.process.shares_bytes(rss_end, run_s * 0.005) if rss_end is not None else None
        if shares is not None:
            row["pss_end_bytes"], row["uss_end_bytes"] = shares
        return row

    def _peak(self, status: dict[bytes, int], known: list[int]) -> tuple[int | None, str | None]:
        """Peak resident memory of the attempt and the method that obtained it."""
        mark = status.get(b"VmHWM")
        if mark is not None and self._reset:
            return mark, "hwm_reset"
        if mark is not None and self._peak_before is not None and mark > self._peak_before:
            return mark, "hwm_rose"
        if self.usage.rss_samples:
            return max(known), "sampled"
        if mark is not None:
            return mark, "maxrss_lifetime"
        return (max(known), "sampled") if known else (None, None)

    def _columns(self) -> Row:
        return {name: value for name, value in self.usage.facts.items() if name in WORK_FACTS}

    def _work(self, run_s: float) -> Row:
        facts = self._columns()
        audio_s = facts.get("audio_s")
        if isinstance(audio_s, int | float) and audio_s > 0:
            facts["rtf"] = run_s / audio_s
        if "engine" in facts:
            facts.setdefault("cold_start", int("model_load_s" in facts))
        return facts
