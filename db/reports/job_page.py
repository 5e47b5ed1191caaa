"""HTML report of a job, self-contained: it opens from disk and needs no network."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.reports import charts, limits
from db.reports.advice import advise, seconds, stage_name
from db.reports.html import render
from db.reports.job_timeline import JobTimeline, cpu_s
from db.schema import TAKES_BY_HAND

Row = dict[str, Any]

_SEGMENTS_MAX = _TAKES_MAX = 500
_COLOURS = ("#3b7dd8", "#2a9d8f", "#8d6cc9", "#e08e2b", "#c2557a", "#6b8e23", "#5a6b7b")


def page(timeline: JobTimeline) -> str:
    """Render the page."""
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(timeline.by_stage())}
    segments, takes = _segments(timeline), _takes(timeline)
    return render(
        "job.html",
        width=charts.WIDTH,
        title=f"Job {timeline.job['id']}",
        subtitle=_subtitle(timeline),
        error=timeline.job.get("error"),
        facts=_facts(timeline),
        findings=advise(timeline),
        actions=[_action(row) for row in timeline.actions],
        legend=[
            *((stage_name(name), colour) for name, colour in colours.items()),
            ("waiting", "var(--wait)"),
        ],
        waiting=charts.waiting(timeline),
        lanes=[(name, charts.bars(timeline, rows, colours)) for name, rows in timeline.lanes()],
        ticks=charts.ticks(timeline),
        measures=list(charts.measures(timeline, colours)),
        devices=list(charts.devices(timeline)),
        limits=[(stage_name(name), uses) for name, uses in limits.uses(timeline).items()],
        takes=takes[:_TAKES_MAX],
        takes_hidden=max(0, len(takes) - _TAKES_MAX),
        segments=segments[:_SEGMENTS_MAX],
        segments_hidden=max(0, len(segments) - _SEGMENTS_MAX),
        totals=[_total(name, rows) for name, rows in timeline.by_stage().items()],
    )


def _subtitle(timeline: JobTimeline) -> str:
    began = datetime.fromtimestamp(timeline.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    words = [str(timeline.job.get("state") or "state unknown"), began]
    words += [str(timeline.job[name]) for name in ("engine", "format") if timeline.job.get(name)]
    if (timeline.job.get("run_no") or 1) > 1:
        words.append(f"run {timeline.job['run_no']}, the latest")
    return " · ".join(words)


def _action(row: Row) -> str:
    when = row["acted_at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = row["action"] if row["segment"] is None else f"{row['action']} of segment {row['segment']}"
    return f"{when}: {what} by {row['actor'] or 'unknown'} ({row['via']})"


def _facts(timeline: JobTimeline) -> list[tuple[str, str]]:
    attempts = timeline.attempts
    waits = _waits(attempts)
    peak = _peak_bytes(attempts)
    whole_s, made_s = timeline.job.get("audio_s"), timeline.made_s()
    return [
        ("from first message to end", seconds(timeline.span_s)),
        ("audio" if whole_s else "audio so far", seconds(whole_s or made_s) if whole_s or made_s else "–"),
        ("speed relative to real time", _times(whole_s or made_s, timeline.span_s)),
        ("run time over all slots", seconds(_run_s(attempts))),
        ("CPU time", seconds(sum(map(cpu_s, attempts)))),
        ("peak memory", f"{peak >> 20} MiB" if peak else "not measured"),
        ("mean wait in queues", seconds(sum(waits) / len(waits)) if waits else "not measured"),
        ("attempts, unsuccessful", f"{len(attempts)}, {sum(map(charts.is_failed, attempts))}"),
    ]


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """A segment's line of the table."""

    run_s: float
    number: int
    audio: str
    run_time: str
    speed: str
    queue_wait: str
    peak: str
    attempts: int
    failed: int
    reused: str


def _segments(timeline: JobTimeline) -> list[SegmentLine]:
    """Lines of all segments, slowest first."""
    groups: dict[int, list[Row]] = {}
    for row in timeline.attempts:
        if row["segment"] is not None:
            groups.setdefault(row["segment"], []).append(row)
    decoded = timeline.decoded()
    lines = [_segment(number, rows, decoded=number in decoded) for number, rows in groups.items()]
    return sorted(lines, key=lambda line: (-line.run_s, line.number))


def _segment(number: int, rows: list[Row], *, decoded: bool) -> SegmentLine:
    run_s = _run_s(rows)
    audio_s = max(
        (row["audio_s"] for row in rows if row["audio_s"] and not charts.is_failed(row)), default=None
    )
    waits, peak = _waits(rows), _peak_bytes(rows)
    has_message = any(row["task_name"] == "voxchord.diffusion" for row in rows)
    return SegmentLine(
        run_s=run_s,
        number=number,
        audio=f"{audio_s:.1f} s" if audio_s else "–",
        run_time=seconds(run_s),
        speed=_times(audio_s, run_s),
        queue_wait=seconds(sum(waits)) if waits else "–",
        peak=str(peak >> 20) if peak else "–",
        attempts=len(rows),
        failed=sum(map(charts.is_failed, rows)),
        reused="no" if decoded else "yes" if has_message else "–",
    )


@dataclass(frozen=True, slots=True)
class TakeLine:
    """A take's line of the table."""

    segment: int
    take: int
    verdict: str
    findings: str
    score: str
    run_time: str
    cpu: str
    made_by: str


def _takes(timeline: JobTimeline) -> list[TakeLine]:
    """Lines of all takes of segments that have several, or one that failed."""
    groups: dict[int, dict[int, list[Row]]] = {}
    for row in timeline.attempts:
        if row["segment"] is not None and row["take"] is not None:
            groups.setdefault(row["segment"], {}).setdefault(row["take"], []).append(row)
    lines = {
        segment: [_take(segment, take, rows) for take, rows in sorted(takes.items())]
        for segment, takes in sorted(groups.items())
    }
    return [
        line
        for of_segment in lines.values()
        if len(of_segment) > 1 or of_segment[0].verdict == "failed"
        for line in of_segment
    ]


def _take(segment: int, take: int, rows: list[Row]) -> TakeLine:
    judged = next((row for row in reversed(rows) if row["findings"] is not None), None)
    findings = judged["findings"].replace(",", ", ") if judged else ""
    return TakeLine(
        segment=segment,
        take=take,
        verdict="not checked" if judged is None else "failed" if findings else "passed",
        findings=findings or "–",
        score="–" if judged is None or judged["score"] is None else f"{judged['score']:.2f}",
        run_time=seconds(_run_s(rows)),
        cpu=seconds(sum(map(cpu_s, rows))),
        made_by="hand" if take >= TAKES_BY_HAND else "verify" if take else "the job",
    )


def _total(name: str, rows: list[Row]) -> tuple[str, ...]:
    """Line of a stage in the table of totals."""
    starved = [row["cpu_wait_s"] for row in rows if row["cpu_wait_s"] is not None]
    waits, peak = _waits(rows), _peak_bytes(rows)
    return (
        stage_name(name),
        str(len(rows)),
        seconds(_run_s(rows)),
        seconds(sum(map(cpu_s, rows))),
        seconds(sum(starved)) if starved else "–",
        seconds(sum(waits)) if waits else "–",
        str(peak >> 20) if peak else "–",
    )


def _run_s(rows: list[Row]) -> float:
    return sum(row["run_s"] or 0 for row in rows)


def _waits(rows: list[Row]) -> list[float]:
    return [row["queue_wait_s"] for row in rows if row["queue_wait_s"] is not None]


def _peak_bytes(rows: list[Row]) -> int:
    return max((row["rss_peak_bytes"] or 0 for row in rows), default=0)


def _times(audio_s: float | None, taken_s: float | None) -> str:
    return f"{audio_s / taken_s:.1f} ×" if audio_s and taken_s else "–"
