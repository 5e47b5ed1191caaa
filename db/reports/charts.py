"""Charts of a job's report as coordinates: waiting messages, bars of attempts, boxes of stages, GPU curves.

Each is 1000 units wide and is stretched to the width of the page. Labels are HTML beside it, so that their
size stays readable on a phone. The marks are in `templates/charts.html`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.reports.advice import seconds, stage_name
from db.reports.job_timeline import JobTimeline, cpu_s, quantile

Row = dict[str, Any]

WIDTH = 1000
_POINTS_MAX = 4000
_USE_COLOUR, _MEMORY_COLOUR = "#2a9d8f", "#e08e2b"


@dataclass(frozen=True, slots=True)
class WaitingChart:
    """Number of waiting messages over time."""

    most: int
    points: str


@dataclass(frozen=True, slots=True)
class Span:
    """Horizontal extent of a mark, in the chart's units."""

    x: str
    width: str


@dataclass(frozen=True, slots=True)
class Bar:
    """An attempt on its slot's line."""

    x: str
    width: str
    colour: str
    failed: bool
    title: str
    wait: Span | None
    """Time that the attempt waited while the slot was free."""


@dataclass(frozen=True, slots=True)
class Box:
    """Distribution of a measure over a stage's attempts: a box plot."""

    label: str
    note: str
    colour: str
    low: str
    first: str
    width: str
    """Width of the middle half, which begins at `first`."""
    middle: str
    high: str


@dataclass(frozen=True, slots=True)
class Measure:
    """Box plots of one measure, with their common scale."""

    title: str
    boxes: Sequence[Box]
    ticks: Sequence[str]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve over the job's time."""

    points: str
    colour: str


@dataclass(frozen=True, slots=True)
class Device:
    """Utilisation and memory of a GPU; no lines if no attempt was long enough for samples."""

    label: str
    note: str
    lines: Sequence[Line]
    legend: Sequence[tuple[str, str]] = (
        ("utilisation, 0 to 100 %", _USE_COLOUR),
        ("memory, 0 to the device's total", _MEMORY_COLOUR),
    )


def is_failed(row: Row) -> bool:
    """True for an attempt that was not successful."""
    return row["state"] not in {"SUCCESS", "IGNORED"}


def ticks(timeline: JobTimeline) -> list[str]:
    """Labels of the time axis."""
    return ["0", *(seconds(timeline.span_s * part / 4) for part in range(1, 5))]


def waiting(timeline: JobTimeline) -> WaitingChart | None:
    """Chart of the number of waiting messages over time; None if no message has a time of sending."""
    changes = sorted(
        change
        for row in timeline.attempts
        if row["published"]
        for change in ((row["published"], 1), (row["start"], -1))
    )
    if not changes:
        return None
    count, most = 0, 1
    heights: list[tuple[float, int]] = []
    for moment, step in changes:
        heights.append((moment, count))
        count += step
        heights.append((moment, count))
        most = max(most, count)
    points = [
        f"{_x(timeline, moment):.1f},{40 - 38 * height / most:.1f}" for moment, height in _thin(heights)
    ]
    return WaitingChart(most, " ".join(["0,40", *points, f"{WIDTH},40"]))


def bars(timeline: JobTimeline, rows: Sequence[Row], colours: Mapping[str, str]) -> Iterator[Bar]:
    """Bars of a slot's consecutive attempts."""
    free_from = timeline.started
    for row in rows:
        start, end = _x(timeline, row["start"]), _x(timeline, row["end"])
        wait = None
        if row["published"]:
            waited = _x(timeline, max(free_from, row["published"]))
            if start - waited > 0.3:
                wait = Span(f"{waited:.1f}", f"{start - waited:.1f}")
        yield Bar(
            x=f"{start:.1f}",
            width=f"{max(0.8, end - start):.1f}",
            colour=colours[row["task_name"]],
            failed=is_failed(row),
            title=_title(row),
            wait=wait,
        )
        free_from = row["end"]


def measures(timeline: JobTimeline, colours: Mapping[str, str]) -> Iterator[Measure]:
    """Box plots of what the stages' attempts took."""
    for title, measure, words in _MEASURES:
        found = {
            name: [float(value) for row in rows if (value := measure(row)) is not None]
            for name, rows in timeline.by_stage().items()
        }
        values = {name: measured for name, measured in found.items() if measured}
        if values:
            most = max(max(measured) for measured in values.values()) or 1.0
            boxes = [_box(name, measured, most, colours[name], words) for name, measured in values.items()]
            yield Measure(title, boxes, ("0", words(most / 2), words(most)))


def devices(timeline: JobTimeline) -> Iterator[Device]:
    """Curves of each GPU that was measured."""
    measured = [row for row in timeline.attempts if row["gpu_uuid"]]
    for uuid in sorted({row["gpu_uuid"] for row in measured}):
        yield _device(timeline, uuid, [row for row in measured if row["gpu_uuid"] == uuid])


def _measured_cpu_s(row: Row) -> float | None:
    return cpu_s(row) if row["cpu_user_s"] is not None else None


_MEASURES: tuple[tuple[str, Callable[[Row], float | None], Callable[[float], str]], ...] = (
    ("Run time", lambda row: row["run_s"], seconds),
    ("CPU time", _measured_cpu_s, seconds),
    ("Peak memory", lambda row: row["rss_peak_bytes"], lambda size: f"{size / 2**20:.0f} MiB"),
    ("Queue wait", lambda row: row["queue_wait_s"], seconds),
)


def _x(timeline: JobTimeline, moment: float) -> float:
    return WIDTH * (moment - timeline.started) / max(timeline.span_s, 1e-6)


def _thin(items: list[Any]) -> list[Any]:
    """Leave out so many items that at most `_POINTS_MAX` remain."""
    return items if len(items) <= _POINTS_MAX else items[:: -(-len(items) // _POINTS_MAX)]


def _title(row: Row) -> str:
    words = [stage_name(row["task_name"])]
    if row["segment"] is not None:
        words.append(f"segment {row['segment']}")
    words.append(f"ran {seconds(row['run_s'] or 0)}")
    if row["queue_wait_s"] is not None:
        words.append(f"waited {seconds(row['queue_wait_s'])}")
    if row["rss_peak_bytes"]:
        words.append(f"peak {row['rss_peak_bytes'] >> 20} MiB")
    if row["attempt"] or row["redelivered"]:
        words.append("retried")
    return ", ".join([*words, row["state"]])


def _box(name: str, values: list[float], most: float, colour: str, words: Callable[[float], str]) -> Box:
    marks = [min(values), *(quantile(values, share) for share in (0.25, 0.5, 0.75)), max(values)]
    low, first, middle, third, high = (mark / most * (WIDTH - 4) + 2 for mark in marks)
    count = "1 attempt" if len(values) == 1 else f"{len(values)} attempts"
    return Box(
        label=stage_name(name),
        note=f"median {words(marks[2])}, from {words(marks[0])} to {words(marks[4])}, {count}",
        colour=colour,
        low=f"{low:.1f}",
        first=f"{first:.1f}",
        width=f"{max(1.0, third - first):.1f}",
        middle=f"{middle:.1f}",
        high=f"{high:.1f}",
    )


def _device(timeline: JobTimeline, uuid: str, rows: list[Row]) -> Device:
    note = f"active for {seconds(sum(row['gpu_active_s'] or 0 for row in rows))}"
    total = max((row["gpu_mem_total_bytes"] or 0 for row in rows), default=0)
    peak = max((row["gpu_mem_device_peak_bytes"] or 0 for row in rows), default=0)
    if total and peak:
        note += f", memory at most {peak / 2**30:.1f} of {total / 2**30:.0f} GiB"
    samples = _samples(timeline, rows)
    lines = (
        _line(timeline, samples, "gpu_util_pct", 100.0, _USE_COLOUR),
        _line(timeline, samples, "gpu_mem_bytes", float(total or 1), _MEMORY_COLOUR),
    )
    return Device(f"{rows[0]['gpu_name'] or 'GPU'} {uuid[:12]}", note, lines if samples else ())


def _samples(timeline: JobTimeline, rows: list[Row]) -> list[tuple[float, Row]]:
    """Samples of long attempts with their times."""
    found = [
        (row["start"] + sample["at_ms"] / 1000, sample)
        for row in rows
        for sample in timeline.samples.get(row["attempt_uid"], ())
    ]
    found.sort(key=lambda each: each[0])
    return _thin(found)


def _line(
    timeline: JobTimeline, samples: list[tuple[float, Row]], column: str, most: float, colour: str
) -> Line:
    points = (
        f"{_x(timeline, at):.1f},{88 - 86 * sample[column] / most:.1f}"
        for at, sample in samples
        if sample[column] is not None
    )
    return Line(" ".join(points), colour)
