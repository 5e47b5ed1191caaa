"""State of tasks and workers in Flower, so that its tables can show, search and sort it.

Flower fills these classes from events. Job and segment are fields of a task's events
(`tasks.privacy.events`), figures are in the representation of its result (`tasks.privacy.results`), and a
worker's queues and device in its heartbeat (`tasks.worker.heartbeat`). Events may come from any app on the
broker, so nothing in them is trusted.
"""

import ast
import math
import sys
from typing import Any

from celery.events.state import Task, Worker

from pipeline.stage_names import JOB_STAGES
from tasks.internals import celery_internals
from tasks.message_headers import subject_in_headers

Row = dict[str, Any]

FLOW = ("render", *JOB_STAGES, "reconcile")
COLUMNS = {
    "stage": "Stage",
    "job": "Job",
    "segment": "Segment",
    "voices": "Voices",
    "audio_s": "Audio",
    "speed": "Speed",
    "device": "Device",
}
"""Columns added to Flower's, with their headings."""
_PREFIX = "voxchord."
_FIGURES: dict[str, type | tuple[type, ...]] = {
    "voices": int,
    "audio_s": (int, float),
    "speed": (int, float),
    "device": str,
    "error": str,
    "cache_hit": bool,
}
_RESULT_MAX = 1024


class ShownTask(Task):
    """A task with job, segment and figures."""

    _fields = (*celery_internals.task_fields(), *COLUMNS, "error", "cache_hit")
    job = segment = voices = audio_s = speed = device = error = cache_hit = None

    @property
    def stage(self) -> str | None:
        """Stage of our tasks; full name of other apps' tasks."""
        return self.name.removeprefix(_PREFIX) if self.name else None

    def event(  # type: ignore[override]  # celery's state gives these four
        self, type_: str, timestamp: Any = None, local_received: Any = None, fields: Row | None = None
    ) -> None:
        super().event(type_, timestamp, local_received, fields)
        self.__dict__.update(read(fields or {}))  # also from late or repeated events, such as a root's stitch


class ShownWorker(Worker):
    """A worker with queues and device, from its heartbeats."""

    _fields = (*celery_internals.worker_fields(), "queues", "device")
    queues = device = ""


def read_older_files() -> None:
    """Let Flower read what release 0.1.0 saved: its file names this module by its path of then."""
    sys.modules.setdefault("tasks.flower_state", sys.modules[__name__])


def read(event: Row) -> Row:
    """Job, segment and figures of an event.

    >>> read({"voxchord_job": "0123456789abcdef0123", "voxchord_segment": 4})
    {'job': '0123456789abcdef0123', 'segment': 4}
    >>> read({"result": "{'voices': 2, 'audio_s': 61.3, 'speed': 172.0, 'more': 1}"})
    {'voices': 2, 'audio_s': 61.3, 'speed': 172.0}
    >>> read({"result": "{'audio_s': 'quick', 'speed': 1e999}"}), read({"result": "{[]: print}"})
    ({}, {})
    """
    found: Row = {}
    subject, result = subject_in_headers(event), event.get("result")
    if subject:
        found["job"] = subject.job
        if subject.segment is not None:
            found["segment"] = subject.segment
    if isinstance(result, str) and result.startswith("{") and len(result) <= _RESULT_MAX:
        found |= _figures(result)
    return found


def _figures(text: str) -> Row:
    try:
        figures = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return {}
    if not isinstance(figures, dict):
        return {}
    return {name: figures[name] for name, kind in _FIGURES.items() if _fits(figures.get(name), kind)}


def _fits(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (not isinstance(value, float) or math.isfinite(value))


def sort_key(task: Any, column: str, task_id: str) -> tuple[bool, Any, str]:
    """Sort key: numbers by value, stages by order and segment, other values by text; unknown values first."""
    value = getattr(task, column, None)
    if value is None:
        return False, (0, ""), task_id
    if column == "stage" and value in FLOW:
        return True, (FLOW.index(value), f"{task.segment or 0:09d}"), task_id
    if isinstance(value, int | float):
        return True, (value, ""), task_id
    return True, (len(FLOW), str(value).casefold()), task_id
