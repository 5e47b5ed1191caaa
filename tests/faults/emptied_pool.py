"""Remote control command that leaves a pool of one without processes; a worker includes this module."""

from typing import Any

from celery.worker.control import control_command


@control_command()
def empty_pool(state: Any) -> dict[str, Any]:
    """Shrink the pool as Celery's autoscaler would, without a check."""
    state.consumer.pool.shrink(1)
    return {"ok": "the pool is empty"}
