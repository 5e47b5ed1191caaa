"""What depends on what carries the messages: Redis, Redis behind Sentinels, or AMQP (RabbitMQ).

| | Redis | AMQP |
|---|---|---|
| a dead worker's messages come back | after the visibility timeout, which the living renew | at once; after a heartbeat where its machine is gone |
| first served | the lowest number, a list for each step | the highest number, `x-max-priority` |
| a sent message is safe | when the command has been answered | when it has been confirmed |
| what lies in the queues can be | searched, message by message | counted |

On AMQP a queue's arguments must be the same from whoever declares it, and a plain Celery app declares the
queue that it sends to without any: so the door has none, and is served in order.
"""  # noqa: E501 - a table

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import ChannelError, NotFound
from celery.app import amqp
from kombu import Queue

from tasks.broker.queues import DOOR, PRIORITY_STEPS
from tasks.settings import Settings

_AMQP = ("amqp://", "amqps://", "pyamqp://")
_HOLD_MS = 2 * 3600 * 1000
"""RabbitMQ takes back what a consumer holds for longer, half an hour by itself; a stitch may take an hour."""


def speaks_amqp(url: str) -> bool:
    """
    >>> [speaks_amqp(url) for url in ("amqps://host//", "redis://host/0", "sentinel://host")]
    [True, False, False]
    """
    return url.startswith(_AMQP)


def queue(name: str) -> Queue:
    """A queue as everybody has to declare it."""
    if name in DOOR:
        return Queue(name, routing_key=name)
    arguments = {"x-max-priority": len(PRIORITY_STEPS) - 1, "x-consumer-timeout": _HOLD_MS}
    return Queue(name, routing_key=name, queue_arguments=arguments)


class Queues(amqp.Queues):
    """A device's queue is made by whoever names it first, a worker or a sender, and is the same from both."""

    def new_missing(self, name: str) -> Queue:
        return queue(name)


class Wire(amqp.AMQP):
    """Celery's, with queues of ours."""

    queues_cls = Queues


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker of the settings.

    Args:
        master: what the Sentinels call the group, where the URL is `sentinel://…`.
        tls_ca: a file with the certificates to trust; empty for the system's.
    """

    url: str
    visibility_timeout_s: int
    master: str
    tls_ca: str

    @property
    def amqp(self) -> bool:
        return speaks_amqp(self.url)

    def priority(self, step: int) -> int:
        """The number that stands for one of `PRIORITY_STEPS` on the wire."""
        return len(PRIORITY_STEPS) - 1 - PRIORITY_STEPS.index(step) if self.amqp else step

    def transport_options(self) -> dict[str, Any]:
        if self.amqp:
            return {"confirm_publish": True}
        timeout_s = self.visibility_timeout_s
        return {
            "visibility_timeout": timeout_s,
            "unacked_key": "voxchord.unacked",
            "unacked_index_key": "voxchord.unacked_index",
            "unacked_mutex_key": "voxchord.unacked_mutex",
            "unacked_mutex_expire": max(2, timeout_s // 6),  # its holder may die too
            "unacked_restore_interval": max(1, timeout_s // 12),
            "unacked_restore_throttle": 1,
            "priority_steps": list(PRIORITY_STEPS),
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "health_check_interval": 25,
            **sentinel_options(self.url, self.master),
        }

    def tls(self) -> dict[str, Any] | None:
        """As `broker_use_ssl`; None where the URL asks for none."""
        if self.url.startswith("amqps://"):
            return {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": self.tls_ca or None, "server_hostname": None}
        return redis_tls(self.url, self.tls_ca)


def of(settings: Settings, url: str) -> Broker:
    """The broker at a URL, as the settings say."""
    return Broker(url, settings.visibility_timeout_s, master=settings.sentinel_master, tls_ca=settings.tls_ca)


def sentinel_options(url: str, master: str) -> dict[str, Any]:
    return {"master_name": master} if url.startswith("sentinel://") else {}


def redis_tls(url: str, tls_ca: str) -> dict[str, Any] | None:
    """Certificates are checked, always: an address in the URL may say more (`?ssl_certfile=…`)."""
    if not url.startswith("rediss://"):
        return None
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": tls_ca or None}


def counts(connection: Any, names: Iterable[str]) -> dict[str, int]:
    """How many messages wait in queues; one that nobody has declared yet has none."""
    found = {}
    for name in names:
        with connection.channel() as channel:
            try:
                found[name] = int(channel.queue_declare(name, passive=True).message_count)
            except ChannelError as error:
                if str(error.reply_code) != str(NotFound.code):  # a text, from kombu's own transports
                    raise
                found[name] = 0
    return found
