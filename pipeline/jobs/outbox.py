"""Outbox of notifications about jobs.

jobs/<job>/notified/<run>.<event>   an outcome that was announced, created exclusively: at most once
outbox/<job>.<run>.<event>          one that is to be sent, with its failed attempts
outbox-sending/<job>.<run>.<event>  an attempt to send it, created exclusively; removed if the attempt failed

A process that dies while it sends leaves its mark, so that nothing is sent twice. Books that are handed over
are in an outbox of their own, `handover`, whose marks are renewed and expire: the same book may arrive twice.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.errors import StoreError
from pipeline.store.artifacts import Store

FINISHED, FAILED, BUDGET = "finished", "failed", "budget"
EVENTS = (FINISHED, FAILED, BUDGET)
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 3600.0
AGE_MAX_S = 24 * 3600.0
"""Age at which a notice that cannot be delivered is dropped."""
HANDOVER = "handover"
"""Outbox, and event, of books that are handed over."""
_RENEW_S = 20.0
_DEAD_S = 120.0
"""Age of a mark that is renewed no longer."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification that is to be sent."""

    id: str
    """Unique per outcome; receivers may use it to recognise a repetition."""
    facts: Mapping[str, Any]
    sent_to: tuple[str, ...] = ()
    """Hashes of the addresses that have it."""
    failures: int = 0
    webhook: str = ""
    """Address that the request named; empty for none."""
    namespace: str = ""
    """Namespace of the job."""
    for_operator: bool = True
    """True if the addresses of the settings get it."""


class Outbox:
    """Notices of one store.

    Args:
        folder: name of the outbox.
        age_max_s: age at which a notice that cannot be delivered is dropped.
    """

    def __init__(self, store: Store, folder: str = "outbox", age_max_s: float = AGE_MAX_S) -> None:
        self.store, self.folder, self.age_max_s = store, folder, age_max_s

    def put(
        self,
        job: str,
        run_no: int,
        event: str,
        facts: Mapping[str, Any],
        *,
        webhook: str | None = None,
        namespace: str | None = None,
        for_operator: bool = True,
    ) -> bool:
        """Announce an outcome; False if it was announced before.

        Args:
            webhook, namespace: options of the job.
            for_operator: send it to the addresses of the settings.
        """
        name = f"{job}.{run_no}.{event}"
        if not self.store.put(f"jobs/{job}/notified/{run_no}.{event}", b""):
            return False
        whole = {"event": event, "job": job, "run": run_no, "at_s": round(clock.now(), 3), **facts}
        to = {"webhook": webhook, "namespace": namespace or ""} if webhook else {}
        self.store.put_json(f"{self.folder}/{name}", {"facts": whole, "for_operator": for_operator, **to})
        return True

    def due(self) -> Iterator[Notice]:
        """Notices whose next attempt is due, oldest first."""
        now = clock.now()
        for name, _, _ in sorted(self.store.objects.names(self.folder), key=lambda each: each[1]):
            record = self.store.get_json(name)
            if record is not None and not 0 < record.get("again_s", 0.0) - now <= LONGEST_WAIT_S:
                sent = tuple(record.get("sent_to", ()))
                yield Notice(
                    name.removeprefix(f"{self.folder}/"),
                    record["facts"],
                    sent,
                    record.get("failures", 0),
                    record.get("webhook", ""),
                    record.get("namespace", ""),
                    record.get("for_operator", True),
                )

    def begin(self, notice: Notice) -> bool:
        """Claim the right to send a notice; False if another process has it, or died with it."""
        return self.store.put(self._mark(notice), b"")

    @contextmanager
    def renewing(self, notice: Notice) -> Iterator[None]:
        """Renew the claim on a notice meanwhile, so that `release` leaves it alone."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(_RENEW_S):
                with suppress(StoreError, OSError):
                    self.store.overwrite(self._mark(notice), b"")

        renewal = threading.Thread(target=renew, name=f"renew {self.folder}", daemon=True)
        renewal.start()
        try:
            yield
        finally:
            ended.set()
            renewal.join()

    def release(self) -> None:
        """Release notices whose sender has died."""
        for name, modified_s, _ in list(self.store.objects.names(f"{self.folder}-sending")):
            if clock.now() - modified_s > _DEAD_S:
                self.store.objects.delete(name)

    def sent(self, notice: Notice) -> None:
        """Remove a notice that was sent to every address."""
        self.store.objects.delete(f"{self.folder}/{notice.id}")
        self.store.objects.delete(self._mark(notice))

    def failed(self, notice: Notice, sent_to: tuple[str, ...]) -> float | None:
        """Keep a notice for another attempt; returns the wait, or None if it was too old and is dropped."""
        if clock.now() - notice.facts["at_s"] > self.age_max_s:
            self.sent(notice)
            return None
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(notice.failures, 30), LONGEST_WAIT_S)
        record = {
            "facts": dict(notice.facts),
            "sent_to": list(sent_to),
            "failures": notice.failures + 1,
            "again_s": round(clock.now() + wait_s, 3),
            "webhook": notice.webhook,
            "namespace": notice.namespace,
            "for_operator": notice.for_operator,
        }
        self.store.overwrite(f"{self.folder}/{notice.id}", canonical_json(record))
        self.store.objects.delete(self._mark(notice))
        return wait_s

    def _mark(self, notice: Notice) -> str:
        """Name of the claim on a notice."""
        return f"{self.folder}-sending/{notice.id}"
