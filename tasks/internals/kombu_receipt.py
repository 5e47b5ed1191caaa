"""Receipt of a queue's messages without a moment at which only a worker's memory has them.

kombu takes a message with BRPOP and then writes it to the unacknowledged ones. A worker that is killed
between the two loses it, and so does a machine that is unreachable while the server answers. Messages
between stages are sent again by the reconciler; a request that nothing knows of yet is not. So its queue is
read with BLMOVE, which moves a message to a second list, where it stays until it is recorded. What its
receiver leaves there for the visibility timeout is put back.
"""

from collections.abc import Iterable
from hashlib import sha256
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport import redis
from kombu.transport.virtual import base
from kombu.utils.encoding import bytes_to_str

_SHORT_S = 0.01
"""Wait behind a message. The server ends it at its next tick, within 0.1 s."""
_PUT_BACK = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then
    return redis.call('RPUSH', KEYS[2], ARGV[1])
end
return 0
"""


def received_key(queue: str) -> str:
    """Redis list of the messages of a queue that are being received.

    >>> received_key("voxchord")
    'voxchord.received'
    """
    return f"{queue}.received"


class ReceiptQoS(redis.QoS):
    """Redelivers messages that were never recorded, too; settles those that the server cannot be told of.

    kombu holds a message whose acknowledgement failed for ever, and renews it. With a prefetch count of one
    the channel then waits for no other, so it doesn't even notice that its connection is lost.
    """

    channel: "ReceiptChannel"

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; if that fails, it is redelivered after the visibility timeout."""
        try:
            super().ack(delivery_tag)
        finally:
            base.QoS.ack(self, delivery_tag)

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        super().restore_visible(*args, **kwargs)
        self.channel.put_back_abandoned()


class ReceiptChannel(redis.Channel):
    """Channel that receives the messages of one queue by BLMOVE, if it consumes no other queue.

    BLMOVE waits for one list. A message of another priority step is fetched when a wait has ended without
    any: after at most a second, and within a tenth behind another message.
    """

    QoS = ReceiptQoS
    moved_queue = ""
    """The queue; empty for none."""
    _moving = False
    """True while the command that waits is a BLMOVE."""
    _more = False
    """True after a message: more may be there, of any priority step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: dict[bytes, float] = {}

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Send the command that waits for a message; its name is kombu's."""
        self._moving = bool(self.moved_queue) and set(self.active_queues) == {self.moved_queue}
        if not self._moving:
            super()._brpop_start(timeout)  # type: ignore[misc]  # missing in the stubs
            return
        wait_s = (self.brpop_timeout if timeout is None else timeout) or 0
        connection = self.client.connection
        self._in_poll, self._brpop_sent_at = connection, monotonic()
        source, target = self._lists()[0], received_key(self.moved_queue)
        connection.send_command("BLMOVE", source, target, "RIGHT", "LEFT", _SHORT_S if self._more else wait_s)

    def receive(self, **options: Any) -> tuple[str, bytes]:
        """Read the answer to that command.

        Returns:
            Queue and message.

        Raises:
            Empty: there was none.
        """
        connection = self.client.connection
        try:
            found = self.client.parse_response(connection, "BLMOVE" if self._moving else "BRPOP", **options)
            if self._moving:
                found = found or self._next_of_lower_priority()
                self._more = found is not None
        except self.connection_errors:  # type: ignore[attr-defined]  # set by its constructor
            connection.disconnect()
            raise
        if not found:
            raise Empty
        if self._moving:
            return self.moved_queue, found
        return bytes_to_str(found[0]).rsplit(self.sep, 1)[0], found[1]

    def confirm(self, message: bytes) -> None:
        """Forget a received message; it is recorded elsewhere."""
        if self._moving:
            with self.conn_or_acquire() as client:
                client.lrem(received_key(self.moved_queue), 1, message)

    def put_back_abandoned(self) -> None:
        """Put messages back in the queue that have been in receipt for the visibility timeout."""
        if not self.moved_queue:
            return
        with self.conn_or_acquire() as client:
            received = client.lrange(received_key(self.moved_queue), 0, -1)
            for message in self._abandoned(received):
                keys = (received_key(self.moved_queue), self._lists()[0])
                client.eval(_PUT_BACK, len(keys), *keys, message)

    def _abandoned(self, received: Iterable[bytes]) -> list[bytes]:
        """Messages that this process has seen in receipt for the visibility timeout."""
        now = monotonic()
        by_digest = {sha256(message).digest(): message for message in received}
        self._seen = {digest: self._seen.get(digest, now) for digest in by_digest}
        return [
            by_digest[digest]
            for digest, since in self._seen.items()
            if now - since >= self.visibility_timeout
        ]

    def _lists(self) -> list[str]:
        return [self._q_for_pri(self.moved_queue, step) for step in self.priority_steps]  # type: ignore[attr-defined]  # missing in the stubs

    def _next_of_lower_priority(self) -> bytes | None:
        for source in self._lists()[1:]:
            message: bytes | None = self.client.lmove(
                source, received_key(self.moved_queue), src="RIGHT", dest="LEFT"
            )
            if message is not None:
                return message
        return None
