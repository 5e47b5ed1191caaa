"""Thread of an intake worker's main process that hands finished books over.

Jobs only write to the outbox of the store, so that no player can delay or fail one.
"""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from pipeline.errors import RetryableError, StoreError
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.outbox import Notice
from pipeline.jobs.plans import Plan
from pipeline.views.states import newest_manifest
from tasks.handover.errors import OccupiedError
from tasks.handover.receivers import HandOver, outbox_of, receivers
from tasks.notification.errors import NotDeliveredError
from tasks.notification.sending import Receiver, Sender, SenderThread, send_to
from tasks.settings import Settings

log = logging.getLogger(__name__)


class BookSender:
    """Hands the books of the outbox over."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self.jobs, self.settings, self.outbox = jobs, settings, outbox_of(jobs)

    def check(self) -> None:
        """Hand over what is due; what a process that died was handing over is due again."""
        self.outbox.release()
        for notice in self.outbox.due():
            if self.outbox.begin(notice):
                with self.outbox.renewing(notice):
                    send_to(self.outbox, notice, self._receivers(notice), "book")

    def _receivers(self, notice: Notice) -> Iterator[Receiver]:
        job = notice.facts["job"]
        plan = self.jobs.plans.get(job)
        manifest = self._newest(job, notice.facts["revision"])
        if plan is None or manifest is None:
            log.warning("job %s is not handed over: it is gone from the store", job)
            return
        for address, hand_over in receivers(self.settings):
            yield address, partial(self._hand_over, hand_over, plan, manifest)

    def _newest(self, job: str, revision: int) -> dict[str, Any] | None:
        """Manifest of a revision, or of a newer one, which a late attempt would replace otherwise."""
        newest = newest_manifest(self.jobs, job)
        if newest is not None and newest["state"] == "done" and newest["revision"] > revision:
            return newest
        return newest_manifest(self.jobs, job, revision)

    def _hand_over(self, hand_over: HandOver, plan: Plan, manifest: dict[str, Any]) -> None:
        try:
            hand_over(self.jobs, plan, manifest, False)
        except StoreError:
            raise
        except OccupiedError:  # its message names books
            reason = f"it cannot be put in its place; `handover {plan.job}` says why"
            raise NotDeliveredError(reason) from None
        except RetryableError as error:
            raise NotDeliveredError(str(error)) from None
        log.info("job %s was handed over", plan.job)


class HandOverBooks(SenderThread):
    """Boot step that hands books over in a thread, if the settings say so."""

    purpose = "books to be handed over"

    def sender(self, settings: Settings, jobs: Jobs) -> Sender | None:
        """Sender by the settings; None if nothing is handed over by itself."""
        return BookSender(jobs, settings) if settings.handover and any(receivers(settings)) else None
