"""Internals of kombu's Redis transport: lists of queues, and unacknowledged messages.

kombu stores each priority step of a queue as a separate list. A delivered message lies in a hash until it is
acknowledged, and its delivery time in a sorted set. One older than the visibility timeout is redelivered.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kombu.asynchronous.hub import Hub
from kombu.transport import redis
from kombu.transport.virtual import base

from pipeline import internals
from pipeline.internals import Internal

_BLOCK = 500
_RENEWAL = "the renewal of unacknowledged messages"
_LISTS = "the snapshot of the broker and the metrics of queues"

INTERNALS = (
    Internal(base.Channel, "qos", _RENEWAL),
    Internal(redis.QoS, "_delivered", _RENEWAL),
    Internal(redis.QoS, "_dirty", "the stall watchdog"),
    Internal(redis.QoS, "unacked_index_key", _RENEWAL),
    Internal(redis.QoS, "restore_by_tag", "the requeueing of a dead worker's messages"),
    Internal(redis.Channel, "unacked_key", "the snapshot of the broker"),
    Internal(redis.Channel, "visibility_timeout", _RENEWAL),
    Internal(redis.Channel, "conn_or_acquire", "every access to the broker's data", ("client",)),
    Internal(redis.Channel, "_q_for_pri", _LISTS, ("queue", "pri")),
    Internal(redis.Channel, "priority_steps", _LISTS),
    Internal(redis.Channel, "sep", "the snapshot of the broker"),
    Internal(Hub, "readers", "the stall watchdog"),
    Internal(redis, "time", "the redelivery by one clock"),
)


def check() -> None:
    """
    Raises:
        InternalsError: kombu lacks something that is used here.
    """
    internals.check("kombu", INTERNALS)


def use_clock(now: Callable[[], float]) -> None:
    """Record and judge the age of unacknowledged messages by this clock.

    kombu takes each process' own, so that one whose clock is ahead redelivers what live workers hold.
    """
    redis.time = now  # type: ignore[attr-defined]  # a name that the module imports


def is_redis(channel: Any) -> bool:
    """True for Redis, also behind Sentinels; the functions below need it unless they say otherwise."""
    return isinstance(channel, redis.Channel)


def visibility_timeout_s(channel: Any) -> float:
    return float(channel.visibility_timeout)


def held(channel: Any) -> set[str]:
    """Delivery tags that this channel's consumers have not settled."""
    delivered, settled = set(channel.qos._delivered), set(channel.qos._dirty)
    return delivered - settled


def renew(channel: Any, now: float) -> None:
    """Set the delivery time of this channel's unacknowledged messages, if they are still recorded."""
    tags = list(channel.qos._delivered)
    if tags:
        with channel.conn_or_acquire() as client:
            client.zadd(channel.qos.unacked_index_key, dict.fromkeys(tags, now), xx=True)


def requeue_unacknowledged(channel: Any) -> None:
    """Requeue all unacknowledged messages, whoever holds them."""
    with channel.conn_or_acquire() as client:
        for tag in client.hkeys(channel.unacked_key):
            channel.qos.restore_by_tag(tag.decode(), client)


def lists_of(channel: Any, queue: str) -> list[str]:
    """Redis keys of a queue, one per priority step."""
    return [channel._q_for_pri(queue, step) for step in channel.priority_steps]


def queues_matching(channel: Any, pattern: str) -> set[str]:
    """Names of the queues that hold messages and match a glob pattern."""
    with channel.conn_or_acquire() as client:
        keys = client.scan_iter(match=pattern, _type="list")
        return {key.decode().split(channel.sep)[0] for key in keys}


def payloads(channel: Any, queues: Iterable[str]) -> Iterator[bytes]:
    """Yield all messages of the queues, then all unacknowledged ones (`[message, exchange, routing key]`)."""
    with channel.conn_or_acquire() as client:
        for key in (key for queue in queues for key in lists_of(channel, queue)):
            start = 0
            while block := client.lrange(key, start, start + _BLOCK - 1):
                yield from block
                start += len(block)
        for _, payload in client.hscan_iter(channel.unacked_key, count=_BLOCK):
            yield payload


def reader_of(hub: Any, fd: int) -> Any:
    """Callback that an event loop runs when a file descriptor is readable; None if there is none."""
    return hub.readers.get(fd, (None,))[0]
