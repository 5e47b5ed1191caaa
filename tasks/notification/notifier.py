"""Thread of an intake worker's main process that sends notifications, and notices budgets that are exceeded.

Jobs only write to the outbox of the store, so that no receiver can delay or fail one.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from celery import bootsteps

from pipeline import clock
from pipeline.errors import NewerRecordError, PipelineError, StoreError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import BUDGET, Notice, Outbox
from pipeline.jobs.plans import Plan
from tasks.broker.queues import INTAKE
from tasks.notification import delivery
from tasks.notification.delivery import NotDeliveredError, address_hash
from tasks.notification.webhooks import Webhooks, webhooks_of
from tasks.settings import Settings

log = logging.getLogger(__name__)

_CHECK_S = 5.0
NO_WEBHOOKS = Webhooks((), "")


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


class Notifier:
    """Sends the notices of a store to addresses.

    Args:
        addresses: URLs, of which http and https get JSON and others go through Apprise.
        events: events that are announced.
        budget_s: longest time of a job; 0 for none.
        webhooks: hosts that jobs may name.
    """

    def __init__(
        self,
        jobs: Jobs,
        addresses: Sequence[str],
        events: Sequence[str],
        budget_s: float,
        webhooks: Webhooks = NO_WEBHOOKS,
    ) -> None:
        self.jobs, self.outbox, self.webhooks = jobs, Outbox(jobs.store), webhooks
        self.addresses, self.events, self.budget_s = addresses, events, budget_s

    def check(self) -> None:
        """Announce exceeded budgets, and send what is due."""
        if self.budget_s and BUDGET in self.events:
            for job in self.jobs.coordination.opened():
                self._check_budget(job)
        for notice in self.outbox.due():
            if self.outbox.begin(notice):
                send_to(self.outbox, notice, self._receivers(notice), "notification")

    def _check_budget(self, job: str) -> None:
        try:
            plan = self.jobs.plans.get(job)
        except NewerRecordError:
            return
        if plan is not None and not self.jobs.outcomes.closed(job):
            taken_s = clock.now() - self._begun_s(plan)
            if taken_s > self.budget_s:
                facts = {"budget_s": self.budget_s, "taken_s": round(taken_s, 1), "segments": plan.segments}
                self.outbox.put(job, self.jobs.coordination.run_no(job), BUDGET, facts)

    def _begun_s(self, plan: Plan) -> float:
        return self.jobs.coordination.begun_s(plan.job) or plan.created_s

    def _receivers(self, notice: Notice) -> Iterator[Receiver]:
        """Yield addresses, and functions that send the notice there."""
        for url in self.addresses if notice.for_operator else ():
            yield url, partial(delivery.send, url, notice.id, notice.facts)
        if notice.webhook:
            send = partial(self.webhooks.send, notice.webhook, notice.id, notice.facts, notice.namespace)
            yield f"webhook {notice.webhook}", send


class SendNotices(bootsteps.StartStopStep):
    """Boot step that runs the notifier in a thread, if the settings name addresses."""

    purpose = "notifications"

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._stopped = threading.Event()

    def start(self, worker: Any) -> None:
        sender = self.sender(worker.app.settings, worker.app.resources.jobs)
        if sender is not None and INTAKE[0] in worker.app.amqp.queues.consume_from:
            threading.Thread(target=self._run, args=(sender,), name=self.purpose, daemon=True).start()

    def sender(self, settings: Settings, jobs: Jobs) -> Sender | None:
        """Sender by the settings; None if there are no receivers."""
        webhooks = webhooks_of(settings)
        if not (settings.notify_urls or webhooks.enabled):
            return None
        return Notifier(jobs, settings.notify_urls, settings.notify_events, settings.budget_s, webhooks)

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
