"""Public representation of task results in logs and Flower: figures, never text.

Celery puts `repr(result)` into the `task-succeeded` event. The result has its own representation, so no
further message is needed; as JSON it is the plain result, equal on every attempt.
"""

from collections import UserDict
from collections.abc import Mapping
from typing import Any

from tasks.metering.attempt import attempt

Row = dict[str, Any]

_FIGURES = ("voices", "segments", "chars_in", "tokens_in", "cache_hit", "device", "audio_s")


class RedactedResult(UserDict[str, Any]):
    """A task's result whose representation is its figures.

    >>> RedactedResult({"job": "3f9a", "segment": 4, "ok": True}, {"voices": 2, "speed": 172.0})
    {'voices': 2, 'speed': 172.0}
    """

    def __init__(self, result: Mapping[str, Any], figures: Row) -> None:
        super().__init__(result)
        self._figures = figures

    def __repr__(self) -> str:
        return repr(self._figures)

    def __json__(self) -> Row:
        """Plain result, for kombu's JSON serialiser."""
        return self.data


def redacted(result: Any, measured: attempt) -> Any:
    """Wrap a mapping so that it is shown as the attempt's figures; other results are returned unchanged."""
    if not isinstance(result, Mapping):
        return result
    return RedactedResult(result, {**_failure(result), **_figures(measured)})


def _failure(result: Mapping[str, Any]) -> Row:
    """Error type of a stage that returned its failure."""
    return {} if result.get("ok", True) else {"error": result.get("error")}


def _figures(measured: attempt) -> Row:
    found = ((name, measured.usage.facts.get(name)) for name in _FIGURES)
    figures = {name: value for name, value in found if value is not None}
    audio_s = figures.get("audio_s")
    if audio_s and measured.run_s:
        figures |= {"audio_s": round(audio_s, 2), "speed": float(f"{audio_s / measured.run_s:.3g}")}
    return figures
