"""The Service dashboard: rate, errors and duration of every stage, from Prometheus."""

from deploy.dashboards import panels
from deploy.dashboards.panels import Json, curves, figure, heat_map, promql, variable

_FAILED = 'state=~"FAILURE|TIMEOUT|OOM|LOST"'
"""The states that the alert `AttemptsFail` counts."""
_DECODED = 'task="voxchord.diffusion"'


def dashboard() -> Json:
    return panels.dashboard(
        "service",
        "Service",
        "Rate, errors and duration of every stage, and the queues. If a curve shows a problem, Task history "
        "shows which attempts are affected, and One job shows why.",
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
                why="Stages shown by the panels.",
            )
        ],
    )


def _now() -> list[Json]:
    return [
        figure(
            "Workers",
            "Workers that answered the last scrape. With none, no job is accepted or processed.",
            promql("count(tts_build_info) or vector(0)", now=True),
            unit="none",
            steps=((None, "red"), (1, "green")),
        ),
        figure(
            "Running",
            "Running attempts, over all workers.",
            promql("sum(tts_tasks_running) or vector(0)"),
            unit="none",
        ),
        figure(
            "Waiting",
            "Messages in all queues. Every intake worker counts the same queues, so the maximum is shown.",
            promql("sum(max by (queue) (tts_queue_messages))"),
            unit="none",
        ),
        figure(
            "Audio made",
            "Audio decoded in the selected time range. Audio that a retry decodes again counts again.",
            promql(f"sum(increase(tts_audio_seconds_total{{{_DECODED}}}[$__range]))", now=True),
            unit="s",
        ),
        figure(
            "Speed",
            "Seconds of audio per second, over all slots. Above 1 is faster than real time.",
            promql(f"sum(rate(tts_audio_seconds_total{{{_DECODED}}}[$__rate_interval]))"),
            unit="none",
            steps=((None, "text"), (1, "green")),
        ),
        figure(
            "Failed",
            "Share of attempts in the selected time range that failed, timed out, ran out of memory or were "
            "lost. The alert AttemptsFail fires at 5 %.",
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
            "Finished attempts by stage, whatever their outcome.",
            promql(
                'sum by (task) (rate(tts_task_attempts_total{task=~"$task"}[$__rate_interval]))', "{{task}}"
            ),
            unit="ops",
            stacked=True,
        ),
        curves(
            "Throughput",
            "Seconds of audio decoded per second, by engine. 1 is real time.",
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
            "Unsuccessful attempts",
            "By stage and state. RETRY, REJECTED and HANDED_BACK are tried again; other states are not.",
            promql(
                'sum by (task, state) (rate(tts_task_attempts_total{task=~"$task",state!~"SUCCESS|IGNORED"}'
                "[$__rate_interval]))",
                "{{task}} {{state}}",
            ),
            unit="ops",
        ),
        curves(
            "Failure rate",
            "Share of a stage's attempts that failed, timed out, ran out of memory or were lost. The alert "
            "AttemptsFail fires at the line.",
            promql(
                f'sum by (task) (rate(tts_task_attempts_total{{task=~"$task",{_FAILED}}}[$__rate_interval])) '
                '/ sum by (task) (rate(tts_task_attempts_total{task=~"$task"}[$__rate_interval]))',
                "{{task}}",
            ),
            unit="percentunit",
            line_at=0.05,
        ),
        curves(
            "Verdicts on takes",
            "By finding; `passed` if nothing was wrong. A take that several findings fail counts for each.",
            promql("sum by (finding) (rate(tts_verdicts_total[$__rate_interval]))", "{{finding}}"),
            unit="ops",
        ),
        curves(
            "Takes made again",
            "Takes made because one failed its check, and failed ones in whose place a later one passed.",
            promql("sum(rate(tts_takes_repeated_total[$__rate_interval])) or vector(0)", "made"),
            promql("sum(rate(tts_takes_replaced_total[$__rate_interval])) or vector(0)", "replaced"),
            unit="ops",
        ),
    ]


def _duration() -> list[Json]:
    return [
        heat_map(
            "Run time distribution",
            "Each column is a time span, each row a bucket, the colour the number of attempts. Two bands are "
            "two kinds of work, or cold starts beside warm ones.",
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
            "Median and 95th percentile by stage, estimated from the histogram's buckets.",
            *_quantiles('tts_task_run_seconds_bucket{task=~"$task"}', "task"),
            unit="s",
        ),
        curves(
            "Queue wait",
            "Median and 95th percentile: in the broker (too few workers), or prefetched by a worker and not "
            "started (it fetched too many). The alert WaitsLong fires at the line.",
            *_quantiles('tts_task_queue_wait_seconds_bucket{task=~"$task"}', "stage"),
            unit="s",
            line_at=300,
        ),
        curves(
            "Run time per second of audio",
            "Real-time factor of one slot of the decoding stage, by engine. Above the line a slot is slower "
            "than real time.",
            *_quantiles(f"tts_task_rtf_ratio_bucket{{{_DECODED}}}", "engine"),
            unit="none",
            line_at=1,
        ),
    ]


def _queues() -> list[Json]:
    return [
        curves(
            "Queue length",
            "Waiting messages by queue. A growing queue needs more workers or fewer jobs.",
            promql("max by (queue) (tts_queue_messages)", "{{queue}}"),
            unit="none",
            stepped=True,
        ),
        curves(
            "Age of the oldest message",
            "By queue. Empty if no message waits, or if the sender adds no time. The alert QueueStandsStill "
            "fires at the line.",
            promql("max by (queue) (tts_queue_oldest_seconds)", "{{queue}}"),
            unit="s",
            line_at=900,
        ),
        curves(
            "Dead letters",
            "Messages that were taken off a queue because they cannot be understood, by the part at fault, "
            "and entries of the list that `voxchord.py dead-letter` shows.",
            promql(
                "max by (part) (increase(tts_dead_letters_total[$__rate_interval]))",
                "{{part}}",
            ),
            promql("max(tts_dead_letters_held)", "in the list"),
            unit="none",
        ),
        curves(
            "Jobs not resumed",
            "Failed attempts of the reconciler at resuming a job. Its log names the job and the reason.",
            promql("max(increase(tts_jobs_not_resumed_total[$__rate_interval]))", "jobs"),
            unit="none",
        ),
    ]


def _quantiles(buckets: str, label: str) -> list[Json]:
    rate = f"sum by ({label}, le) (rate({buckets}[$__rate_interval]))"
    return [
        promql(f"histogram_quantile({share}, {rate})", f"{{{{{label}}}}} {name}")
        for share, name in ((0.5, "p50"), (0.95, "p95"))
    ]
