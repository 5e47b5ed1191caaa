"""Notifications from the outbox to addresses and webhooks, and of budgets that are exceeded."""

from collections.abc import Iterator, Sequence
from functools import partial

from pipeline import clock
from pipeline.errors import NewerRecordError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import BUDGET, Notice, Outbox
from pipeline.jobs.plans import Plan
from tasks.notification import delivery
from tasks.notification.sending import Receiver, Sender, SenderThread, send_to
from tasks.notification.webhooks import Webhooks, webhooks_of
from tasks.settings import Settings

NO_WEBHOOKS = Webhooks((), "")


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


class SendNotices(SenderThread):
    """Boot step that sends notifications in a thread."""

    purpose = "notifications"

    def sender(self, settings: Settings, jobs: Jobs) -> Sender | None:
        """Sender by the settings; None if there are no receivers."""
        webhooks = webhooks_of(settings)
        if not (settings.notify_urls or webhooks.enabled):
            return None
        return Notifier(jobs, settings.notify_urls, settings.notify_events, settings.budget_s, webhooks)
