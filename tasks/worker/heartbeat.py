"""What a worker says of itself: its queues and its device ride in the heartbeats that it sends anyway."""

from typing import Any

from celery.worker.state import SOFTWARE_INFO

from tasks.metering.probes.gpu import Gpu

_FIELDS: dict[str, Any] = SOFTWARE_INFO


def introduce(instance: Any = None, **_: Any) -> None:
    """A `celeryd_after_setup` handler, so that the first heartbeat has it too."""
    queues = instance.app.amqp.queues.consume_from
    _FIELDS.update(queues=", ".join(sorted(queues)), device=_device(instance.pool_cls.__module__))


def _device(pool: str) -> str:
    """Processes that fork leave the driver to their children, and ours decode on the CPU."""
    if pool.endswith("prefork"):
        return "cpu"
    found = Gpu.probe().describe()
    return ", ".join(str(row.get("gpu_name") or row.get("gpu_uuid")) for row in found) if found else "cpu"
