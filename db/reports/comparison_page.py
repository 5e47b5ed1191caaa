"""HTML page that compares two jobs, or two releases, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from db.queries import catalog
from db.reports.advice import seconds, stage_name
from db.reports.html import render

Row = Mapping[str, Any]

_FIGURES = (
    ("n", "attempts", "count"),
    ("not_success", "unsuccessful", "count"),
    ("not_success_pct", "unsuccessful", "percent"),
    ("run_s", "run time", "seconds"),
    ("run_per_audio_s", "run time per second of audio", "seconds"),
    ("cpu_s", "CPU time", "seconds"),
    ("gpu_s", "GPU active", "seconds"),
    ("energy_j", "energy", "joules"),
    ("wait_s", "mean queue wait", "seconds"),
    ("starved_s", "no free core", "seconds"),
    ("peak_mib", "peak memory", "mib"),
    ("audio_s", "audio", "seconds"),
)


def page(engine: Engine, a: str, b: str, *, releases: bool = False) -> str | None:
    """Render the comparison of two jobs by ID, or of two releases; None if the history has neither."""
    rows = catalog.run(engine, "compare_releases" if releases else "compare", a=a, b=b).records()
    if not rows:
        return None
    kind = "release" if releases else "job"
    return render(
        "comparison.html",
        title=f"{kind} {a} and {kind} {b}".capitalize(),
        a=a,
        b=b,
        first=first_difference(rows),
        per_attempt=releases,
        stages=[(stage_name(row["task_name"]), row["differs"], _lines(row)) for row in rows],
    )


def first_difference(rows: Sequence[Row]) -> str:
    """Sentence about the earliest task of the pipeline whose figures differ.

    >>> first_difference([{"task_name": "voxchord.text", "first_difference": 0, "differs": None}])
    'No task differs by more than a quarter.'
    """
    for row in rows:
        if row["first_difference"]:
            stage, change = stage_name(row["task_name"]), row["run_change_pct"]
            by = "" if change is None else f"; its run time changed by {change:+.0f} %"
            if row["differs"] == "missing":
                return f"The first difference: {stage} ran on one side only."
            return f"The first difference is in {stage}: {row['differs']}{by}."
    return "No task differs by more than a quarter."


def _lines(row: Row) -> list[tuple[str, str, str, str]]:
    """Figure, both values, and the change of each measured figure of a task."""
    lines = []
    for name, title, unit in _FIGURES:
        a, b = row.get(f"{name}_a"), row.get(f"{name}_b")
        if a is not None or b is not None:
            change = f"{100 * (b / a - 1):+.0f} %" if a and b is not None else "–"
            lines.append((title, _shown(a, unit), _shown(b, unit), change))
    return lines


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    shown = {
        "count": f"{value:.0f}",
        "percent": f"{value:.1f} %",
        "joules": f"{value:.0f} J",
        "mib": f"{value:.0f} MiB",
    }
    return shown.get(unit) or seconds(value)
