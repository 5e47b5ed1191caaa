"""HTML report of a job, self-contained: it opens from disk and needs no network.

Charts are SVG, stretched to the width of the page; labels are HTML beside them, so that their size stays
readable on a phone. All values from the history are escaped.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any

from db.reports.advice import advise, seconds, stage_name
from db.reports.job_timeline import JobTimeline, quantile

Row = dict[str, Any]

_WIDE = 1000.0
"""Width of every chart in its own units."""
_SEGMENTS_SHOWN = 500
_COLOURS = ("#3b7dd8", "#2a9d8f", "#8d6cc9", "#e08e2b", "#c2557a", "#6b8e23", "#5a6b7b")

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b2733; --faint: #687684; --line: #d9dfe5;
  --panel: #f5f7f9; --bad: #c62828; --wait: #b9c2cb; }
@media (prefers-color-scheme: dark) { :root { --ground: #12181f; --ink: #e4e9ee; --faint: #98a5b1;
  --line: #2c3742; --panel: #1a222b; --bad: #ff6b6b; --wait: #4a5763; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 20px 16px 48px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 34px 0 8px; }
h3 { font-size: .95rem; margin: 18px 0 4px; }
p, li { max-width: 75ch; }
.faint, .axis, figcaption { color: var(--faint); font-size: .82rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(250px, 45%), 1fr)); gap: 8px;
  margin: 16px 0; }
.facts div { background: var(--panel); border-radius: 8px; padding: 8px 12px; }
.facts b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.facts span { color: var(--faint); font-size: .8rem; }
.advice { background: var(--panel); border-radius: 8px; padding: 12px 16px 12px 32px; margin: 0; }
.row { display: grid; grid-template-columns: 210px 1fr; gap: 2px 12px; align-items: center; margin: 3px 0; }
.row > :first-child { font-size: .82rem; overflow-wrap: anywhere; }
.row .note { grid-column: 2; margin-bottom: 4px; }
svg { display: block; width: 100%; }
.axis { display: flex; justify-content: space-between; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: .82rem; padding: 0; margin: 6px 0; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 5px; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; background: var(--panel); position: sticky; top: 0; }
th:first-child, td:first-child { text-align: left; }
.bad { color: var(--bad); }
@media (max-width: 640px) { .row { grid-template-columns: 1fr; } .row .note { grid-column: 1; } }
"""


def page(timeline: JobTimeline) -> str:
    """Render the page."""
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(timeline.by_stage())}
    title = f"Job {timeline.job['id']}"
    parts = (
        f"<h1>{escape(title)}</h1>",
        _subtitle(timeline),
        _facts(timeline),
        "<h2>Findings</h2>",
        f"<ul class='advice'>{''.join(f'<li>{escape(text)}</li>' for text in advise(timeline))}</ul>",
        _timeline(timeline, colours),
        _boxes(timeline, colours),
        _gpu(timeline),
        _segments(timeline),
        _stages(timeline),
    )
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _subtitle(timeline: JobTimeline) -> str:
    began = datetime.fromtimestamp(timeline.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    words = [str(timeline.job.get("state") or "state unknown"), began]
    words += [str(timeline.job[name]) for name in ("engine", "format") if timeline.job.get(name)]
    if (timeline.job.get("run_no") or 1) > 1:
        words.append(f"run {timeline.job['run_no']}, the latest")
    error = f"<p class='bad'>{escape(str(timeline.job['error']))}</p>" if timeline.job.get("error") else ""
    return f"<p class='faint'>{escape(' · '.join(words))}</p>{error}"


def _facts(timeline: JobTimeline) -> str:
    attempts = timeline.attempts
    cpu_s = sum(sum(row[name] or 0 for name in _CPU) for row in attempts)
    peaks = [row["rss_peak_bytes"] for row in attempts if row["rss_peak_bytes"]]
    waits = [row["queue_wait_s"] for row in attempts if row["queue_wait_s"] is not None]
    whole_s, made_s = timeline.job.get("audio_s"), timeline.made_s()
    facts = [
        ("from first message to end", seconds(timeline.span_s)),
        ("audio" if whole_s else "audio so far", seconds(whole_s or made_s) if whole_s or made_s else "–"),
        ("speed relative to real time", _times(whole_s or made_s, timeline.span_s)),
        ("run time over all slots", seconds(sum(row["run_s"] or 0 for row in attempts))),
        ("CPU time", seconds(cpu_s)),
        ("peak memory", f"{max(peaks) >> 20} MiB" if peaks else "not measured"),
        ("mean wait in queues", seconds(sum(waits) / len(waits)) if waits else "not measured"),
        ("attempts, unsuccessful", f"{len(attempts)}, {sum(_failed(row) for row in attempts)}"),
    ]
    cells = "".join(f"<div><b>{escape(value)}</b><span>{name}</span></div>" for name, value in facts)
    return f"<div class='facts'>{cells}</div>"


_CPU = ("cpu_user_s", "cpu_system_s", "cpu_children_s")


def _failed(row: Row) -> bool:
    return row["state"] not in {"SUCCESS", "IGNORED"}


def _times(audio_s: float | None, taken_s: float | None) -> str:
    return f"{audio_s / taken_s:.1f} ×" if audio_s and taken_s else "–"


def _timeline(timeline: JobTimeline, colours: dict[str, str]) -> str:
    lanes = "".join(_lane(timeline, name, rows, colours) for name, rows in timeline.lanes())
    legend = "".join(
        f"<span><i style='background:{colour}'></i>{escape(stage_name(name))}</span>"
        for name, colour in colours.items()
    )
    return (
        "<h2>Timeline</h2><p class='faint'>One line per worker slot. A bar is an attempt; thin grey before a "
        "bar is time it waited while the slot was free; a red border marks an unsuccessful attempt.</p>"
        f"<div class='legend'>{legend}<span><i style='background:var(--wait)'></i>waiting</span></div>"
        f"{_waiting(timeline)}{lanes}{_axis(timeline)}"
    )


def _waiting(timeline: JobTimeline) -> str:
    """Chart of the number of waiting messages over time."""
    changes = sorted(
        change
        for row in timeline.attempts
        if row["published"]
        for change in ((row["published"], 1), (row["start"], -1))
    )
    if not changes:
        return ""
    points, waiting, most = ["0,40"], 0, 1
    heights: list[tuple[float, int]] = []
    for moment, step in changes:
        heights.append((moment, waiting))
        waiting += step
        heights.append((moment, waiting))
        most = max(most, waiting)
    points += [
        f"{_x(timeline, moment):.1f},{40 - 38 * height / most:.1f}" for moment, height in _thin(heights)
    ]
    picture = f"<polygon points='{' '.join([*points, f'{_WIDE:.0f},40'])}' fill='var(--wait)'/>"
    return _row(f"waiting tasks, at most {most}", _svg(picture, 40))


def _thin(items: list[tuple[float, int]], most: int = 4000) -> list[tuple[float, int]]:
    return items if len(items) <= most else items[:: -(-len(items) // most)]


def _lane(timeline: JobTimeline, name: str, rows: list[Row], colours: dict[str, str]) -> str:
    bars = "".join(_bars(timeline, rows, colours))
    return _row(escape(name), _svg(f"<rect width='{_WIDE:.0f}' height='22' fill='var(--panel)'/>{bars}", 22))


def _bars(timeline: JobTimeline, rows: list[Row], colours: dict[str, str]) -> Iterator[str]:
    free_from = timeline.started
    for row in rows:
        start, end = _x(timeline, row["start"]), _x(timeline, row["end"])
        if row["published"]:
            waited = _x(timeline, max(free_from, row["published"]))
            if start - waited > 0.3:
                size = f"x='{waited:.1f}' y='9' width='{start - waited:.1f}' height='4'"
                yield f"<rect {size} fill='var(--wait)'/>"
        edge = (
            " stroke='var(--bad)' stroke-width='2' vector-effect='non-scaling-stroke'" if _failed(row) else ""
        )
        yield (
            f"<rect x='{start:.1f}' y='2' width='{max(0.8, end - start):.1f}' height='18' "
            f"fill='{colours[row['task_name']]}'{edge}><title>{escape(_tooltip(row))}</title></rect>"
        )
        free_from = row["end"]


def _tooltip(row: Row) -> str:
    words = [stage_name(row["task_name"])]
    if row["segment"] is not None:
        words.append(f"segment {row['segment']}")
    words += [f"ran {seconds(row['run_s'] or 0)}"]
    if row["queue_wait_s"] is not None:
        words.append(f"waited {seconds(row['queue_wait_s'])}")
    if row["rss_peak_bytes"]:
        words.append(f"peak {row['rss_peak_bytes'] >> 20} MiB")
    if row["attempt"] or row["redelivered"]:
        words.append("retried")
    return ", ".join([*words, row["state"]])


def _x(timeline: JobTimeline, moment: float) -> float:
    return _WIDE * (moment - timeline.started) / max(timeline.span_s, 1e-6)


def _axis(timeline: JobTimeline) -> str:
    ticks = "".join(
        f"<span>{seconds(timeline.span_s * part / 4) if part else '0'}</span>" for part in range(5)
    )
    return _row("", f"<div class='axis'>{ticks}</div>")


def _svg(inside: str, height: int) -> str:
    return (
        f"<svg viewBox='0 0 {_WIDE:.0f} {height}' height='{height}' preserveAspectRatio='none' role='img'>"
        f"{inside}</svg>"
    )


def _row(label: str, picture: str, note: str = "") -> str:
    tail = f"<div class='note faint'>{note}</div>" if note else ""
    return f"<div class='row'><div>{label}</div><div>{picture}</div>{tail}</div>"


def _boxes(timeline: JobTimeline, colours: dict[str, str]) -> str:
    measures = (
        ("Run time", lambda row: row["run_s"], seconds),
        ("CPU time", _cpu_of, seconds),
        ("Peak memory", lambda row: row["rss_peak_bytes"], lambda size: f"{size / 2**20:.0f} MiB"),
        ("Queue wait", lambda row: row["queue_wait_s"], seconds),
    )
    parts = []
    for title, measure, words in measures:
        values = {
            name: [float(value) for row in rows if (value := measure(row)) is not None]
            for name, rows in timeline.by_stage().items()
        }
        values = {name: found for name, found in values.items() if found}
        if values:
            most = max(max(found) for found in values.values()) or 1.0
            rows = "".join(_box(name, found, most, colours[name], words) for name, found in values.items())
            parts.append(f"<h3>{title}</h3>{rows}{_scale(most, words)}")
    return (
        "<h2>Stages</h2><p class='faint'>Line: minimum to maximum; box: middle half; stroke: median.</p>"
        f"{''.join(parts)}"
    )


def _cpu_of(row: Row) -> float | None:
    return sum(row[name] or 0 for name in _CPU) if row["cpu_user_s"] is not None else None


def _box(name: str, values: list[float], most: float, colour: str, words: Any) -> str:
    marks = [min(values), *(quantile(values, share) for share in (0.25, 0.5, 0.75)), max(values)]
    low, first, middle, third, high = (mark / most * (_WIDE - 4) + 2 for mark in marks)
    line = "vector-effect='non-scaling-stroke'"
    picture = (
        f"<path d='M{low:.1f} 11H{high:.1f}' stroke='{colour}' stroke-width='2' {line}/>"
        f"<rect x='{first:.1f}' y='3' width='{max(1.0, third - first):.1f}' height='16' fill='{colour}' "
        f"fill-opacity='.45'/>"
        f"<path d='M{middle:.1f} 1V21' stroke='{colour}' stroke-width='3' {line}/>"
    )
    count = "1 attempt" if len(values) == 1 else f"{len(values)} attempts"
    note = f"median {words(marks[2])}, from {words(marks[0])} to {words(marks[4])}, {count}"
    return _row(escape(stage_name(name)), _svg(picture, 22), escape(note))


def _scale(most: float, words: Any) -> str:
    return _row(
        "", f"<div class='axis'><span>0</span><span>{words(most / 2)}</span><span>{words(most)}</span></div>"
    )


def _gpu(timeline: JobTimeline) -> str:
    measured = [row for row in timeline.attempts if row["gpu_uuid"]]
    if not measured:
        return "<h2>GPU</h2><p class='faint'>No GPU was measured.</p>"
    parts = []
    for device in sorted({row["gpu_uuid"] for row in measured}):
        rows = [row for row in measured if row["gpu_uuid"] == device]
        label = f"{rows[0]['gpu_name'] or 'GPU'} {device[:12]}"
        active_s = sum(row["gpu_active_s"] or 0 for row in rows)
        note = f"active for {seconds(active_s)}"
        total = max((row["gpu_mem_total_bytes"] or 0 for row in rows), default=0)
        peak = max((row["gpu_mem_device_peak_bytes"] or 0 for row in rows), default=0)
        if total and peak:
            note += f", memory at most {peak / 2**30:.1f} of {total / 2**30:.0f} GiB"
        parts.append(_curves(timeline, label, rows, total, note))
    return f"<h2>GPU</h2>{''.join(parts)}"


def _curves(timeline: JobTimeline, label: str, rows: list[Row], total: int, note: str) -> str:
    """Chart of one device's utilisation and memory, from samples of long attempts."""
    samples = _samples(timeline, rows)
    if not samples:
        return _row(
            escape(label), "<span class='faint'>no attempt was long enough for samples</span>", escape(note)
        )
    use = _line(timeline, ((at, sample["gpu_util_pct"], 100.0) for at, sample in samples), "#2a9d8f")
    memory = _line(
        timeline, ((at, sample["gpu_mem_bytes"], float(total or 1)) for at, sample in samples), "#e08e2b"
    )
    legend = (
        "<div class='legend'><span><i style='background:#2a9d8f'></i>utilisation, 0 to 100 %</span>"
        "<span><i style='background:#e08e2b'></i>memory, 0 to the device's total</span></div>"
    )
    frame = f"<rect width='{_WIDE:.0f}' height='90' fill='var(--panel)'/>"
    return legend + _row(escape(label), _svg(frame + use + memory, 90), escape(note)) + _axis(timeline)


def _samples(timeline: JobTimeline, rows: list[Row]) -> list[tuple[float, Row]]:
    found = [
        (row["start"] + sample["at_ms"] / 1000, sample)
        for row in rows
        for sample in timeline.samples.get(row["attempt_uid"], ())
    ]
    found.sort(key=lambda each: each[0])
    return found if len(found) <= 4000 else found[:: -(-len(found) // 4000)]


def _line(timeline: JobTimeline, values: Iterable[tuple[float, float | None, float]], colour: str) -> str:
    points = " ".join(
        f"{_x(timeline, at):.1f},{88 - 86 * value / most:.1f}"
        for at, value, most in values
        if value is not None
    )
    return (
        f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2' "
        "vector-effect='non-scaling-stroke'/>"
    )


def _segments(timeline: JobTimeline) -> str:
    groups: dict[int, list[Row]] = {}
    for row in timeline.attempts:
        if row["segment"] is not None:
            groups.setdefault(row["segment"], []).append(row)
    if not groups:
        return ""
    decoded = timeline.decoded()
    lines = [_segment(number, rows, made=number in decoded) for number, rows in groups.items()]
    lines.sort(key=lambda line: (-line[0], line[1]))
    more = len(lines) - _SEGMENTS_SHOWN
    note = f"<p class='faint'>and {more} faster ones.</p>" if more > 0 else ""
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "segment",
            "audio",
            "run time",
            "speed",
            "queue wait",
            "peak MiB",
            "attempts",
            "unsuccessful",
            "reused",
        )
    )
    body = "".join(line[2] for line in lines[:_SEGMENTS_SHOWN])
    return (
        "<h2>Segments</h2><p class='faint'>Slowest first.</p>"
        f"<div class='wide'><table><tr>{head}</tr>{body}</table></div>{note}"
    )


def _segment(number: int, rows: list[Row], *, made: bool) -> tuple[float, int, str]:
    work_s = sum(row["run_s"] or 0 for row in rows)
    audio_s = max((row["audio_s"] for row in rows if row["audio_s"] and not _failed(row)), default=None)
    peak = max((row["rss_peak_bytes"] or 0 for row in rows), default=0)
    waits = [row["queue_wait_s"] for row in rows if row["queue_wait_s"] is not None]
    failed = sum(_failed(row) for row in rows)
    cells = (
        str(number),
        f"{audio_s:.1f} s" if audio_s else "–",
        seconds(work_s),
        _times(audio_s, work_s),
        seconds(sum(waits)) if waits else "–",
        str(peak >> 20) if peak else "–",
        str(len(rows)),
        f"<span class='bad'>{failed}</span>" if failed else "0",
        "no" if made else "yes" if any(row["task_name"] == "voxchord.diffusion" for row in rows) else "–",
    )
    return work_s, number, f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _stages(timeline: JobTimeline) -> str:
    head = "".join(
        f"<th>{name}</th>"
        for name in ("stage", "attempts", "run time", "CPU", "no free core", "queue wait", "peak MiB")
    )
    body = ""
    for name, rows in timeline.by_stage().items():
        starved = [row["cpu_wait_s"] for row in rows if row["cpu_wait_s"] is not None]
        waits = [row["queue_wait_s"] for row in rows if row["queue_wait_s"] is not None]
        peak = max((row["rss_peak_bytes"] or 0 for row in rows), default=0)
        cells = (
            escape(stage_name(name)),
            str(len(rows)),
            seconds(sum(row["run_s"] or 0 for row in rows)),
            seconds(sum(_cpu_of(row) or 0 for row in rows)),
            seconds(sum(starved)) if starved else "–",
            seconds(sum(waits)) if waits else "–",
            str(peak >> 20) if peak else "–",
        )
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f"<h2>Totals</h2><div class='wide'><table><tr>{head}</tr>{body}</table></div>"
