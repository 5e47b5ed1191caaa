"""The Task history dashboard: cost of every attempt in the history and its trend, from PostgreSQL.

Most tables are the queries of `db/queries`, which `voxchord.py stats` runs too.
"""

from deploy.dashboards import panels
from deploy.dashboards.panels import Json, about, curves, panel, question, sql, table, variable

IN_RANGE = "$__unixEpochFilter(started_epoch)"
CHOSEN = f"{IN_RANGE} AND task_name IN (${{task:sqlstring}})"
ONE_JOB = (
    "/d/voxchord-job?var-job=${__data.fields.job}&from=${__data.fields.from_ms}&to=${__data.fields.to_ms}"
)


def dashboard() -> Json:
    return panels.dashboard(
        "history",
        "Task history",
        "What every attempt of every task cost. Columns are described by their comments in the database and "
        "in `column_doc`. An empty cell was not measured.",
        {
            "Jobs": _jobs(),
            "What tasks cost": _costs(),
            "Distributions": _spread(),
            "Trends": _over_time(),
            "Problems": _trouble(),
        },
        variables=[
            variable(
                "task",
                "Task",
                sql("SELECT DISTINCT task_name FROM v_outcome ORDER BY task_name"),
                why="Tasks included in the panels.",
            )
        ],
        since="now-24h",
        refresh="5m",
    )


def _jobs() -> list[Json]:
    return [
        table(
            "Jobs",
            "Jobs created in the selected time range, newest first. A job ID links to its page.",
            sql("""
SELECT id AS job, created_at, state, engine, segments, speakers, words, audio_s, speed,
    finished_epoch - created_epoch AS total_s, run_s, cpu_s, queue_wait_s, wasted_attempts, rss_peak_bytes,
    error,
    1000 * (created_epoch - 5) AS from_ms,
    1000 * (COALESCE(finished_epoch, EXTRACT(EPOCH FROM now())::bigint) + 5) AS to_ms
FROM (
    SELECT * FROM job WHERE $__unixEpochFilter(created_epoch) ORDER BY created_epoch DESC, id LIMIT 200
) newest
LEFT JOIN LATERAL (
    SELECT SUM(run_s) AS run_s, SUM(cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0)) AS cpu_s,
        SUM(queue_wait_s) AS queue_wait_s, MAX(rss_peak_bytes) AS rss_peak_bytes,
        SUM(CASE WHEN task_run.state IN ('SUCCESS', 'IGNORED') THEN 0 ELSE 1 END) AS wasted_attempts
    FROM task_run
    WHERE task_run.job = newest.id
    HAVING COUNT(*) > 0
) cost ON TRUE
ORDER BY created_at DESC
"""),
            units=_SECONDS
            | {"created_at": "dateTimeAsIso", "rss_peak_bytes": "bytes", "speed": "suffix: × real time"},
            links={"job": ("This job", ONE_JOB)},
            hidden=("from_ms", "to_ms"),
            height=9,
        ),
        _per_span(
            "Finished jobs",
            "Per time span, by state.",
            """
SELECT $__unixEpochGroupAlias(finished_epoch, $__interval), state, COUNT(*) AS jobs
FROM job
WHERE $__unixEpochFilter(finished_epoch)
GROUP BY 1, state
ORDER BY 1
""",
            unit="none",
            by="state",
        ),
        _per_span(
            "Audio made",
            "Seconds of decoded audio per time span, by engine, without reused segments.",
            f"""
SELECT $__unixEpochGroupAlias(finished_epoch, $__interval), engine, SUM(audio_s) AS audio_s
FROM task_run
WHERE {IN_RANGE} AND task_name = 'voxchord.diffusion' AND state = 'SUCCESS' AND COALESCE(cache_hit, 0) = 0
GROUP BY 1, engine
ORDER BY 1
""",
            unit="s",
            by="engine",
        ),
    ]


def _per_span(title: str, why: str, query: str, *, unit: str, by: str) -> Json:
    """Build a stacked panel of sums per time span, by a column of the query."""
    named = f"${{__field.labels.{by}}}"
    return curves(title, why, sql(query, over_time=True), unit=unit, stacked=True, named=named)


def _costs() -> list[Json]:
    return [
        table(
            "Efficiency",
            "Per task: run time, wait, cores used and memory of its attempts. A task without a device and "
            "with a low CPU share waits for storage, the broker or a lock.",
            sql(f"""
SELECT task_name, COUNT(*) AS n,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY run_s) AS run_p50_s,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY run_s) AS run_p95_s,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY queue_wait_s) AS wait_p95_s,
    SUM(cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0)) / NULLIF(SUM(share_s), 0) AS cores_used,
    SUM(gpu_active_s) / NULLIF(SUM(share_s), 0) AS device_used,
    MAX(rss_peak_bytes) AS rss_peak_bytes, MAX(mem_pct) / 100 AS of_limit,
    SUM(CASE WHEN wasted = 1 THEN run_s ELSE 0 END) AS wasted_s,
    SUM(CASE WHEN state = 'SUCCESS' THEN audio_s END) AS audio_s
FROM v_task_run
WHERE {CHOSEN}
GROUP BY task_name
ORDER BY SUM(run_s) DESC
"""),
            units=_SECONDS
            | {"rss_peak_bytes": "bytes", "of_limit": "percentunit", "device_used": "percentunit"},
        ),
        *(
            table(title, about(name), question(name), units=units, width=12)
            for title, name, units in (
                ("Speed", "speed", {"rtf_.*": "none"}),
                ("Bottlenecks", "bound", {"run_s": "s", "gpu_measured_share": "percentunit"}),
                (
                    "Cost of an hour of audio",
                    "energy",
                    {"audio_h": "h", "cpu_s_per_audio_h": "s", "gpu_s_per_audio_h": "s"}
                    | {"wh_per_audio_h": "watth", "energy_measured_share": "percentunit"},
                ),
                ("Cold starts", "cold_start", _SECONDS),
                ("Use of limits", "limits", {".*_pct": "percent"}),
                ("Memory per task", "memory", {**_MIB, "max_pct_of_limit": "percent"}),
                (
                    "Models per device",
                    "gpu_packing",
                    {"reserved_peak_bytes": "bytes", "reserved_not_used_share": "percentunit"},
                ),
            )
        ),
    ]


def _spread() -> list[Json]:
    return [
        panel(
            "histogram",
            "Run time",
            "Number of attempts by run time. Two peaks are two kinds of work.",
            sql(f"SELECT run_s FROM task_run WHERE {CHOSEN} AND run_s IS NOT NULL"),
            unit="s",
            width=8,
            options=_HISTOGRAM,
        ),
        panel(
            "histogram",
            "Peak memory",
            "Number of attempts by peak memory; exact peaks only.",
            sql(
                f"SELECT rss_peak_bytes FROM task_run WHERE {CHOSEN} "
                "AND rss_peak_method IN ('hwm_reset', 'hwm_rose')"
            ),
            unit="bytes",
            width=8,
            options=_HISTOGRAM,
        ),
        panel(
            "xychart",
            "Run time over audio",
            "Each point is an attempt that made audio, coloured by engine. Points above their line were "
            "slowed down.",
            sql(
                f"SELECT engine, audio_s, run_s FROM task_run WHERE {CHOSEN} AND state = 'SUCCESS' AND "
                f"audio_s > 0 "
                "AND COALESCE(cache_hit, 0) = 0 ORDER BY engine LIMIT 5000"
            ),
            unit="s",
            width=8,
            custom={"show": "points", "pointSize": {"fixed": 5}, "pointShape": "circle", "fillOpacity": 50},
            options={"mapping": "auto", "series": [], "tooltip": {"mode": "single"}, "legend": _LEGEND},
            transformations=[
                {
                    "id": "partitionByValues",
                    "options": {"fields": ["engine"], "keepFields": False, "naming": {"asLabels": True}},
                }
            ],
        ),
    ]


def _over_time() -> list[Json]:
    return [
        curves(
            "Run time, 95th percentile",
            "By task. A step is a release, another model or another machine.",
            sql(
                f"""
SELECT $__unixEpochGroupAlias(started_epoch, $__interval), task_name,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY run_s) AS run_p95_s
FROM task_run
WHERE {CHOSEN} AND run_s IS NOT NULL
GROUP BY 1, task_name
ORDER BY 1
""",
                over_time=True,
            ),
            unit="s",
            named="${__field.labels.task_name}",
        ),
        curves(
            "Run time per second of audio",
            "Median real-time factor of decoding, by engine and device. Above the line a slot is slower than "
            "real time.",
            sql(
                f"""
SELECT $__unixEpochGroupAlias(started_epoch, $__interval), engine, device,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY rtf) AS rtf_p50
FROM task_run
WHERE {IN_RANGE} AND task_name = 'voxchord.diffusion' AND rtf IS NOT NULL AND COALESCE(cache_hit, 0) = 0
GROUP BY 1, engine, device
ORDER BY 1
""",
                over_time=True,
            ),
            unit="none",
            line_at=1,
            named="${__field.labels.engine} ${__field.labels.device}",
        ),
        curves(
            "Longest wait per hour",
            "By queue.",
            question("waiting", over_time='hour_epoch AS "time", queue, queue_wait_max_s', top="10000"),
            unit="s",
            stepped=True,
            named="${__field.labels.queue}",
        ),
        curves(
            "Worker utilisation",
            "Share of each worker's slots in use, per hour, over the last day of the history. At 1 every "
            "slot is in use all the time.",
            question("busy", over_time='hour_epoch AS "time", worker, busy'),
            unit="percentunit",
            stepped=True,
            most=1,
            named="${__field.labels.worker}",
        ),
    ]


def _trouble() -> list[Json]:
    return [
        table(
            "Cost of unsuccessful attempts",
            about("failures"),
            question("failures"),
            units=_SECONDS | {"energy_measured_share": "percentunit"},
            width=12,
        ),
        table(
            "Takes that failed their check",
            about("takes"),
            question("takes"),
            units=_SECONDS,
            width=12,
        ),
        table(
            "Longest requests",
            about("requests"),
            question("requests"),
            units=_SECONDS | {"rss_peak_bytes": "bytes"},
            links={"job": ("This job", "/d/voxchord-job?var-job=${__data.fields.job}")},
            width=12,
        ),
        table(
            "Slowest attempts",
            "By real-time factor, or by run time if they made no audio. The job ID links to its page.",
            sql(f"""
SELECT task_name, job, segment, attempt, state, started_at, run_s, queue_wait_s, audio_s, rtf, cpu_pct,
    rss_peak_bytes, batch_size, cold_start, worker, exc_type, exc_message,
    1000 * (started_epoch - 60) AS from_ms, 1000 * (COALESCE(finished_epoch, started_epoch) + 60) AS to_ms
FROM v_task_run
WHERE {CHOSEN}
ORDER BY COALESCE(rtf, 0) DESC, run_s DESC
LIMIT 50
"""),
            units=_SECONDS
            | {"rss_peak_bytes": "bytes", "cpu_pct": "percent", "started_at": "dateTimeAsIso", "rtf": "none"},
            links={"job": ("This job", ONE_JOB)},
            hidden=("from_ms", "to_ms"),
        ),
        table(
            "Growing processes",
            about("leaks"),
            question("leaks"),
            units={"bytes_per_attempt": "bytes", "spread_bytes": "bytes"},
            width=12,
        ),
        table(
            "Newest release compared with the previous one",
            about("releases"),
            question("releases"),
            units={"change_pct": "percent"},
            width=12,
        ),
    ]


_SECONDS = {".*_s": "s"}
_MIB = {".*_mib": "mbytes"}
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True}
_HISTOGRAM = {"bucketCount": 40, "combine": False, "legend": {**_LEGEND, "showLegend": False}}
