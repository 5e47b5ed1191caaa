"""HTML report of a job, self-contained: it opens from disk and needs no network."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.reports import charts, limits
from db.reports.advice import advise, seconds, stage_name
from db.reports.html import render
from db.reports.job_timeline import JobTimeline, cpu_s

Row = dict[str, Any]

_SEGMENTS_MAX = 500
_COLOURS = ("#3b7dd8", "#2a9d8f", "#8d6cc9", "#e08e2b", "#c2557a", "#6b8e23", "#5a6b7b")


def page(timeline: JobTimeline) -> str:
    """Render the page."""
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(timeline.by_stage())}
    segments = _segments(timeline)
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
