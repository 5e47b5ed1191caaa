"""The One job dashboard: a job's attempts on a timeline, their waits and their cost."""

from db.reports.advice import BUSY_MAX, LOADING_MAX, MEMORY_MAX, STARVED_MAX, TAIL_MAX, WASTED_MAX
from db.schema import STATES
from deploy.dashboards import panels
from deploy.dashboards.panels import (
    Json,
    about,
    address,
    curves,
    figure,
    panel,
    question,
    sql,
    table,
    variable,
)
from pipeline.stage_names import JOB_STAGES, SEGMENT_STAGES

JOB = "job = ${job:sqlstring}"
_COLORS = ("purple", "blue", "light-blue", "orange", "super-light-purple", "green", "yellow")
_MADE = "state IN ('SUCCESS', 'IGNORED')"
_DONE = f"""CONCAT(
    CASE WHEN state = 'SUCCEEDED' THEN COALESCE(segments_done, segments) ELSE COALESCE(segments_done, 0) + (
        SELECT COUNT(DISTINCT segment)
        FROM task_run
        WHERE {JOB} AND task_name = 'voxchord.diffusion' AND state = 'SUCCESS' AND cache_hit IS NOT NULL
            AND started_epoch >= COALESCE(v_job.started_epoch, 0)
    ) END,
    ' of ', segments
) AS segments"""
_ENDED_AT = "started_at + run_s * INTERVAL '1 second'"
_SENT_AT = "GREATEST(published_at, eta_at)"


def dashboard() -> Json:
    return panels.dashboard(
        "job",
        "One job",
        "One job from its first message to its file. Select the job above; links from Task history also set "
        "the time range.",
        {
            "Summary": _in_short(),
            "Timeline": _line_of_time(),
            "Where the time went": _where_it_went(),
            "Resources": _use(),
            "Segments and attempts": _each(),
        },
        variables=[
            variable(
                "job",
                "Job",
                sql("""
SELECT id AS __value,
    CONCAT(LEFT(id, 12), ' ', state, ' ', to_char(created_at, 'YYYY-MM-DD HH24:MI')) AS __text
FROM job
ORDER BY created_epoch DESC
LIMIT 500
"""),
                several=False,
                why="The newest 500, newest first.",
            ),
            address(
                "flower",
                "Flower",
                "http://127.0.0.1:5555",
                why="URL under which this browser reaches Flower, for links.",
            ),
        ],
        links=[
            ("Report, with advice", "${flower}/voxchord/jobs/${job}/report"),
            ("Manifest", "${flower}/voxchord/jobs/${job}"),
            ("Audio", "${flower}/voxchord/jobs/${job}/audio"),
            ("Tasks in Flower", "${flower}/tasks"),
        ],
        since="now-6h",
    )


def _in_short() -> list[Json]:
    def of_job(column: str) -> Json:
        return sql(f"SELECT {column} FROM v_job WHERE id = ${{job:sqlstring}}")

    return [
        figure("State", "State in the job list.", of_job("state"), unit="none", text=True),
        figure("Audio", "Duration of the finished file.", of_job("audio_s"), unit="s"),
        figure(
            "Duration",
            "From the request, or from the last restart, to the end. Empty while the job runs.",
            of_job(
                "EXTRACT(EPOCH FROM finished_at - CASE WHEN run_no > 1 THEN COALESCE(started_at, created_at) "
                "ELSE created_at END) AS total_s",
            ),
            unit="s",
        ),
        figure(
            "Speed",
            "Seconds of audio per second from start to end. Above 1 is faster than real time.",
            of_job("speed"),
            unit="none",
            steps=((None, "red"), (1, "green")),
        ),
        figure(
            "Segments done",
            "Of the planned segments, including those that existed before the job started.",
            of_job(_DONE),
            unit="none",
            text=True,
        ),
        figure(
            "Unsuccessful",
            "Attempts that failed, were lost or were requeued.",
            of_job("wasted_attempts"),
            unit="none",
            steps=((None, "green"), (1, "orange")),
        ),
    ]


def _line_of_time() -> list[Json]:
    colors = dict(zip(("render", *JOB_STAGES), _COLORS, strict=True)) | {"waits": "semi-dark-red"}
    colors |= {state: "text" for state in STATES if state not in {"SUCCESS", "IGNORED"}}
    mapping = {name: {"color": color, "index": place} for place, (name, color) in enumerate(colors.items())}
    return [
        panel(
            "state-timeline",
            "Segments",
            "One line per segment with its stages; red: waiting for a worker, or behind other tasks that a "
            "worker had prefetched. An unsuccessful attempt shows its state.",
            sql(f"""
WITH attempts AS (
    SELECT split_part(task_name, '.', 2) AS stage, state, queue_wait_s, started_at,
        COALESCE('segment ' || to_char(segment, 'FM00000'), split_part(task_name, '.', 2)) AS lane,
        {_ENDED_AT} AS ended_at, {_SENT_AT} AS sent_at
    FROM task_run
    WHERE {JOB} AND run_s IS NOT NULL
),
runs AS (
    SELECT stage, state, queue_wait_s, started_at, lane, ended_at,
        GREATEST(sent_at, LAG(ended_at) OVER (PARTITION BY lane ORDER BY started_at)) AS sent_at
    FROM attempts
)
SELECT started_at AS "time", ended_at AS until, lane, CASE WHEN {_MADE} THEN stage ELSE state END AS doing
FROM runs
UNION ALL
SELECT sent_at, started_at, lane, 'waits'
FROM runs
WHERE queue_wait_s > 0 AND sent_at < started_at
ORDER BY lane, "time"
"""),
            width=24,
            height=14,
            custom={"fillOpacity": 80, "lineWidth": 0},
            options={
                "mergeValues": False,
                "showValue": "auto",
                "alignValue": "left",
                "rowHeight": 0.9,
                "perPage": 30,
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "single"},
            },
            defaults={
                "mappings": [{"type": "value", "options": mapping}],
                "displayName": "${__field.labels.lane}",
            },
            transformations=[
                {
                    "id": "partitionByValues",
                    "options": {"fields": ["lane"], "keepFields": False, "naming": {"asLabels": True}},
                }
            ],
        ),
        curves(
            "Running attempts",
            "By stage. A stage that never exceeds 1 has one slot; a stage that ends long after the others "
            "has a straggler.",
            sql(_running_count("started_at", _ENDED_AT), over_time=True),
            unit="none",
            stacked=True,
            stepped=True,
            named="${__field.labels.stage}",
        ),
        curves(
            "Waiting attempts",
            "By stage, from the time the message was sent or its back-off ended.",
            sql(_running_count(_SENT_AT, "started_at"), over_time=True),
            unit="none",
            stacked=True,
            stepped=True,
            named="${__field.labels.stage}",
        ),
    ]


def _running_count(start: str, end: str) -> str:
    """SQL that counts open intervals at each start and end."""
    return f"""
WITH changes AS (
    SELECT {start} AS at, split_part(task_name, '.', 2) AS stage, 1 AS change
    FROM task_run WHERE {JOB} AND run_s IS NOT NULL AND {start} <= {end}
    UNION ALL
    SELECT {end}, split_part(task_name, '.', 2), -1
    FROM task_run WHERE {JOB} AND run_s IS NOT NULL AND {start} <= {end}
)
SELECT DISTINCT at AS "time", stage, SUM(change) OVER (PARTITION BY stage ORDER BY at) AS n
FROM changes
ORDER BY 1
"""


def _where_it_went() -> list[Json]:
    return [
        table(
            "Stages",
            about("job"),
            question("job", job="${job:sqlstring}"),
            units={".*_s": "s", "peak_mib": "mbytes", "share_of_run_pct": "percent"},
        ),
        table(
            "Findings",
            "Figures that make a job slow, the threshold of each, and what would change it. "
            "`voxchord.py report JOB` reports more, in sentences.",
            sql(_STANDS_OUT),
            units={"figure": "percentunit", "bound": "percentunit"},
            width=12,
            height=9,
        ),
        table(
            "Waits",
            "By stage: in the broker (too few workers on that queue), or in a worker that had prefetched the "
            "message and was busy.",
            sql(f"""
SELECT split_part(task_name, '.', 2) AS stage, queue, COUNT(queue_wait_s) AS n,
    AVG(broker_wait_s) AS broker_mean_s, AVG(prefetch_wait_s) AS prefetch_mean_s,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY queue_wait_s) AS wait_p95_s, MAX(queue_wait_s) AS wait_max_s
FROM task_run
WHERE {JOB}
GROUP BY task_name, queue
ORDER BY MAX(queue_wait_s) DESC NULLS LAST
"""),
            units={".*_s": "s"},
            width=12,
            height=9,
        ),
    ]


_STANDS_OUT = f"""
WITH attempts AS (
    SELECT *, {_ENDED_AT} AS ended_at, {_SENT_AT} AS sent_at,
        CASE WHEN {_MADE} THEN 0 ELSE run_s END AS wasted_s
    FROM task_run
    WHERE {JOB}
),
whole AS (
    SELECT SUM(run_s) AS run_s,
        EXTRACT(EPOCH FROM MAX(ended_at) - MIN(LEAST(sent_at, started_at)))::float8 AS span_s,
        SUM(CASE WHEN task_name = 'voxchord.stitch' THEN run_s END) AS stitch_s,
        SUM(CASE WHEN cpu_wait_s IS NOT NULL THEN share_s END) AS starvable_s,
        SUM(CASE WHEN gpu_active_s IS NOT NULL THEN share_s END) AS on_device_s,
        SUM(wasted_s) AS wasted_s, SUM(cpu_wait_s) AS starved_s, SUM(model_load_s) AS loading_s,
        SUM(gpu_active_s) AS gpu_active_s,
        MAX(rss_peak_bytes)::float8 / NULLIF(MAX(mem_limit_bytes), 0) AS of_limit
    FROM attempts
),
slots AS (
    SELECT SUM(concurrency) AS n
    FROM (
        SELECT MAX(concurrency) AS concurrency
        FROM attempts
        GROUP BY worker
        HAVING SUM(run_s) >= (SELECT run_s FROM whole) / 20
    ) busy
)
SELECT what, figure, bound, CASE WHEN figure > bound THEN advice ELSE '' END AS advice
FROM whole, slots, LATERAL (VALUES
    ('slots in use', run_s / NULLIF(span_s * slots.n, 0), {BUSY_MAX},
        'all slots were in use: more slots would make it faster'),
    ('unsuccessful work', wasted_s / NULLIF(run_s, 0), {WASTED_MAX}, 'the attempts below show what failed'),
    ('runnable with no free core', starved_s / NULLIF(starvable_s, 0), {STARVED_MAX},
        'other programs, or too many slots or threads'),
    ('loading models', loading_s / NULLIF(run_s, 0), {LOADING_MAX}, 'long-running workers load them once'),
    ('stitch alone at the end', stitch_s / NULLIF(span_s, 0), {TAIL_MAX}, 'use a faster format or disk'),
    ('memory, of its limit', of_limit, {MEMORY_MAX}, 'raise the limit before the process is killed'),
    ('device idle while decoding', 1 - gpu_active_s / NULLIF(on_device_s, 0), 0.5,
        'decode more segments at once, if the device memory allows')
) facts (what, figure, bound, advice)
WHERE figure IS NOT NULL
ORDER BY figure / bound DESC
"""


def _use() -> list[Json]:
    def sampled(value: str) -> Json:
        return sql(
            f"""
SELECT started_at + at_ms * INTERVAL '1 millisecond' AS "time", split_part(task_name, '.', 2) AS stage,
    COALESCE(segment::text, '') AS segment, {value}
FROM task_sample JOIN task_run USING (attempt_uid)
WHERE {JOB}
ORDER BY 1
""",
            over_time=True,
        )

    name = "${__field.labels.stage} ${__field.labels.segment}"
    return [
        curves(
            "Memory",
            "Resident memory of the process, for attempts longer than half a minute.",
            sampled("task_sample.rss_bytes"),
            unit="bytes",
            named=name,
        ),
        curves(
            "CPU",
            "CPU seconds of the process since the attempt started: a slope of 1 is one busy core, a flat "
            "line is waiting.",
            sampled("task_sample.cpu_s"),
            unit="s",
            named=name,
        ),
        curves(
            "Device memory",
            "In use by all processes on the device, during each long attempt.",
            sampled("task_sample.gpu_mem_bytes"),
            unit="bytes",
            named=name,
        ),
        curves(
            "Device utilisation",
            "Share of time with a kernel running, during each long attempt.",
            sampled("task_sample.gpu_util_pct"),
            unit="percent",
            most=100,
            named=name,
        ),
    ]


def _each() -> list[Json]:
    return [
        table(
            "Segments",
            "One line per segment: run time of its stages, total wait, and the worker that decoded it.",
            sql(f"""
SELECT segment, COUNT(*) AS attempts,
    {_per_stage()},
    SUM(queue_wait_s) AS waited_s,
    MAX(CASE WHEN task_name = 'voxchord.diffusion' AND {_MADE} THEN audio_s END) AS audio_s,
    MAX(CASE WHEN task_name = 'voxchord.diffusion' AND {_MADE} THEN rtf END) AS rtf,
    MAX(CASE WHEN task_name = 'voxchord.diffusion' THEN worker END) AS decoded_by,
    MAX(CASE WHEN task_name = 'voxchord.diffusion' THEN cache_hit END) AS was_there,
    MAX(rss_peak_bytes) AS rss_peak_bytes
FROM task_run
WHERE {JOB} AND segment IS NOT NULL
GROUP BY segment
ORDER BY segment
"""),
            units={".*_s": "s", "rss_peak_bytes": "bytes"},
            height=10,
        ),
        table(
            "Attempts",
            "In order of start. The task ID links to Flower, the stage to all columns of the attempt.",
            sql(f"""
SELECT started_at, split_part(task_name, '.', 2) AS stage, segment, attempt, state, queue,
    queue_wait_s, run_s, cpu_pct, cpu_wait_s, rss_peak_bytes, audio_s, rtf, batch_size, device, worker,
    worker_pid, exc_type, exc_message, task_id
FROM v_task_run
WHERE {JOB}
ORDER BY started_at
LIMIT 5000
"""),
            units={
                ".*_s": "s",
                "started_at": "dateTimeAsIso",
                "rss_peak_bytes": "bytes",
                "cpu_pct": "percent",
            },
            links={
                "task_id": ("In Flower", "${flower}/task/${__data.fields.task_id}"),
                "stage": ("All columns", "${flower}/voxchord/tasks/${__data.fields.task_id}"),
            },
            height=12,
        ),
    ]


def _per_stage() -> str:
    return ",\n    ".join(
        f"SUM(CASE WHEN task_name = 'voxchord.{stage}' THEN run_s END) AS {stage}_s"
        for stage in SEGMENT_STAGES
    )
