"""Errors, sorted by what the caller should do: correct the input, try again, or give up.

Every argument goes to `super().__init__`: Celery's JSON backend rebuilds an exception from its `args`.
"""

from collections.abc import Sequence
from typing import Any

PROBLEMS_SHOWN = 50
"""Problems that an error's text lists."""


class PipelineError(Exception):
    """Something that a person or a program is expected to meet. Anything else is a bug and fails loudly."""


class ScriptError(PipelineError):
    """The script can't be spoken as written. Trying again can't help.

    `line` and `reason` are of the first problem; where there are more, all of them are in `problems`.
    """

    def __init__(self, line: int, reason: str, more: Sequence[Sequence[Any]] = ()) -> None:
        super().__init__(line, reason, *([[list(problem) for problem in more]] if more else []))
        self.line, self.reason = line, reason
        self.problems: list[tuple[int, str]] = [(line, reason), *((int(at), str(why)) for at, why in more)]

    @classmethod
    def of(cls, problems: Sequence[tuple[int, str]]) -> "ScriptError":
        """One error for all problems of a script; there is at least one."""
        (line, reason), *more = problems
        return cls(line, reason, more)

    def __str__(self) -> str:
        shown = [f"line {line}: {reason}" for line, reason in self.problems[:PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(shown)
        return "\n".join(shown + ([f"and {hidden} more problems"] if hidden else []))


class VoiceError(PipelineError):
    """A reference recording or a voice name that can't be used."""

    def __init__(self, voice: str, reason: str) -> None:
        super().__init__(voice, reason)
        self.voice, self.reason = voice, reason

    def __str__(self) -> str:
        return f"voice {self.voice!r}: {self.reason}"


class OptionError(PipelineError):
    """An option, format or engine that doesn't exist, or a value outside its range."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(option, reason)
        self.option, self.reason = option, reason

    def __str__(self) -> str:
        return f"option {self.option!r}: {self.reason}"


class EngineError(PipelineError):
    """The engine can't do this work: no such checkpoint, a foreign one, a segment it refuses."""


class PoisonError(EngineError):
    """This work has ended its process as often as is allowed."""

    def __init__(self, deaths: int) -> None:
        super().__init__(deaths)
        self.deaths = deaths

    def __str__(self) -> str:
        return f"set aside: its worker died {self.deaths} times"


class BugError(PipelineError):
    """Something that nobody expected. Its message stays in the process: it may hold the user's words."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(kind, where)
        self.kind, self.where = kind, where

    def __str__(self) -> str:
        return f"a bug: {self.kind} at {self.where}"


class SegmentError(PipelineError):
    """A job stopped at one segment; what is finished is kept."""

    def __init__(self, segment: int, line: int, reason: str) -> None:
        super().__init__(segment, line, reason)
        self.segment, self.line, self.reason = segment, line, reason

    def __str__(self) -> str:
        return f"segment {self.segment} (script line {self.line}): {self.reason}"


class CancelledError(PipelineError):
    """The job was cancelled; stages stop at the next look at its flag."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job} was cancelled"


class DeadlineError(PipelineError):
    """A segment took longer than its frame plan allows."""

    def __init__(self, seconds: float, limit_s: float) -> None:
        super().__init__(seconds, limit_s)
        self.seconds, self.limit_s = seconds, limit_s

    def __str__(self) -> str:
        return f"took {self.seconds:.1f} s, more than its limit of {self.limit_s:.1f} s"


class RetryableError(PipelineError):
    """Worth another try, on this device or another."""


class DeviceLostError(RetryableError):
    """The accelerator reported a fault."""


class OutOfMemoryError(RetryableError):
    """A device ran out of memory even with one slot."""


class StoreError(RetryableError):
    """The artifact store did not answer, refused a write, or is full."""


class MissingArtifactError(RetryableError):
    """An artifact that an earlier stage made is gone or doesn't check out."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"artifact {self.name} is missing or damaged"


class HandedBackError(Exception):
    """The process is stopping: this work goes back to the queue. Not a failure, so not a PipelineError."""
