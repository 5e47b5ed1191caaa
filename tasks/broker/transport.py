"""Transports and their differences: Redis, Redis behind Sentinels, and AMQP (RabbitMQ).

| | Redis | AMQP |
|---|---|---|
| messages of a dead worker are redelivered | after the visibility timeout, which live workers renew | at once; after a heartbeat if the machine is gone |
| served first | the lowest number, one list per step | the highest number, `x-max-priority` |
| a sent message is safe | when the command has been answered | when it has been confirmed |
| queued messages can be | searched one by one | counted |

On AMQP all clients must declare a queue with equal arguments, and a plain Celery app declares the queue that it
sends to without any. So the intake queue has no arguments and no priorities.
"""  # noqa: E501 - a table

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import ChannelError, NotFound
from celery.app import amqp
from kombu import Queue

from tasks.broker.queues import INTAKE, PRIORITY_STEPS
from tasks.settings import Settings

_AMQP = ("amqp://", "amqps://", "pyamqp://")
_HOLD_MS = 2 * 3600 * 1000
"""Consumer timeout of RabbitMQ, by default half an hour; a stitch may take an hour."""


def speaks_amqp(url: str) -> bool:
    """True for AMQP URLs.

    >>> [speaks_amqp(url) for url in ("amqps://host//", "redis://host/0", "sentinel://host")]
    [True, False, False]
    """
    return url.startswith(_AMQP)


def queue(name: str) -> Queue:
    """Queue with the arguments that all clients must declare."""
    if name in INTAKE:
        return Queue(name, routing_key=name)
    arguments = {"x-max-priority": len(PRIORITY_STEPS) - 1, "x-consumer-timeout": _HOLD_MS}
    return Queue(name, routing_key=name, queue_arguments=arguments)


class Queues(amqp.Queues):
    """Queues of the app; senders and workers declare device queues with equal arguments."""

    def new_missing(self, name: str) -> Queue:
        return queue(name)


class Wire(amqp.AMQP):
    """Celery's AMQP layer with our queues."""

    queues_cls = Queues


@dataclass(frozen=True, slots=True)
class Broker:
    """The configured broker.

    Args:
        master: name of the master group, for `sentinel://…` URLs.
        tls_ca: file with the CA certificates to trust; empty for the system's.
    """

    url: str
    visibility_timeout_s: int
    master: str
    tls_ca: str

    @property
    def amqp(self) -> bool:
        return speaks_amqp(self.url)

    def priority(self, step: int) -> int:
        """Message priority of a step of `PRIORITY_STEPS`."""
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
            "unacked_mutex_expire": max(2, timeout_s // 6),  # its holder may die
            "unacked_restore_interval": max(1, timeout_s // 12),
            "unacked_restore_throttle": 1,
            "priority_steps": list(PRIORITY_STEPS),
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "health_check_interval": 25,
            **sentinel_options(self.url, self.master),
        }

    def tls(self) -> dict[str, Any] | None:
        """Value of `broker_use_ssl`; None for URLs without TLS."""
        if self.url.startswith("amqps://"):
            return {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": self.tls_ca or None, "server_hostname": None}
        return redis_tls(self.url, self.tls_ca)


def of(settings: Settings, url: str) -> Broker:
    """Broker at a URL, with the options of the settings."""
    return Broker(url, settings.visibility_timeout_s, master=settings.sentinel_master, tls_ca=settings.tls_ca)


def sentinel_options(url: str, master: str) -> dict[str, Any]:
    return {"master_name": master} if url.startswith("sentinel://") else {}


def redis_tls(url: str, tls_ca: str) -> dict[str, Any] | None:
    """TLS options of Redis. Certificates are always verified; the URL may add `?ssl_certfile=…`."""
    if not url.startswith("rediss://"):
        return None
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": tls_ca or None}


def counts(connection: Any, names: Iterable[str]) -> dict[str, int]:
    """Count waiting messages by queue; undeclared queues have none."""
    found = {}
    for name in names:
        with connection.channel() as channel:
            try:
                found[name] = int(channel.queue_declare(name, passive=True).message_count)
            except ChannelError as error:
                if str(error.reply_code) != str(NotFound.code):  # kombu's own transports use text
                    raise
                found[name] = 0
    return found
