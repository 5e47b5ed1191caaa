"""Findings about a job's performance, in sentences with figures.

As in `seff`, jobstats and Dask's performance report, a sentence appears only if its figure is out of the
ordinary. It states the figure and what would change it.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from db.reports import limits
from db.reports.job_timeline import JobTimeline, cpu_s, quantile

Row = dict[str, Any]

_SHORT_S = 0.5
"""Jobs that took less are not judged: their figures are noise."""
WASTED_MAX = 0.02
"""Share of unsuccessful work; as the limits below, the most that is ordinary. The dashboards use the same."""
BUSY_MAX = 0.85
"""Share of the slots in use."""
STARVED_MAX = 0.15
"""Share of a stage's time when it was runnable with no free core."""
LOADING_MAX = 0.05
"""Share of work that waited for a model to load."""
TAIL_MAX = 0.15
"""Share of the job when its last stage ran alone."""
MEMORY_MAX = 0.85
"""Share of a memory limit, or of the machine's memory."""


def advise(timeline: JobTimeline) -> list[str]:
    """Findings, the most useful first. Never empty."""
    if timeline.span_s < _SHORT_S:
        return [f"The job took {seconds(timeline.span_s)}: too short to judge."]
    found = [sentence for rule in _RULES for sentence in rule(timeline)]
    return found or ["No findings: no failed work, no long waits, no shortage of resources."]


def seconds(value: float) -> str:
    """Format a duration.

    >>> seconds(0.0042), seconds(0.25), seconds(3.24), seconds(75), seconds(5400)
    ('4 ms', '0.25 s', '3.2 s', '1 min 15 s', '1 h 30 min')
    """
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    if value < 1:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def stage_name(task_name: str) -> str:
    """Stage of a task name: `text` of `voxchord.text`."""
    return task_name.rpartition(".")[2]


def _speed(timeline: JobTimeline) -> Iterator[str]:
    audio_s = timeline.job.get("audio_s")
    if audio_s:
        yield (
            f"{seconds(audio_s)} of audio took {seconds(timeline.span_s)}: "
            f"{audio_s / timeline.span_s:.1f} times real time."
        )


def _waste(timeline: JobTimeline) -> Iterator[str]:
    wasted = [row for row in timeline.attempts if row["state"] not in {"SUCCESS", "IGNORED"}]
    lost_s, all_s = _total(wasted, "run_s"), _total(timeline.attempts, "run_s")
    if wasted and (lost_s > WASTED_MAX * all_s or len(wasted) > 0.05 * len(timeline.attempts)):
        reasons = Counter(f"{row['state']} {row['exc_type'] or ''}".strip() for row in wasted)
        named = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(3))
        yield (
            f"{len(wasted)} of {len(timeline.attempts)} attempts were unsuccessful and cost "
            f"{seconds(lost_s)}, "
            f"{_percent(lost_s, all_s)} of all work: {named}."
        )


def _slots(timeline: JobTimeline) -> Iterator[str]:
    slots, work_s = timeline.slots(), _total(timeline.attempts, "run_s")
    used = work_s / timeline.span_s
    queued_s = _total(timeline.attempts, "queue_wait_s")
    if used > BUSY_MAX * slots and queued_s > timeline.span_s:
        shorter_s = work_s / slots - work_s / (slots + 1)
        yield (
            f"All {slots} slots were in use ({used:.1f} on average) while tasks waited: one more slot "
            f"would save up to {seconds(shorter_s)} of {seconds(timeline.span_s)}."
        )
    elif slots > 1 and used < 0.6 * slots:
        yield f"On average {used:.1f} of {slots} slots were in use: more slots would not speed this job up."


def _waits(timeline: JobTimeline) -> Iterator[str]:
    """Tasks that wait while slots are free: their queue has too few workers."""
    free = timeline.slots() - _total(timeline.attempts, "run_s") / timeline.span_s
    for name, rows in timeline.by_stage().items():
        waits = [row["queue_wait_s"] for row in rows if row["queue_wait_s"] is not None]
        runs = [row["run_s"] for row in rows if row["run_s"] is not None]
        if not waits or not runs:
            continue
        wait, run = sum(waits) / len(waits), sum(runs) / len(runs)
        if free > 0.15 * timeline.slots() and wait > 2 * run and wait > max(1.0, 0.1 * timeline.span_s):
            yield (
                f"{stage_name(name)} waited {seconds(wait)} on average for {seconds(run)} of work, while "
                f"{free:.1f} of {timeline.slots()} slots were free: one more worker on "
                f"{rows[0]['queue'] or 'its queue'} would start it at once."
            )


def _starved(timeline: JobTimeline) -> Iterator[str]:
    """Stages that were runnable with no free core; the worst one with its share."""
    starved: dict[str, tuple[float, float]] = {}
    for name, rows in timeline.by_stage().items():
        measured = [row for row in rows if row["cpu_wait_s"] is not None and row["share_s"]]
        waited_s, run_s = _total(measured, "cpu_wait_s"), _total(measured, "share_s")
        if run_s > _SHORT_S and waited_s > STARVED_MAX * run_s:
            starved[stage_name(name)] = (waited_s, run_s)
    if starved:
        worst = max(starved, key=lambda name: starved[name][0])
        waited_s, run_s = starved.pop(worst)
        others = f"; so were {' and '.join(starved)}" if starved else ""
        cores = max(row["cpus_allowed"] or 0 for row in timeline.attempts)
        yield (
            f"{worst} was runnable with no free core for {_percent(waited_s, run_s)} of its time "
            f"({cores} cores, {timeline.slots()} slots){others}: "
            "other programs, or too many slots or threads."
        )


def _idle(timeline: JobTimeline) -> Iterator[str]:
    for name, rows in timeline.by_stage().items():
        measured = [row for row in rows if row["cpu_user_s"] is not None and row["share_s"]]
        measured = [row for row in measured if row["gpu_active_s"] is None]
        run_s = _total(measured, "share_s")
        waited_s = run_s - sum(map(cpu_s, measured)) - _total(measured, "cpu_wait_s")
        if run_s > 0.1 * timeline.span_s and waited_s > 0.5 * run_s:
            yield (
                f"{stage_name(name)} was blocked for {_percent(waited_s, run_s)} of its {seconds(run_s)}: it "
                f"waited for a disk, the network or another process."
            )


def _straggler(timeline: JobTimeline) -> Iterator[str]:
    for name, rows in timeline.by_stage().items():
        done = [row for row in rows if row["state"] == "SUCCESS" and row["segment"] is not None]
        if len(done) < 4:
            continue
        ends = sorted(done, key=lambda row: float(row["end"]))
        last, before = ends[-1], ends[-2]
        alone_s = last["end"] - max(before["end"], last["start"])
        median_s = quantile([row["run_s"] for row in done], 0.5)
        if alone_s > 0.1 * timeline.span_s and last["run_s"] > 2 * median_s:
            yield (
                f"Segment {last['segment']} ran alone at the end of {stage_name(name)} for "
                f"{seconds(alone_s)}: it took {seconds(last['run_s'])}, the median is {seconds(median_s)}."
            )


def _ending(timeline: JobTimeline) -> Iterator[str]:
    stages = timeline.by_stage()
    name, rows = list(stages.items())[-1]
    tail_s = max(row["end"] for row in rows) - min(row["start"] for row in rows)
    if len(stages) > 1 and len(rows) <= 2 and tail_s > TAIL_MAX * timeline.span_s:
        share = _percent(tail_s, timeline.span_s)
        yield f"{stage_name(name)} ran last and alone: {seconds(tail_s)}, {share} of the job."


def _loading(timeline: JobTimeline) -> Iterator[str]:
    loads = [row for row in timeline.attempts if row["model_load_s"]]
    load_s, all_s = _total(loads, "model_load_s"), _total(timeline.attempts, "run_s")
    if load_s > LOADING_MAX * all_s:
        yield (
            f"{len(loads)} attempt{'s' * (len(loads) > 1)} waited for a model to load, "
            f"{seconds(load_s)} in total, {_percent(load_s, all_s)} of all work: "
            "long-running workers load it once."
        )


def _reused(timeline: JobTimeline) -> Iterator[str]:
    if timeline.reused() > 0:
        total = timeline.job["segments"]
        yield f"{timeline.reused()} of {total} segments existed already and were reused."


def _memory(timeline: JobTimeline) -> Iterator[str]:
    peaks = [row for row in timeline.attempts if row["rss_peak_bytes"]]
    if not peaks:
        return
    top = max(peaks, key=lambda row: int(row["rss_peak_bytes"]))
    peak, limit = top["rss_peak_bytes"], top["mem_limit_bytes"]
    if limit and peak > MEMORY_MAX * limit:
        yield (
            f"{stage_name(top['task_name'])} reached {_percent(peak, limit)} of its memory limit of "
            f"{limit >> 20} MiB: raise the limit before the process is killed."
        )
    ram = max((machine["ram_bytes"] or 0 for machine in timeline.machines), default=0)
    if ram and peak * timeline.slots() > MEMORY_MAX * ram:
        yield (
            f"{timeline.slots()} slots of up to {peak >> 20} MiB ({stage_name(top['task_name'])}) do not fit "
            f"safely into the machine's {ram >> 20} MiB."
        )


def _unused(timeline: JobTimeline) -> Iterator[str]:
    """Limits that are far above what was used."""
    for name, uses in limits.uses(timeline).items():
        for use in uses:
            if use.resource == "memory" and use.share < limits.LOW:
                yield (
                    f"{stage_name(name)} used at most {100 * use.share:.0f} % of its memory limit of "
                    f"{use.allowed:.0f} MiB: {limits.memory_limit_for(use):.0f} MiB would do."
                )
            if use.resource == "GPU memory" and use.share < 0.5:
                yield (
                    f"{stage_name(name)} used at most {100 * use.share:.0f} % of the device's memory: "
                    "more segments would fit at once."
                )


def _gpu(timeline: JobTimeline) -> Iterator[str]:
    for name, rows in timeline.by_stage().items():
        measured = [row for row in rows if row["gpu_active_s"] is not None and row["share_s"]]
        active_s, run_s = _total(measured, "gpu_active_s"), _total(measured, "share_s")
        if measured and active_s < 0.5 * run_s:
            yield (
                f"The GPU was active for {_percent(active_s, run_s)} of the time of {stage_name(name)}: "
                "decode more segments at once, if its memory allows."
            )
        retries = _total(measured, "gpu_alloc_retries")
        if retries:
            yield (
                f"{retries:.0f} allocations in {stage_name(name)} first had to empty torch's cache: "
                "device memory is tight."
            )


_RULES = (
    _speed,
    _waste,
    _slots,
    _waits,
    _starved,
    _idle,
    _straggler,
    _ending,
    _loading,
    _reused,
    _memory,
    _unused,
    _gpu,
)


def _total(rows: list[Row], name: str) -> float:
    return float(sum(row[name] or 0 for row in rows))


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"
