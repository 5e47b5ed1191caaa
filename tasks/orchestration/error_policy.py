"""Policy for errors: the one place that sorts them into retry, fail and requeue."""

import errno
from dataclasses import dataclass

from pipeline.engines.dependencies import missing_dependency
from pipeline.errors import HandedBackError, PipelineError, RetryableError, StoreError
from tasks.privacy.errors import redact

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Errors of the operating system for a full or failing disk."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry later, on any worker: the next attempt may succeed."""

    error: RetryableError


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail: another attempt would end alike."""

    error: PipelineError


@dataclass(frozen=True, slots=True)
class Requeue:
    """Return the message to its queue: the attempt does not count, since the work is not at fault."""

    error: StoreError | HandedBackError


def classify(error: Exception) -> Retry | Fail | Requeue:
    """Sort an error of a task's work; Celery's own exceptions are no errors and are not passed here.

    >>> classify(StoreError("away")), classify(RetryableError("a fault"))
    (Requeue(error=StoreError('away')), Retry(error=RetryableError('a fault')))
    """
    if isinstance(error, StoreError | HandedBackError):
        return Requeue(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Requeue(StoreError(f"can't write: {error.strerror}"))
    if isinstance(error, RetryableError):
        return Retry(error)
    if isinstance(error, ImportError):
        return Fail(missing_dependency(error) or redact(error))
    if isinstance(error, PipelineError):
        return Fail(error)
    return Fail(redact(error))  # a bug; its message may quote the script
