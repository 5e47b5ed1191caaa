"""Snapshot of the messages a broker holds, in queues or unacknowledged by a worker."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tasks.broker.queues import PRIORITY_STEPS, QUEUES
from tasks.broker.transport import counts
from tasks.orchestration.resources import VoxchordApp

_SHOWN = re.compile(rb"job ([0-9a-f]{20})(?: segment (\d+))?")
"""Form of the representation that `tasks.privacy.requests.shown` puts into every message's headers."""
_BLOCK = 500


@dataclass(frozen=True, slots=True)
class BrokerSnapshot:
    """Segments and stitches whose messages the broker holds."""

    segments: frozenset[tuple[str, int]]
    stitches: frozenset[str]
    known: bool = True
    """False if the broker cannot be searched; then only `busy` is known."""
    busy: bool = False

    def covers(self, job: str, missing: Iterable[int]) -> bool:
        """True if messages exist for all missing work of a job."""
        if not self.known:
            return self.busy
        missing = list(missing)
        if not missing:
            return job in self.stitches
        return all((job, index) in self.segments for index in missing)


def snapshot(app: VoxchordApp) -> BrokerSnapshot:
    """Take a snapshot: on Redis from all message headers, elsewhere from the lengths of queues."""
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        names = [name for name in QUEUES if name != "voxchord"]
        if hasattr(channel, "unacked_key"):
            with channel.conn_or_acquire() as client:
                return _found(_payloads(client, channel, names))
        busy = any(counts(connection, names).values())
        return BrokerSnapshot(frozenset(), frozenset(), known=False, busy=busy)


def _found(payloads: Iterable[bytes]) -> BrokerSnapshot:
    segments, stitches = set(), set()
    for payload in payloads:
        match = _SHOWN.search(payload)
        if match:
            job = match[1].decode()
            if match[2] is None:
                stitches.add(job)
            else:
                segments.add((job, int(match[2])))
    return BrokerSnapshot(frozenset(segments), frozenset(stitches))


def _payloads(client: Any, channel: Any, names: Iterable[str]) -> Iterable[bytes]:
    device_queues = {
        key.decode().split(channel.sep)[0] for key in client.scan_iter(match="gpu.*", _type="list")
    }
    for name in {*names, *device_queues}:
        for step in PRIORITY_STEPS:
            key = channel._q_for_pri(name, step)  # private to kombu, which is pinned
            start = 0
            while block := client.lrange(key, start, start + _BLOCK - 1):
                yield from block
                start += len(block)
    for _, payload in client.hscan_iter(channel.unacked_key, count=_BLOCK):
        yield payload
