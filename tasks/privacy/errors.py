"""Redaction of unexpected exceptions.

A message may quote the script, and Celery copies it into logs, events and results. So an exception that is
not one of the pipeline's own leaves a task as its type and its place in our code.
"""

import traceback
from pathlib import Path

from pipeline.errors import BugError

_ROOT = Path(__file__).parent.parent.parent


def redact(error: BaseException) -> BugError:
    """Redact the message of an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT)]
    frame = (ours or frames)[-1]
    return BugError(type(error).__name__, f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}")
