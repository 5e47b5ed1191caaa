"""Prometheus metrics: one endpoint per worker, in its main process.

The main process counts the rows that it writes to the history, so counters match the history and need nothing
from children. Workers of one machine share a spool, and the worker that writes a row counts it: sum over
workers. A row may be counted twice if the connection breaks after the database committed it.

Labels are few and bounded (task, queue, state, engine, device); single attempts are in the history.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil
from celery import Celery, signals
from celery.worker import state
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from db.ingest import spool
from db.schema import BUCKETS_S, TAKES_BY_HAND
from pipeline.cgroup import memory_limit_bytes
from tasks.metering.probes.linux_counters import smaps_rollup
from tasks.metering.probes.nvml import Nvml, visible_names
from tasks.metering.queue_metrics import Queues

log = logging.getLogger(__name__)

RATIO = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
"""Buckets of run seconds per second of audio; 1 is real time."""
BYTES = tuple(float(2**power) for power in range(26, 37))
_PORTS = 10
_GPU_MEMORY = ("gpu_mem_alloc_peak_bytes", "gpu_mem_proc_peak_bytes", "gpu_mem_device_peak_bytes")
_IO = {"read": "io_read_bytes", "write": "io_write_bytes"}
_CPU = {"user": "cpu_user_s", "system": "cpu_system_s", "children": "cpu_children_s"}

Row = dict[str, Any]


class Attempts:
    """Metrics counted from rows of `task_run`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        self.attempts = counter("tts_task_attempts", "Finished attempts.", "task", "queue", "state")
        self.retries = counter("tts_task_retries", "Attempts that will be retried.", "task")
        self.run = histogram("tts_task_run_seconds", "Run time of attempts.", BUCKETS_S, "task", "engine")
        self.wait = histogram(
            "tts_task_queue_wait_seconds", "Wait before the run, by stage.", BUCKETS_S, "task", "stage"
        )
        self.cpu = counter("tts_task_cpu_seconds", "CPU time of attempts.", "task", "mode")
        self.rss = histogram("tts_task_rss_peak_bytes", "Peak resident memory.", BYTES, "task")
        self.gpu = histogram("tts_task_gpu_memory_peak_bytes", "Peak device memory.", BYTES, "task", "device")
        self.gpu_active = counter(
            "tts_task_gpu_active_seconds", "Device utilisation integrated over time.", "task"
        )
        self.energy = counter("tts_task_energy_joules", "Energy of attempts.", "source", "scope")
        self.audio = counter("tts_audio_seconds", "Seconds of audio made.", "task", "engine")
        self.rtf = histogram("tts_task_rtf_ratio", "Run time per audio time.", RATIO, "task", "engine")
        self.refused = counter(
            "tts_task_without_cuda_graphs", "Attempts whose decoder runs partly without CUDA graphs.", "task"
        )
        self.verdicts = counter(
            "tts_verdicts", "Verdicts on takes, by what fails them; `passed` for none.", "engine", "finding"
        )
        self.takes = counter("tts_takes_repeated", "Takes made because one failed its check.", "engine")
        self.replaced = counter(
            "tts_takes_replaced", "Failed takes in whose place a later one passed its check.", "engine"
        )
        self.io = counter("tts_task_io_bytes", "Bytes read from and written to storage.", "task", "direction")

    def count(self, row: Row) -> None:
        """Count one attempt. Unmeasured figures are skipped."""
        task, engine = str(row["task_name"]), str(row.get("engine") or "")
        self.attempts.labels(task, str(row.get("queue") or ""), row["state"]).inc()
        if row["state"] == "RETRY":
            self.retries.labels(task).inc()
        _observe(self.run.labels(task, engine), row.get("run_s"))
        _observe(self.wait.labels(task, "broker"), row.get("broker_wait_s"))
        _observe(self.wait.labels(task, "prefetch"), row.get("prefetch_wait_s"))
        for mode, column in _CPU.items():
            _add(self.cpu.labels(task, mode), row.get(column))
        _observe(self.rss.labels(task), row.get("rss_peak_bytes"))
        memory = next((row[name] for name in _GPU_MEMORY if row.get(name) is not None), None)
        if memory is not None:
            self.gpu.labels(task, str(row.get("device") or "")).observe(memory)
            _add(self.gpu_active.labels(task), row.get("gpu_active_s"))
        for source in ("gpu", "cpu"):
            if row.get(f"{source}_energy_j") is not None:
                scope = str(row.get("energy_scope") or "")
                self.energy.labels(source, scope).inc(row[f"{source}_energy_j"])
        if row["state"] == "SUCCESS" and row.get("audio_s") is not None and not row.get("cache_hit"):
            _add(self.audio.labels(task, engine), row["audio_s"])
            _observe(self.rtf.labels(task, engine), row.get("rtf"))
        if row.get("graphs_refused"):
            self.refused.labels(task).inc()
        self._count_takes(row, engine)
        for direction, column in _IO.items():
            _add(self.io.labels(task, direction), row.get(column))

    def _count_takes(self, row: Row, engine: str) -> None:
        take = row.get("take")
        if row["state"] != "SUCCESS" or row.get("cache_hit") or take is None:
            return
        again = 0 < take < TAKES_BY_HAND
        findings = row.get("findings")
        if findings is None:
            self.takes.labels(engine).inc(again)
            return
        for finding in findings.split(",") if findings else ("passed",):
            self.verdicts.labels(engine, finding).inc()
        self.replaced.labels(engine).inc(again and not findings)


def _observe(histogram: Histogram, value: float | None) -> None:
    if value is not None:
        histogram.observe(value)


def _add(counter: Counter, value: float | None) -> None:
    if value is not None:
        counter.inc(value)


class Here(Collector):
    """Gauges read at scrape time: this worker, its machine, its spool."""

    def __init__(self, spool_folder: Path, written: Callable[[], int], *, slots: int, gpu: bool) -> None:
        self._folder, self._written, self._slots = spool_folder, written, slots
        self._nvml = Nvml.load() if gpu else None
        self._limit_bytes = memory_limit_bytes()
        psutil.cpu_percent()  # the first call only sets the reference

    def collect(self) -> Iterable[Metric]:
        running = GaugeMetricFamily("tts_tasks_running", "Running attempts.", labels=["task"])
        names = [str(request.name) for request in list(state.active_requests)]
        for name in sorted(set(names)):
            running.add_metric([name], names.count(name))
        yield running
        yield GaugeMetricFamily("tts_worker_slots", "Attempts that the worker can run at once.", self._slots)
        yield from self._memory()
        yield GaugeMetricFamily("cpu_usage", "Share of the machine's CPU in use.", psutil.cpu_percent() / 100)
        yield from self._gpu_memory()
        yield CounterMetricFamily("tts_stats_rows_written", "Rows written to the history.", self._written())
        yield CounterMetricFamily(
            "tts_stats_rows_dropped", "Rows dropped from a full spool.", spool.dropped(self._folder)
        )
        pending = spool.pending_bytes(self._folder)
        yield GaugeMetricFamily(
            "tts_stats_spool_bytes", "Spooled bytes that are not in the database.", pending
        )

    def _memory(self) -> Iterable[Metric]:
        used = memory_bytes(psutil.Process())
        if used is not None:
            yield GaugeMetricFamily(
                "tts_worker_memory_bytes", "Memory of the worker's processes (PSS).", used
            )
        if self._limit_bytes is not None:
            limit = self._limit_bytes
            yield GaugeMetricFamily("tts_worker_memory_limit_bytes", "Memory limit of the cgroup.", limit)

    def _gpu_memory(self) -> Iterable[Metric]:
        if self._nvml is None:
            return
        used = GaugeMetricFamily("gpu_memory_used", "Device memory in use, bytes.", labels=["device"])
        for name in visible_names(os.environ.get("CUDA_VISIBLE_DEVICES", "")):
            handle = self._nvml.device(name)
            memory = self._nvml.ask("nvmlDeviceGetMemoryInfo", handle) if handle is not None else None
            if memory is not None:
                used.add_metric([name], memory.used)
        yield used


def memory_bytes(process: psutil.Process) -> int | None:
    """Proportional memory (PSS) of a process and its descendants; shared pages are divided among them."""
    sizes = (smaps_rollup(each.pid) for each in (process, *process.children(recursive=True)))
    known = [size[b"Pss"] for size in sizes if size is not None]
    return sum(known) if known else None


class Metrics:
    """Metrics endpoint of a worker.

    Args:
        spool_folder: of the history.
    """

    def __init__(self, app: Celery, spool_folder: Path, version: str) -> None:
        self._app, self._folder = app, spool_folder
        self.registry = CollectorRegistry()
        self.attempts = Attempts(self.registry)
        self._written = 0
        build = Gauge("tts_build_info", "Version of the code.", ["version"], registry=self.registry)
        build.labels(version).set(1)

    def count(self, table: str, rows: Sequence[Row]) -> None:
        """Count rows written to the history."""
        self._written += len(rows)
        if table == "task_run":
            for row in rows:
                self.attempts.count(row)

    def serve(self, port: int, address: str, *, slots: int, gpu: bool, queues: bool) -> int:
        """Listen on the first free one of ten ports, since a machine may have several workers; returns it.

        Raises:
            OSError: all are taken.
        """
        self.registry.register(Here(self._folder, lambda: self._written, slots=slots, gpu=gpu))
        if queues:
            self.registry.register(Queues(self._app, time.time))
        for candidate in range(port, port + _PORTS):
            try:
                server, _thread = start_http_server(candidate, address, self.registry)
            except OSError as error:
                taken = error
            else:
                return int(server.server_port)
        raise taken


def install(app: Celery, spool_folder: Path, version: str, *, port: int, address: str) -> Metrics:
    """Serve from the worker's main process, once the worker is ready and its children are forked."""
    metrics = Metrics(app, spool_folder, version)

    def serve(sender: Any = None, **_: Any) -> None:
        served = {str(queue) for queue in app.amqp.queues.consume_from}
        gpu = bool(os.environ.get("CUDA_VISIBLE_DEVICES")) and "prefork" not in sender.pool.__module__
        try:
            slots = int(sender.pool.limit)
            metrics.serve(port, address, slots=slots, gpu=gpu, queues="voxchord" in served)
        except OSError as error:
            log.error(
                "cannot serve metrics: ports are in use", extra={"port": port, "reason": error.strerror}
            )

    signals.worker_ready.connect(serve, weak=False)
    return metrics
