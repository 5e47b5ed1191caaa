"""Headers of task messages: times, and the subject of the task, so that nobody has to parse its arguments.

The same names carry the subject in the events of a task.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.jobs.plans import is_id

PUBLISHED, FIRST_PUBLISHED, RECEIVED = "voxchord_published", "voxchord_first_published", "voxchord_received"
"""Send time of this attempt; [task ID, send time of its first attempt]; receive time."""
CLOCK = "voxchord_clock"
"""Offset of the clock (`pipeline.clock`) of the worker's main process, for its children."""
JOB, SEGMENT = "voxchord_job", "voxchord_segment"
LABELS = "voxchord_labels"
"""Labels of a request, by name, for the history."""
OPENING = "voxchord_opening"
"""Task ID under which the opening of a request's text is rendered ahead; without it there is none."""
_TASK_MAX = 64
_SEGMENT_MAX = 10**9
_LABELS_MAX, _LABEL_MAX = 10, 64


@dataclass(frozen=True, slots=True)
class Subject:
    """Job that a task works on, and its segment if it works on one.

    >>> str(Subject("0" * 19 + "f", 4)), str(Subject("0" * 19 + "f"))
    ('job 0000000000000000000f segment 4', 'job 0000000000000000000f')
    """

    job: str
    segment: int | None = None

    def headers(self) -> dict[str, str | int]:
        return {JOB: self.job} if self.segment is None else {JOB: self.job, SEGMENT: self.segment}

    def __str__(self) -> str:
        return f"job {self.job}" if self.segment is None else f"job {self.job} segment {self.segment}"


def subject_in_headers(headers: Mapping[str, Any]) -> Subject | None:
    """Subject in a message's headers or an event's fields; None if they have none.

    Any client of the broker may have written them, so they are validated.
    """
    return _subject(headers.get(JOB), headers.get(SEGMENT))


def labels_in_headers(labels: Any) -> dict[str, str]:
    """Labels in a message's header, which any client of the broker may have written; others are dropped.

    >>> labels_in_headers({"client": "blog", "n": 3}), labels_in_headers("x")
    ({'client': 'blog'}, {})
    """
    given = labels.items() if isinstance(labels, Mapping) else ()
    valid = {name: value for name, value in given if _is_label(name) and _is_label(value)}
    return dict(list(valid.items())[:_LABELS_MAX])


def opening_in_headers(task: Any) -> str | None:
    """Task ID of an opening in a message's header, which any client of the broker may have written.

    >>> opening_in_headers("5f0c"), opening_in_headers({"a": 1})
    ('5f0c', None)
    """
    return task if isinstance(task, str) and 0 < len(task) <= _TASK_MAX and task.isprintable() else None


def _is_label(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= _LABEL_MAX and text.isprintable()


def subject_of_arguments(args: Any, kwargs: Any) -> Subject | None:
    """Subject of a task with these arguments; None for a task without one, such as `voxchord.render`.

    >>> subject_of_arguments([{"job": "0123456789abcdef0123", "segment": 4}], {})
    Subject(job='0123456789abcdef0123', segment=4)
    >>> subject_of_arguments([], {"script": "Alice: a secret", "voices": {}})
    """
    first = args[0] if isinstance(args, list | tuple) and args and isinstance(args[0], Mapping) else {}
    found = {**first, **(kwargs if isinstance(kwargs, Mapping) else {})}
    return _subject(found.get("job"), found.get("segment"))


def _subject(job: Any, segment: Any) -> Subject | None:
    if not is_id(job):
        return None
    if segment is None:
        return Subject(job)
    valid = isinstance(segment, int) and not isinstance(segment, bool) and 0 <= segment < _SEGMENT_MAX
    return Subject(job, segment) if valid else None
