"""What nobody expected: said without the user's words.

An exception's message may hold anything, a line of the script too, and Celery puts it into logs, events and
results. So what isn't one of the pipeline's own errors leaves a task as its type and the place in our code.
"""

import traceback
from pathlib import Path

from pipeline.errors import BugError

_ROOT = Path(__file__).parent.parent.parent


def redact(error: BaseException) -> BugError:
    """The error without its words."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT)]
    frame = (ours or frames)[-1]
    return BugError(type(error).__name__, f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}")
