"""Is the service well? Rate, errors and duration of every stage, from Prometheus."""

from deploy.dashboards import panels
from deploy.dashboards.panels import Json, curves, figure, heat_map, promql, variable

_FAILED = 'state=~"FAILURE|TIMEOUT|OOM|LOST"'
"""As the alert `AttemptsFail` counts them."""
_DECODED = 'task="voxchord.diffusion"'


def dashboard() -> Json:
    return panels.dashboard(
        "service",
        "Service",
        "Rate, errors and duration of every stage, and what waits. Where a curve says that something is "
        "wrong, Task history says which attempts, and One job says why.",
        {
            "Now": _now(),
            "Rate": _rate(),
            "Errors": _errors(),
            "Duration": _duration(),
            "Queues": _queues(),
        },
        variables=[
            variable(
                "task",
                "Task",
                promql("label_values(tts_task_attempts_total, task)"),
                why="Stages that the panels show.",
            )
        ],
    )


def _now() -> list[Json]:
    return [
        figure(
            "Workers",
            "Workers that answered the last scrape. None: nothing is taken in and nothing is made.",
            promql("count(tts_build_info) or vector(0)", now=True),
            unit="none",
            steps=((None, "red"), (1, "green")),
        ),
        figure(
            "At work",
            "Attempts under way, over all workers.",
            promql("sum(tts_tasks_running) or vector(0)"),
            unit="none",
        ),
        figure(
            "Waiting",
            "Messages in all queues. Each door counts the same queues, so the largest count is taken.",
            promql("sum(max by (queue) (tts_queue_messages))"),
            unit="none",
        ),
        figure(
            "Audio made",
            "Audio decoded in the chosen range of time. What a retry made again is counted again.",
            promql(f"sum(increase(tts_audio_seconds_total{{{_DECODED}}}[$__range]))", now=True),
            unit="s",
        ),
        figure(
            "Speed",
            "Seconds of audio per second, all slots together. Above 1 the service is ahead of a listener.",
            promql(f"sum(rate(tts_audio_seconds_total{{{_DECODED}}}[$__rate_interval]))"),
            unit="none",
            steps=((None, "text"), (1, "green")),
        ),
        figure(
            "Failed",
            "Share of attempts in the chosen range that failed, timed out, ran out of memory or were lost. "
            "The alert AttemptsFail begins at 5 %.",
            promql(
                f"(sum(increase(tts_task_attempts_total{{{_FAILED}}}[$__range])) or vector(0)) "
                "/ sum(increase(tts_task_attempts_total[$__range]))",
                now=True,
            ),
            unit="percentunit",
            steps=((None, "green"), (0.05, "red")),
        ),
    ]


def _rate() -> list[Json]:
    return [
        curves(
            "Attempts per second",
            "Attempts that ended, by stage, however they ended.",
            promql(
                'sum by (task) (rate(tts_task_attempts_total{task=~"$task"}[$__rate_interval]))', "{{task}}"
            ),
            unit="ops",
            stacked=True,
        ),
        curves(
            "Throughput",
            "Seconds of audio decoded per second, by engine. At 1 the service makes audio as fast as it "
            "plays.",
            promql(
                f"sum by (engine) (rate(tts_audio_seconds_total{{{_DECODED}}}[$__rate_interval]))",
                "{{engine}}",
            ),
            unit="none",
        ),
    ]


def _errors() -> list[Json]:
    return [
        curves(
            "Attempts that came to nothing",
            "By stage and how they ended. RETRY, REJECTED and HANDED_BACK are tried again; the others are "
            "not.",
            promql(
                'sum by (task, state) (rate(tts_task_attempts_total{task=~"$task",state!~"SUCCESS|IGNORED"}'
                "[$__rate_interval]))",
                "{{task}} {{state}}",
            ),
            unit="ops",
        ),
        curves(
            "Share that failed",
            "Failed, timed out, out of memory or lost, of all attempts of the stage. The line is where the "
            "alert AttemptsFail begins.",
            promql(
                f'sum by (task) (rate(tts_task_attempts_total{{task=~"$task",{_FAILED}}}[$__rate_interval])) '
                '/ sum by (task) (rate(tts_task_attempts_total{task=~"$task"}[$__rate_interval]))',
                "{{task}}",
            ),
            unit="percentunit",
            line_at=0.05,
        ),
    ]


def _duration() -> list[Json]:
    return [
        heat_map(
            "How long attempts run",
            "Distribution of run times: each column is a span of time, each row a bound, the colour the "
            "number of attempts. Two bands are two kinds of work, or a cold start beside warm ones.",
            promql(
                'sum by (le) (increase(tts_task_run_seconds_bucket{task=~"$task"}[$__rate_interval]))',
                "{{le}}",
                buckets=True,
            ),
            unit="short",
            rows_unit="s",
        ),
        curves(
            "Run time",
            "Median, and what one in twenty exceeds, by stage. Estimated within the bounds of the histogram.",
            *_quantiles('tts_task_run_seconds_bucket{task=~"$task"}', "task"),
            unit="s",
        ),
        curves(
            "Wait before the run",
            "Median, and what one in twenty exceeds: in the broker (too few workers), or taken by a worker "
            "and not begun (it took too many). The alert WaitsLong begins at the line.",
            *_quantiles('tts_task_queue_wait_seconds_bucket{task=~"$task"}', "stage"),
            unit="s",
            line_at=300,
        ),
        curves(
            "Run time per second of audio",
            "Of the decoding stage, by engine: one slot's speed. Above the line a slot is slower than real "
            "time.",
            *_quantiles(f"tts_task_rtf_ratio_bucket{{{_DECODED}}}", "engine"),
            unit="none",
            line_at=1,
        ),
    ]


def _queues() -> list[Json]:
    return [
        curves(
            "Messages that wait",
            "By queue. A queue that grows needs workers, or fewer jobs.",
            promql("max by (queue) (tts_queue_messages)", "{{queue}}"),
            unit="none",
            stepped=True,
        ),
        curves(
            "Age of the oldest message",
            "By queue; nothing where nothing waits, or where the sender doesn't say when it sent. The alert "
            "QueueStandsStill begins at the line.",
            promql("max by (queue) (tts_queue_oldest_seconds)", "{{queue}}"),
            unit="s",
            line_at=900,
        ),
    ]


def _quantiles(buckets: str, label: str) -> list[Json]:
    rate = f"sum by ({label}, le) (rate({buckets}[$__rate_interval]))"
    return [
        promql(f"histogram_quantile({share}, {rate})", f"{{{{{label}}}}} {name}")
        for share, name in ((0.5, "p50"), (0.95, "p95"))
    ]
