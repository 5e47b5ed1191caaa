"""Revisions of a finished job: files with other takes, chosen by hand, beside the first file.

jobs/<job>/revisions/<n>/picks     takes by segment; of revision 0, those inherited from a base job
jobs/<job>/revisions/<n>/manifest  manifest of revision n, from 1; its files are beside it
"""

from collections.abc import Mapping
from typing import Any

from pipeline.jobs.plans import Plan, Plans
from pipeline.store.artifacts import Store
from pipeline.stored_records import MANIFEST_VERSION, TAKE_VERSION, check_version


class Revisions:
    """Revisions of the jobs of one store."""

    def __init__(self, store: Store, plans: Plans) -> None:
        self.store, self.plans = store, plans

    def latest(self, job: str) -> int:
        """Number of the newest revision, finished or not; 0 is the first file."""
        names = self.store.objects.names(f"jobs/{job}/revisions")
        return max((int(name.split("/")[3]) for name, _, _ in list(names)), default=0)

    def picks(self, job: str, number: int) -> dict[int, int]:
        """Takes chosen by hand in a revision, by segment."""
        name = _name(job, number, "picks")
        found = self.store.get_json(name)
        if found is None:
            return {}
        check_version(name, found, TAKE_VERSION)
        return {int(segment): take for segment, take in found["picks"].items()}

    def pick(self, job: str, segment: int, take: int) -> int:
        """Choose a take of a segment; returns the number of the revision that has it.

        An equal newest revision is adopted, so that a repeated message makes no second one.
        """
        while True:
            newest = self.latest(job)
            before = self.picks(job, newest)
            if newest and before.get(segment) == take:
                return newest
            if self._create(job, newest + 1, {**before, segment: take}):
                return newest + 1

    def inherit(self, plan: Plan, base: Plan) -> None:
        """Adopt the picks of a base job for segments with equal keys, once."""
        picks = self.picks(base.job, self.latest(base.job))
        by_key = {self.plans.segment(base.job, segment).key: take for segment, take in picks.items()}
        found = {
            segment.index: by_key[segment.key]
            for segment in self.plans.segments(plan)
            if segment.key in by_key
        }
        self._create(plan.job, 0, found)

    def manifest(self, job: str, number: int) -> dict[str, Any] | None:
        """Manifest of a revision from 1; None if it is not finished."""
        name = _name(job, number, "manifest")
        found: dict[str, Any] | None = self.store.get_json(name)
        if found is not None:
            check_version(name, found, MANIFEST_VERSION)
        return found

    def finish(self, job: str, number: int, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest of a revision unless there is one; returns the stored one."""
        self.store.put_json(_name(job, number, "manifest"), manifest)
        return self.manifest(job, number) or dict(manifest)

    def _create(self, job: str, number: int, picks: Mapping[int, int]) -> bool:
        record = {"version": TAKE_VERSION, "picks": {str(segment): take for segment, take in picks.items()}}
        return self.store.put_json(_name(job, number, "picks"), record)


def _name(job: str, number: int, what: str) -> str:
    return f"jobs/{job}/revisions/{number:03d}/{what}"
