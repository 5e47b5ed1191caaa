"""Errors by what the caller should do: correct the input, retry, or give up.

Every argument is passed to `super().__init__`, since Celery's JSON backend rebuilds an exception from its
`args`.
"""

from collections.abc import Sequence
from typing import Any

PROBLEMS_SHOWN = 50
"""Maximum number of problems listed in an error's text."""


class PipelineError(Exception):
    """Base of all expected errors. Any other exception is a bug."""


class ScriptError(PipelineError):
    """A script that cannot be spoken as written. Not retried.

    `line` and `reason` describe the first problem; `problems` has all of them.
    """

    def __init__(self, line: int, reason: str, more: Sequence[Sequence[Any]] = ()) -> None:
        super().__init__(line, reason, *([[list(problem) for problem in more]] if more else []))
        self.line, self.reason = line, reason
        self.problems: list[tuple[int, str]] = [(line, reason), *((int(at), str(why)) for at, why in more)]

    @classmethod
    def of(cls, problems: Sequence[tuple[int, str]]) -> "ScriptError":
        """Combine all problems of a script, at least one, to one error."""
        (line, reason), *more = problems
        return cls(line, reason, more)

    def __str__(self) -> str:
        shown = [f"line {line}: {reason}" for line, reason in self.problems[:PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(shown)
        return "\n".join(shown + ([f"and {hidden} more problems"] if hidden else []))


class VoiceError(PipelineError):
    """A reference recording or voice name that cannot be used.

    `voice` and `reason` describe the first problem; `problems` has all of them. `voice` is empty if none was
    given.
    """

    def __init__(self, voice: str, reason: str, more: Sequence[Sequence[Any]] = ()) -> None:
        super().__init__(voice, reason, *([[list(problem) for problem in more]] if more else []))
        self.voice, self.reason = voice, reason
        self.problems: list[tuple[str, str]] = [(voice, reason), *((str(who), str(why)) for who, why in more)]

    @classmethod
    def of(cls, problems: Sequence[tuple[str, str]]) -> "VoiceError":
        """Combine all problems of a cast, at least one, to one error."""
        (voice, reason), *more = problems
        return cls(voice, reason, more)

    def __str__(self) -> str:
        shown = [
            f"voice {voice!r}: {reason}" if voice else reason
            for voice, reason in self.problems[:PROBLEMS_SHOWN]
        ]
        hidden = len(self.problems) - len(shown)
        return "\n".join(shown + ([f"and {hidden} more problems"] if hidden else []))


class OptionError(PipelineError):
    """An unknown option, format or engine, or a value out of range.

    `option` and `reason` describe the first problem; `problems` has all of them.
    """

    def __init__(self, option: str, reason: str, more: Sequence[Sequence[Any]] = ()) -> None:
        super().__init__(option, reason, *([[list(problem) for problem in more]] if more else []))
        self.option, self.reason = option, reason
        self.problems: list[tuple[str, str]] = [
            (option, reason),
            *((str(name), str(why)) for name, why in more),
        ]

    @classmethod
    def of(cls, problems: Sequence[tuple[str, str]]) -> "OptionError":
        """Combine all problems of a request's options, at least one, to one error."""
        (option, reason), *more = problems
        return cls(option, reason, more)

    def __str__(self) -> str:
        shown = [f"option {option!r}: {reason}" for option, reason in self.problems[:PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(shown)
        return "\n".join(shown + ([f"and {hidden} more problems"] if hidden else []))


class EngineError(PipelineError):
    """Work that an engine cannot do: a missing or unsupported checkpoint, or a segment it refuses."""


class DependencyError(EngineError):
    """An optional package of an engine that is not installed on a machine."""

    def __init__(self, engine: str, packages: str, host: str, advice: str) -> None:
        super().__init__(engine, packages, host, advice)
        self.engine, self.packages, self.host, self.advice = engine, packages, host, advice

    def __str__(self) -> str:
        needed = (
            f"engine {self.engine} needs {self.packages}" if self.engine else f"{self.packages} is needed"
        )
        return f"{needed}, which is not installed on {self.host}; run `{self.advice}` there"


class InternalsError(PipelineError):
    """A dependency lacks internals that are used here: another release of it is installed."""

    def __init__(self, package: str, version: str, problems: list[str]) -> None:
        super().__init__(package, version, problems)
        self.package, self.version, self.problems = package, version, problems

    def __str__(self) -> str:
        return (
            f"{self.package} {self.version} can't be used: {'; '.join(self.problems)}; "
            f"install the version in constraints.txt"
        )


class PoisonError(EngineError):
    """Work that has killed its process too often."""

    def __init__(self, deaths: int) -> None:
        super().__init__(deaths)
        self.deaths = deaths

    def __str__(self) -> str:
        return f"quarantined: its worker died {self.deaths} times"


class MessageError(PipelineError):
    """A message that cannot be understood; it was taken off its queue and nothing was done."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(part, reason)
        self.part, self.reason = part, reason

    def __str__(self) -> str:
        return f"the message cannot be understood: its {self.part} {self.reason}"


class BugError(PipelineError):
    """An unexpected exception, without its message, which may quote the script."""

    def __init__(self, kind: str, where: str) -> None:
        super().__init__(kind, where)
        self.kind, self.where = kind, where

    def __str__(self) -> str:
        return f"unexpected {self.kind} at {self.where}"


class SegmentError(PipelineError):
    """A job that failed at one segment; its finished segments remain."""

    def __init__(self, segment: int, line: int, reason: str) -> None:
        super().__init__(segment, line, reason)
        self.segment, self.line, self.reason = segment, line, reason

    def __str__(self) -> str:
        return f"segment {self.segment} (script line {self.line}): {self.reason}"


class CancelledError(PipelineError):
    """A cancelled job; its stages stop at their next check."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job} was cancelled"


class DeadlineError(PipelineError):
    """A segment that took longer than its frame plan allows."""

    def __init__(self, seconds: float, limit_s: float) -> None:
        super().__init__(seconds, limit_s)
        self.seconds, self.limit_s = seconds, limit_s

    def __str__(self) -> str:
        return f"took {self.seconds:.1f} s, more than its limit of {self.limit_s:.1f} s"


class RetryableError(PipelineError):
    """A failure that may pass, on this device or another."""


class DeviceLostError(RetryableError):
    """A fault reported by the accelerator."""


class OutOfMemoryError(RetryableError):
    """A device without enough memory for a single slot."""


class StoreError(RetryableError):
    """An artifact store that does not answer, refuses a write, or is full."""


class NewerRecordError(StoreError):
    """A record in the store that only a later release can read; a worker of that release will."""

    def __init__(self, name: str, version: int, newest: int) -> None:
        super().__init__(name, version, newest)
        self.name, self.version, self.newest = name, version, newest

    def __str__(self) -> str:
        return f"{self.name} has version {self.version}; this release reads up to {self.newest}"


class MissingArtifactError(RetryableError):
    """An artifact of an earlier stage that is missing or has a wrong checksum."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"artifact {self.name} is missing or damaged"


class HandedBackError(Exception):
    """Work that is requeued because its process is stopping. Not a failure, so not a PipelineError."""
