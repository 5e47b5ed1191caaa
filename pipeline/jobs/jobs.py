"""The jobs of one store, by concern."""

from pipeline.jobs.actions import Actions
from pipeline.jobs.artifacts import Artifacts
from pipeline.jobs.coordination import Coordination
from pipeline.jobs.intake import Intake
from pipeline.jobs.outcomes import Outcomes
from pipeline.jobs.plans import Plan, Plans
from pipeline.jobs.revisions import Revisions
from pipeline.jobs.takes import Takes
from pipeline.store.artifacts import Store


class Jobs:
    """The jobs of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.coordination = Coordination(store)
        self.plans = Plans(store, self.coordination)
        self.intake = Intake(store)
        self.outcomes = Outcomes(store)
        self.artifacts = Artifacts(store, self.plans)
        self.actions = Actions(store)
        self.revisions = Revisions(store, self.plans)

    def remove(self, job: str) -> None:
        """Delete an ended job with its files; its segments stay until they are collected."""
        self.coordination.close(job)
        for name, _, _ in list(self.store.objects.names(f"jobs/{job}")):
            self.store.objects.delete(name)
        self.plans.forget(job)

    def takes(self, plan: Plan, index: int) -> Takes:
        """Takes of one segment of a job."""
        return Takes(self.store, plan, self.plans.segment(plan.job, index))
