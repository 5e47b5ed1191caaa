"""Queues and device of a worker, added to its heartbeats."""

from typing import Any

from tasks.internals import celery_internals
from tasks.metering.probes.gpu import Gpu


def introduce(instance: Any = None, **_: Any) -> None:
    """Add queues and device before the first heartbeat (handler of `celeryd_after_setup`)."""
    queues = instance.app.amqp.queues.consume_from
    celery_internals.heartbeat_fields().update(
        queues=", ".join(sorted(queues)), device=_device(instance.pool_cls.__module__)
    )


def _device(pool: str) -> str:
    """Device of a thread pool; prefork workers decode on the CPU and must not load the driver."""
    if pool.endswith("prefork"):
        return "cpu"
    found = Gpu.probe().describe()
    return ", ".join(str(row.get("gpu_name") or row.get("gpu_uuid")) for row in found) if found else "cpu"
