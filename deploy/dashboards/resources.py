"""The Resources dashboard: use and saturation of machines, workers, devices and the history."""

from deploy.dashboards import panels
from deploy.dashboards.panels import Json, curves, heat_map, promql, variable

_MIB = 1048576
"""Bytes of DCGM's unit of device memory."""


def dashboard() -> Json:
    return panels.dashboard(
        "resources",
        "Resources",
        "Use, saturation and errors of cores, memory, storage and devices.",
        {
            "Machine": _machine(),
            "Workers": _workers(),
            "Devices": _devices(),
            "History": _history(),
        },
        variables=[
            variable(
                "machine",
                "Machine",
                promql("label_values(node_cpu_seconds_total, instance)"),
                why="Machines with a node exporter.",
            )
        ],
    )


def _machine() -> list[Json]:
    here = 'instance=~"$machine"'
    busy = f'node_cpu_seconds_total{{{here},mode="idle"}}'
    return [
        heat_map(
            "CPU heat map",
            "Each row is a core, the colour the share of time it was busy. A few hot rows are slots with one "
            "thread each; all hot is a saturated machine.",
            promql(f"1 - rate({busy}[$__rate_interval])", "{{instance}} core {{cpu}}"),
            unit="percentunit",
        ),
        curves(
            "CPU by mode",
            "Share of all cores. `iowait` is time waiting for storage, `steal` is time the hypervisor used.",
            promql(
                f'sum by (mode) (rate(node_cpu_seconds_total{{{here},mode!="idle"}}[$__rate_interval])) '
                f"/ scalar(count({busy}))",
                "{{mode}}",
            ),
            unit="percentunit",
            stacked=True,
            most=1,
        ),
        _memory(
            "Memory",
            "Memory in use is total less available. At the dashed line the kernel kills a process.",
            promql(
                f"node_memory_MemTotal_bytes{{{here}}} - node_memory_MemAvailable_bytes{{{here}}}",
                "{{instance}} in use",
            ),
            promql(f"node_memory_Cached_bytes{{{here}}}", "{{instance}} page cache"),
            promql(f"node_memory_MemTotal_bytes{{{here}}}", "{{instance}} total"),
            bound="total",
        ),
        curves(
            "Pressure",
            "Share of time that some task waited for a core, memory or storage (PSI). It rises before "
            "anything fails.",
            *(
                promql(f"rate(node_pressure_{what}_waiting_seconds_total{{{here}}}[$__rate_interval])", what)
                for what in ("cpu", "memory", "io")
            ),
            unit="percentunit",
        ),
        curves(
            "Storage throughput",
            "By disk, over all programs.",
            promql(
                f"sum by (device) (rate(node_disk_read_bytes_total{{{here}}}[$__rate_interval]))",
                "{{device}} read",
            ),
            promql(
                f"sum by (device) (rate(node_disk_written_bytes_total{{{here}}}[$__rate_interval]))",
                "{{device}} written",
            ),
            unit="Bps",
        ),
        curves(
            "Free storage",
            "Share of each file system that is free. If the store is full, jobs pause; if the spool's disk "
            "is full, rows of the history are lost.",
            promql(
                f'node_filesystem_avail_bytes{{{here},fstype!~"tmpfs|overlay|squashfs"}} '
                f'/ node_filesystem_size_bytes{{{here},fstype!~"tmpfs|overlay|squashfs"}}',
                "{{mountpoint}}",
            ),
            unit="percentunit",
            most=1,
        ),
    ]


def _workers() -> list[Json]:
    return [
        curves(
            "Slots in use",
            "Running attempts, and the slots of each worker (dashed). At the dashed line further jobs wait.",
            promql("sum by (instance) (tts_tasks_running) or 0 * tts_worker_slots", "{{instance}} in use"),
            promql("tts_worker_slots", "{{instance}} slots"),
            unit="none",
            stepped=True,
            overrides=_dashed(".*slots"),
        ),
        _memory(
            "Memory of workers",
            "All processes of a worker, shared pages counted once; dashed: the limit of its container, if "
            "any. The alert MemoryNearLimit fires at 90 % of it.",
            promql("tts_worker_memory_bytes", "{{instance}}"),
            promql("tts_worker_memory_limit_bytes", "{{instance}} limit"),
            bound="limit",
        ),
        curves(
            "CPU by stage",
            "Cores used by attempts, by stage. Counted when an attempt ends, so a long one is a spike.",
            promql(
                "sum by (task) (rate(tts_task_cpu_seconds_total[$__rate_interval]))",
                "{{task}}",
            ),
            unit="none",
            stacked=True,
        ),
        curves(
            "CPU in use, reported by workers",
            "Share of the machine's cores used by all programs. One curve per worker.",
            promql("cpu_usage", "{{instance}}"),
            unit="percentunit",
            most=1,
        ),
        heat_map(
            "Peak memory of attempts",
            "Distribution of each attempt's own peak, exact even in a reused process. A second band above "
            "the first is a kind of job that needs more.",
            promql(
                "sum by (le) (increase(tts_task_rss_peak_bytes_bucket[$__rate_interval]))",
                "{{le}}",
                buckets=True,
            ),
            unit="short",
            rows_unit="bytes",
        ),
        curves(
            "Peak memory, 99th percentile",
            "By stage: the memory that a slot of the stage needs.",
            promql(
                "histogram_quantile(0.99, sum by (task, le) "
                "(rate(tts_task_rss_peak_bytes_bucket[$__rate_interval])))",
                "{{task}}",
            ),
            unit="bytes",
        ),
        curves(
            "Storage by stage",
            "Bytes that attempts read from and wrote to storage, without page cache hits.",
            promql(
                "sum by (task, direction) (rate(tts_task_io_bytes_total[$__rate_interval]))",
                "{{task}} {{direction}}",
            ),
            unit="Bps",
        ),
        curves(
            "Workers online in Flower",
            "1 while a worker's heartbeats arrive. A worker that answers Prometheus but is offline here has "
            "lost the broker.",
            promql("flower_worker_online", "{{worker}}"),
            unit="none",
            stepped=True,
            most=1,
        ),
    ]


def _devices() -> list[Json]:
    return [
        _memory(
            "Device memory",
            "Reported by the driver, over all processes; dashed: the device's memory. The alert "
            "DeviceMemoryFull fires at 95 %.",
            promql(f"DCGM_FI_DEV_FB_USED * {_MIB}", "device {{gpu}} in use"),
            promql(f"(DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE) * {_MIB}", "device {{gpu}} total"),
            bound="total",
        ),
        curves(
            "Device utilisation",
            "Share of time with at least one kernel running, not how much of the device the kernels used.",
            promql("DCGM_FI_DEV_GPU_UTIL", "device {{gpu}}"),
            unit="percent",
            most=100,
        ),
        heat_map(
            "Device heat map",
            "Each row is a device, the colour its utilisation. A cold row beside hot ones has no worker, or "
            "no jobs on its queue.",
            promql("DCGM_FI_DEV_GPU_UTIL", "device {{gpu}}"),
            unit="percent",
        ),
        curves(
            "Power",
            "By device.",
            promql("DCGM_FI_DEV_POWER_USAGE", "device {{gpu}}"),
            unit="watt",
        ),
        curves(
            "Temperature",
            "By device. Near its limit a device lowers its clock and decodes more slowly.",
            promql("DCGM_FI_DEV_GPU_TEMP", "device {{gpu}}"),
            unit="celsius",
        ),
        curves(
            "Device memory, reported by workers",
            "Memory in use on the device that a decoding worker is pinned to. Needs no DCGM exporter.",
            promql("gpu_memory_used", "{{instance}} device {{device}}"),
            unit="bytes",
        ),
        curves(
            "Device memory of attempts, 99th percentile",
            "By stage and device.",
            promql(
                "histogram_quantile(0.99, sum by (task, device, le) "
                "(rate(tts_task_gpu_memory_peak_bytes_bucket[$__rate_interval])))",
                "{{task}} {{device}}",
            ),
            unit="bytes",
        ),
        curves(
            "Device time by stage",
            "Devices used by attempts. Counted when an attempt ends.",
            promql("sum by (task) (rate(tts_task_gpu_active_seconds_total[$__rate_interval]))", "{{task}}"),
            unit="none",
            stacked=True,
        ),
        curves(
            "Power of attempts",
            "Energy of attempts over time, by source and scope (`energy_scope` in the history).",
            promql(
                "sum by (source, scope) (rate(tts_task_energy_joules_total[$__rate_interval]))",
                "{{source}} {{scope}}",
            ),
            unit="watt",
        ),
    ]


def _history() -> list[Json]:
    return [
        curves(
            "Rows written",
            "Rows inserted into the database per second, by worker.",
            promql("rate(tts_stats_rows_written_total[$__rate_interval])", "{{instance}}"),
            unit="ops",
            width=8,
        ),
        curves(
            "Spool size",
            "Bytes by worker; workers of one machine share a spool. The alert HistoryFallsBehind fires at "
            "the line.",
            promql("tts_stats_spool_bytes", "{{instance}}"),
            unit="bytes",
            line_at=64 * _MIB,
            width=8,
        ),
        curves(
            "Rows lost",
            "Since each worker's start. Above 0 the spool overflowed because the database was down for too "
            "long.",
            promql("tts_stats_rows_dropped_total", "{{instance}}"),
            unit="none",
            line_at=1,
            width=8,
        ),
    ]


def _memory(title: str, why: str, *targets: Json, bound: str) -> Json:
    """Build a panel of memory in use, with the series whose names end in `bound` as a dashed limit."""
    return curves(title, why, *targets, unit="bytes", overrides=_dashed(f".*{bound}"))


def _dashed(series: str) -> list[Json]:
    """Override that draws matching series as dashed lines without a fill."""
    properties = {
        "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
        "custom.fillOpacity": 0,
        "color": {"mode": "fixed", "fixedColor": "text"},
    }
    return [
        {
            "matcher": {"id": "byRegexp", "options": f"/{series}/"},
            "properties": [{"id": name, "value": value} for name, value in properties.items()],
        }
    ]
