"""Outbox of notifications about jobs.

jobs/<job>/notified/<run>.<event>   an outcome that was announced, created exclusively: at most once
outbox/<job>.<run>.<event>          one that is to be sent, with its failed attempts
outbox-sending/<job>.<run>.<event>  an attempt to send it, created exclusively; removed if the attempt failed

A process that dies while it sends leaves its mark, so that nothing is sent twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.store.artifacts import Store

FINISHED, FAILED, BUDGET = "finished", "failed", "budget"
EVENTS = (FINISHED, FAILED, BUDGET)
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 3600.0
AGE_MAX_S = 24 * 3600.0
"""Age at which a notice that cannot be delivered is dropped."""


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
    """Notices of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

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
        self.store.put_json(f"outbox/{name}", {"facts": whole, "for_operator": for_operator, **to})
        return True

    def due(self) -> Iterator[Notice]:
        """Notices whose next attempt is due, oldest first."""
        now = clock.now()
        for name, _, _ in sorted(self.store.objects.names("outbox"), key=lambda each: each[1]):
            record = self.store.get_json(name)
            if record is not None and not 0 < record.get("again_s", 0.0) - now <= LONGEST_WAIT_S:
                sent = tuple(record.get("sent_to", ()))
                yield Notice(
                    name.removeprefix("outbox/"),
                    record["facts"],
                    sent,
                    record.get("failures", 0),
                    record.get("webhook", ""),
                    record.get("namespace", ""),
                    record.get("for_operator", True),
                )

    def begin(self, notice: Notice) -> bool:
        """Claim the right to send a notice; False if another process has it, or died with it."""
        return self.store.put(f"outbox-sending/{notice.id}", b"")

    def sent(self, notice: Notice) -> None:
        """Remove a notice that was sent to every address."""
        self.store.objects.delete(f"outbox/{notice.id}")
        self.store.objects.delete(f"outbox-sending/{notice.id}")

    def failed(self, notice: Notice, sent_to: tuple[str, ...]) -> float | None:
        """Keep a notice for another attempt; returns the wait, or None if it was too old and is dropped."""
        if clock.now() - notice.facts["at_s"] > AGE_MAX_S:
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
        self.store.overwrite(f"outbox/{notice.id}", canonical_json(record))
        self.store.objects.delete(f"outbox-sending/{notice.id}")
        return wait_s
