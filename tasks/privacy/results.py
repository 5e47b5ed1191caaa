"""What a worker's log and Flower show of a task's result: what was done and how fast, never words.

Celery shows `repr(result)` in the event that says a task has succeeded. So the result carries a text of its
own, and nothing more is sent than was before; as JSON it is the result alone, the same on every attempt.
"""

from collections import UserDict
from collections.abc import Mapping
from typing import Any

from tasks.metering.attempt import attempt

Row = dict[str, Any]

_FIGURES = ("voices", "segments", "chars_in", "tokens_in", "cache_hit", "device", "audio_s")


class Shown(UserDict[str, Any]):
    """A task's result that is shown as its figures.

    >>> Shown({"job": "3f9a", "segment": 4, "ok": True}, {"voices": 2, "audio_s": 61.3, "speed": 172.0})
    {'voices': 2, 'audio_s': 61.3, 'speed': 172.0}
    """

    def __init__(self, result: Mapping[str, Any], figures: Row) -> None:
        super().__init__(result)
        self._figures = figures

    def __repr__(self) -> str:
        return repr(self._figures)

    def __json__(self) -> Row:
        """How kombu writes it."""
        return self.data


def shown(result: Any, measured: attempt) -> Any:
    """The result, to be shown as the figures that the attempt noted; one that is no mapping is left alone."""
    if not isinstance(result, Mapping):
        return result
    return Shown(result, {**_failure(result), **_figures(measured)})


def _failure(result: Mapping[str, Any]) -> Row:
    """The kind of failure of a segment whose stage hands it on instead of raising it."""
    return {} if result.get("ok", True) else {"error": result.get("error")}


def _figures(measured: attempt) -> Row:
    found = ((name, measured.usage.facts.get(name)) for name in _FIGURES)
    figures = {name: value for name, value in found if value is not None}
    audio_s = figures.get("audio_s")
    if audio_s and measured.run_s:
        figures |= {"audio_s": round(audio_s, 2), "speed": float(f"{audio_s / measured.run_s:.3g}")}
    return figures
