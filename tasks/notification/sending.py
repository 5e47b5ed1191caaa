"""Thread of an intake worker's main process that sends what is due in an outbox.

Jobs only write to the outbox of the store, so that no receiver can delay or fail one.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from celery import bootsteps

from pipeline.errors import PipelineError, StoreError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import Notice, Outbox
from tasks.broker.queues import INTAKE
from tasks.notification.errors import NotDeliveredError
from tasks.settings import Settings

log = logging.getLogger(__name__)

_CHECK_S = 5.0

Receiver = tuple[str, Callable[[], object]]
"""Address, and a function that sends a notice there or raises NotDeliveredError."""


class Sender(Protocol):
    """Sends what is due."""

    def check(self) -> None: ...


def send_to(outbox: Outbox, notice: Notice, receivers: Iterable[Receiver], what: str) -> None:
    """Send a claimed notice to the receivers that do not have it; failures are tried again with back-off.

    Args:
        what: noun for the log.
    """
    sent_to, problems = list(notice.sent_to), []
    for address, send in receivers:
        if address_hash(address) not in sent_to:
            try:
                send()
                sent_to.append(address_hash(address))
            except NotDeliveredError as error:
                problems.append(str(error))
    if not problems:
        outbox.sent(notice)
        return
    wait_s = outbox.failed(notice, tuple(sent_to))
    again = "it is dropped" if wait_s is None else f"tried again in {wait_s:.0f} s"
    log.warning("%s %s was not delivered (%s); %s", what, notice.id, "; ".join(sorted(set(problems))), again)


def address_hash(url: str) -> str:
    """Name of an address in the outbox, which holds no keys."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


class SenderThread(bootsteps.StartStopStep):
    """Boot step that runs a sender in a thread of an intake worker, if the settings name receivers."""

    purpose: ClassVar[str]
    """Noun for the log and the thread."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopped = threading.Event()

    def start(self, worker: Any) -> None:
        sender = self.sender(worker.app.settings, worker.app.resources.jobs)
        if sender is not None and INTAKE[0] in worker.app.amqp.queues.consume_from:
            threading.Thread(target=self._run, args=(sender,), name=self.purpose, daemon=True).start()

    def sender(self, settings: Settings, jobs: Jobs) -> Sender | None:
        """Sender by the settings; None if there are no receivers."""
        raise NotImplementedError

    def stop(self, worker: Any) -> None:
        self._stopped.set()

    def _run(self, sender: Sender) -> None:
        while not self._stopped.wait(_CHECK_S):
            try:
                sender.check()
            except (StoreError, OSError) as error:
                log.info("%s wait for the store: %s", self.purpose, error)
            except PipelineError as error:
                log.warning("%s: %s", self.purpose, error)
