"""Actions of people on jobs: who retried or cancelled one, and when.

jobs/<job>/actions/<…>   one action, created exclusively
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.store.artifacts import Store
from pipeline.stored_records import ACTION_VERSION, check_version, known

CANCEL, RETRY = "cancel", "retry"
_NAME_MAX = 200


@dataclass(frozen=True, slots=True)
class Actor:
    """Person who acts on a job."""

    name: str
    """`user@host` on the command line, or the user of Flower."""
    via: str
    """'cli', 'flower' or 'task'."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action on a job."""

    uid: str
    """Unique ID; of a retry the ID of its task."""
    job: str
    action: str
    """'cancel' or 'retry'."""
    actor: str
    via: str
    acted_s: float
    """Seconds since the epoch."""
    segment: int | None = None
    """The only segment that is retried; None for all."""

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.acted_s))
        what = self.action if self.segment is None else f"{self.action} of segment {self.segment}"
        return f"{when} {what} by {self.actor or 'unknown'} ({self.via})"


class Actions:
    """Actions on the jobs of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def record(self, uid: str, job: str, action: str, actor: Actor, segment: int | None = None) -> Action:
        """Record an action unless it is recorded; returns the recorded one."""
        wanted = Action(
            uid, job, action, _shown(actor.name), _shown(actor.via), round(clock.now(), 3), segment
        )
        self.store.put(_name(job, uid), canonical_json({"version": ACTION_VERSION, **asdict(wanted)}))
        return self.get(job, uid) or wanted

    def get(self, job: str, uid: str) -> Action | None:
        """Read an action; None if it is not recorded."""
        return _action(_name(job, uid), self.store.get_json(_name(job, uid)))

    def of(self, job: str) -> list[Action]:
        """Actions on a job, oldest first."""
        names = [name for name, _, _ in self.store.objects.names(f"jobs/{job}/actions")]
        found = [_action(name, self.store.get_json(name)) for name in names]
        return sorted((each for each in found if each), key=lambda each: (each.acted_s, each.uid))


def _action(name: str, record: Mapping[str, Any] | None) -> Action | None:
    if record is None:
        return None
    check_version(name, record, ACTION_VERSION)
    return known(Action, dict(record))


def _shown(text: str) -> str:
    """One line of printable characters, since any client of the broker may have sent it."""
    plain = "".join(each if each.isprintable() else " " for each in text)
    return plain.encode(errors="replace").decode()[:_NAME_MAX]


def _name(job: str, uid: str) -> str:
    """Name from a hash, since other programs choose the IDs of their tasks."""
    return f"jobs/{job}/actions/{hashlib.sha256(uid.encode(errors='surrogatepass')).hexdigest()[:32]}"
