"""Remote control commands that change the size of a worker's pool, made safe.

Celery's `pool_shrink` ends a process even if it is asked for none, and counts a process twice that is ending
already. So it can leave a pool without processes: the worker takes messages, renews them, and starts none.
"""

from typing import Any

from tasks.internals import celery_internals

_LAST = "a pool keeps one process; cancel_consumer stops a worker's work, and shutdown ends it"


def register() -> None:
    """Replace Celery's commands in this process (for handlers of `celeryd_init`)."""
    celery_internals.replace_pool_shrink(shrink)


def shrink(state: Any, n: int = 1, **options: Any) -> dict[str, Any]:
    """Shrink the pool by n processes, of which one remains."""
    if n < 1:
        return {"error": f"cannot shrink a pool by {n} processes"}
    if celery_internals.slots(state.consumer) - n < 1:
        return {"error": _LAST}
    return celery_internals.pool_shrink(state, n, **options)
