"""Internals of kombu's Redis transport: lists of queues, and unacknowledged messages.

kombu stores each priority step of a queue as a separate list. A delivered message lies in a hash until it is
acknowledged, and its delivery time in a sorted set. One older than the visibility timeout is redelivered.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import kombu.transport
from kombu.asynchronous.hub import Hub
from kombu.messaging import Consumer
from kombu.transport import redis
from kombu.transport.virtual import base
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from pipeline import internals
from pipeline.internals import Internal
from tasks.internals.kombu_receipt import ReceiptChannel, received_key

_BLOCK = 500
_RENEWAL = "the renewal of unacknowledged messages"
_SCREEN = "the check of messages before they are read"
_RECEIPT = "the receipt of requests"
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
    Internal(kombu.transport, "TRANSPORT_ALIASES", _SCREEN),
    Internal(kombu.transport, "_transport_cache", _SCREEN),
    Internal(redis.Channel, "_brpop_read", _SCREEN, ("options",)),
    Internal(redis.Channel, "_brpop_start", _RECEIPT, ("timeout",)),
    Internal(redis.Channel, "_brpop_sent_at", _RECEIPT),
    Internal(redis.Channel, "brpop_timeout", _RECEIPT),
    Internal(redis.Channel, "active_queues", _RECEIPT),
    Internal(redis.QoS, "restore_visible", _RECEIPT),
    Internal(redis.Channel, "_queue_cycle", _SCREEN),
    Internal(redis.Channel, "_in_poll", _SCREEN),
    Internal(redis.Channel, "_flush_brpop_reauth", _SCREEN, ()),
    Internal(redis.Channel, "basic_consume", _SCREEN, ("queue", "args", "kwargs")),
    Internal(base.Transport, "_callbacks", _SCREEN),
    Internal(base.Transport, "_deliver", _SCREEN, ("message", "queue")),
    Internal(Consumer, "on_decode_error", _SCREEN),
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


def requeue_unacknowledged(channel: Any, moved_queue: str) -> None:
    """Requeue all unacknowledged messages, whoever holds them.

    Args:
        moved_queue: queue whose messages in receipt are requeued, too.
    """
    with channel.conn_or_acquire() as client:
        for tag in client.hkeys(channel.unacked_key):
            channel.qos.restore_by_tag(tag.decode(), client)
        while client.lmove(received_key(moved_queue), lists_of(channel, moved_queue)[0], "LEFT", "RIGHT"):
            pass


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


class ScreenedChannel(ReceiptChannel):
    """Channel that keeps away from its consumers what kombu cannot read."""

    unreadable: tuple[type[Exception], ...] = ()
    fault_of: Callable[[Any], Any] = staticmethod(lambda raw: None)
    """Fault of a decoded message, or None."""
    on_fault: Callable[[str, bytes, Any], None] | None = None
    """Receives the queue, the message and its fault, which is None if it could not be decoded at all."""

    def _brpop_read(self, **options: Any) -> bool:
        """Read one message as kombu does, but report one that is not JSON instead of raising."""
        try:
            queue, message = self.receive(**options)
            self._queue_cycle.rotate(queue)  # type: ignore[attr-defined]  # set by its constructor
            try:
                raw = loads(bytes_to_str(message))
            except self.unreadable:
                self._report(queue, message, None)
            else:
                self.connection._deliver(raw, queue)
            self.confirm(message)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()  # type: ignore[attr-defined]  # newer than the stubs

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> Any:
        tag = super().basic_consume(queue, *args, **kwargs)
        callbacks: Any = self.connection._callbacks
        deliver = callbacks[queue]

        def screened(raw: Any) -> None:
            fault = self.fault_of(raw)
            if fault is None:
                deliver(raw)
            else:
                self._report(queue, json.dumps(raw, default=str).encode(errors="replace"), fault)

        callbacks[queue] = screened
        return tag

    def _report(self, queue: str, message: bytes, fault: Any) -> None:
        if self.on_fault is not None:
            self.on_fault(queue, message, fault)


class ScreenedSentinelChannel(ScreenedChannel, redis.SentinelChannel):
    """The same behind Sentinels."""


class ScreenedTransport(redis.Transport):
    Channel = ScreenedChannel


class ScreenedSentinelTransport(redis.SentinelTransport):
    Channel = ScreenedSentinelChannel


def screen(
    fault_of: Callable[[Any], Any], unreadable: tuple[type[Exception], ...], *, moved_queue: str
) -> None:
    """Use screened channels for all Redis connections of this process that are opened from now on.

    Args:
        moved_queue: queue whose messages are received as `tasks.internals.kombu_receipt` describes.
    """
    ScreenedChannel.moved_queue = moved_queue
    ScreenedChannel.fault_of, ScreenedChannel.unreadable = staticmethod(fault_of), unreadable
    transports: Any = kombu.transport
    aliases, resolved = transports.TRANSPORT_ALIASES, transports._transport_cache
    for scheme in ("redis", "rediss", "sentinel"):
        transport = ScreenedSentinelTransport if scheme == "sentinel" else ScreenedTransport
        aliases[scheme] = f"{__name__}:{transport.__name__}"
        resolved.pop(scheme, None)


def stored_form(message: Any) -> bytes:
    """Form in which `put_back` takes a received message, of any transport."""
    body = (
        message.body if isinstance(message.body, bytes) else str(message.body or "").encode(errors="replace")
    )
    properties = {"body_encoding": "base64", "delivery_mode": 2}
    for name in ("correlation_id", "reply_to", "priority"):
        if isinstance(message.properties.get(name), str | int):
            properties[name] = message.properties[name]
    form = {
        "body": base64.b64encode(body).decode(),
        "content-type": message.content_type,
        "content-encoding": message.content_encoding,
        "headers": message.headers,
        "properties": properties,
    }
    return json.dumps(form, default=str).encode(errors="replace")


def put_back(channel: Any, queue: str, message: bytes) -> None:
    """Put a message in a queue as it was, on Redis also one that cannot be read."""
    if is_redis(channel):
        with channel.conn_or_acquire() as client:
            client.lpush(lists_of(channel, queue)[0], _addressed(channel, queue, message))
        return
    form = json.loads(message)
    properties = {name: value for name, value in form["properties"].items() if name != "body_encoding"}
    made = channel.prepare_message(
        base64.b64decode(form["body"]),
        content_type=form["content-type"],
        content_encoding=form["content-encoding"],
        headers=form["headers"],
        properties=properties,
    )
    channel.basic_publish(made, exchange="", routing_key=queue)


def _addressed(channel: Any, queue: str, message: bytes) -> bytes:
    """Message with what the transport adds when it sends one; unchanged if it is not of that form."""
    try:
        form = json.loads(message)
        form["properties"].setdefault("delivery_tag", channel._next_delivery_tag())
        form["properties"].setdefault("delivery_info", {"exchange": "", "routing_key": queue})
    except (ValueError, TypeError, LookupError, AttributeError):
        return message
    return json.dumps(form).encode()
