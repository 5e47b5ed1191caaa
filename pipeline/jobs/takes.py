"""Takes of a segment: their requests, their verdicts, and the choice among them.

segments/<..>/<key>/audio, spans           take 0
segments/<..>/<key>/take.<n>.request       seed and changed options of take n, from 1
segments/<..>/<key>/take.<n>.audio, .spans its samples and their metadata
segments/<..>/<key>/verdict.<n>.<checker>  verdict on take n, written once
segments/<..>/<key>/choice.<checker>.<takes_max>  the take that is used, written once

Each is created exclusively: the first writer wins, and later ones adopt its record. So the state of a segment
is a function of the request and the recorded verdicts, whatever processes die.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.canonical_json import canonical_json
from pipeline.checking.records import Checked, checked_of
from pipeline.engines.protocol import Options, Profile
from pipeline.errors import OptionError
from pipeline.jobs.artifacts import FINDINGS_MAX, Choice, choice_name, read_choice, stage_name, take_name
from pipeline.jobs.plans import Plan
from pipeline.planning.records import PlannedSegment
from pipeline.store.artifacts import Store
from pipeline.stored_records import TAKE_VERSION, check_version

HAND_FROM = 100
"""First number of the takes made by hand, so that they never affect the automatic ones."""

TAKES_END = 1000
"""All takes have lower numbers."""

BY_VERIFY, BY_HAND = "verify", "hand"


def is_take(value: Any) -> bool:
    """True for the number of a take.

    >>> [is_take(value) for value in (0, 999, 1000, -1, True, "1")]
    [True, True, False, False, False, False]
    """
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < TAKES_END


@dataclass(frozen=True, slots=True)
class TakeRequest:
    """Request of one take."""

    seed: int
    options: Options
    """Changed options of the engine."""
    by: str
    """'verify' or 'hand'."""
    task: str = ""
    """ID of the task that asked for it by hand."""


class Takes:
    """Takes of one segment of a job."""

    def __init__(self, store: Store, plan: Plan, segment: PlannedSegment) -> None:
        self.store, self.plan, self.segment = store, plan, segment

    def has_audio(self, take: int) -> bool:
        return self.store.has(take_name(self.segment.key, take, "spans"))

    def request(self, take: int, profile: Profile) -> TakeRequest:
        """Request of a take; that of an automatic one is stored on first use."""
        if take == 0:
            return TakeRequest(self.segment.seed, {}, BY_VERIFY)
        stored = self.stored_request(take)
        if stored is not None:
            return stored
        options = profile.takes[min(take, len(profile.takes)) - 1] if profile.takes else {}
        request = TakeRequest(take_seed(self.segment.seed, take), options, BY_VERIFY)
        self.ask(take, request)
        return self.stored_request(take) or request

    def stored_request(self, take: int) -> TakeRequest | None:
        name = take_name(self.segment.key, take, "request")
        found = self.store.get_json(name)
        if found is None:
            return None
        check_version(name, found, TAKE_VERSION)
        return TakeRequest(found["seed"], found["options"], found["by"], found.get("task", ""))

    def ask(self, take: int, request: TakeRequest) -> bool:
        """Store the request of a take; False if it has one."""
        record = {
            "version": TAKE_VERSION,
            "seed": request.seed,
            "options": dict(request.options),
            "by": request.by,
            "task": request.task,
        }
        return self.store.put_json(take_name(self.segment.key, take, "request"), record)

    def ask_by_hand(self, task: str, seed: int | None, options: Options) -> int:
        """Store the request of another take, once per task; returns its number.

        Args:
            seed: None derives one from the segment's and the take's number.

        Raises:
            OptionError: the segment has too many takes.
        """
        for take in range(HAND_FROM, TAKES_END):
            own = take_seed(self.segment.seed, take) if seed is None else seed
            if self.ask(take, TakeRequest(own, options, BY_HAND, task)):
                return take
            stored = self.stored_request(take)
            if stored is not None and stored.task == task:
                return take
        raise OptionError("segment", f"has {TAKES_END - HAND_FROM} takes by hand already")

    def numbers(self) -> list[int]:
        """Numbers of the takes with a request or a part of their products, from 0."""
        folder = stage_name(self.segment.key, "").rstrip("/")
        parts = [name.rsplit("/", 1)[1].split(".") for name, _, _ in self.store.objects.names(folder)]
        return sorted({0, *(int(part[1]) for part in parts if part[0] == "take")})

    def verdict(self, take: int) -> Checked | None:
        """Read the verdict of the plan's check on a take."""
        name = self.verdict_name(take)
        found = self.store.get_json(name)
        return None if found is None else checked_of(name, found)

    def record(self, take: int, checked: Checked) -> Checked:
        """Store the verdict on a take unless it has one; returns the stored one."""
        if self.store.put(self.verdict_name(take), canonical_json(checked.record())):
            return checked
        return self.verdict(take) or checked

    def choice(self) -> Choice | None:
        """The chosen take; take 0 if the plan has no check."""
        return read_choice(self.store, self.plan, self.segment.key)

    def next_take(self, profile: Profile) -> int | None:
        """Take to be made or checked next; None if the chosen one is finished.

        Records the choice as soon as the verdicts allow one.
        """
        choice = self.choice() or self._settled(profile)
        if isinstance(choice, int):
            return choice
        return None if self.has_audio(choice.take) else choice.take

    def _settled(self, profile: Profile) -> Choice | int:
        """Choose among the takes, or give the number of the next one."""
        verdicts: list[Checked] = []
        while (verdict := self.verdict(len(verdicts))) is not None:
            verdicts.append(verdict)
            choice = choose(verdicts, self.plan.options.takes_max if profile.takes else 1)
            if choice is not None:
                return self._chosen(choice, verdicts)
        return len(verdicts)

    def _chosen(self, choice: Choice, verdicts: Sequence[Checked]) -> Choice:
        """Store a choice unless there is one; returns the stored one."""
        findings = [
            (take, asdict(finding)) for take, checked in enumerate(verdicts) for finding in checked.findings
        ]
        record = {
            "version": TAKE_VERSION,
            "take": choice.take,
            "reason": choice.reason,
            "takes": len(verdicts),
            "findings": findings[:FINDINGS_MAX],
            "facts": dict(verdicts[choice.take].facts),
        }
        if self.store.put_json(choice_name(self.plan, self.segment.key), record):
            return choice
        return self.choice() or choice

    def verdict_name(self, take: int) -> str:
        """Name of the verdict of the plan's check on a take."""
        return stage_name(self.segment.key, f"verdict.{take:03d}.{self.plan.checker}")


def choose(verdicts: Sequence[Checked], takes_max: int) -> Choice | None:
    """Choose a take by the verdicts on takes 0, 1 and so on; None if another take is to be made.

    A take without a failing finding is used. Otherwise the best one is used after `takes_max` takes, or when
    a take deviates as the one before it did. Of equal scores the first one wins.
    """
    last = verdicts[-1]
    if not last.fails:
        return Choice(len(verdicts) - 1, "passed")
    best = max(range(len(verdicts)), key=lambda take: (verdicts[take].score, -take))
    if len(verdicts) >= takes_max:
        return Choice(best, "takes_max" if takes_max > 1 else "only")
    if len(verdicts) > 1 and last.deviation and last.deviation == verdicts[-2].deviation:
        return Choice(best, "repeated")
    return None


def take_seed(seed: int, take: int) -> int:
    """Seed of a take, from the segment's."""
    digest = hashlib.sha256(canonical_json([seed, take])).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def facts_of(take: int, checked: Checked) -> Mapping[str, Any]:
    """Facts about a verdict, for metering."""
    kinds = sorted({finding.kind for finding in checked.findings if finding.fails})
    return {"take": take, "findings": ",".join(kinds), "score": checked.score}
