"""Dependencies of the routes of one job: the client's jobs, and the job that the path names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Path

from pipeline.jobs.plans import Plan
from pipeline.views.states import JobState
from web.access.clients import Client, ClientDep
from web.jobs import views
from web.jobs.records import HttpJob, HttpJobs
from web.service import Service, ServiceDep

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class FoundJob:
    """A job of the client that asks."""

    service: Service
    client: Client
    jobs: HttpJobs
    record: HttpJob

    def state(self) -> JobState | None:
        return views.state(self.service, self.jobs, self.record)

    def planned(self) -> JobState:
        """State of a job with a plan.

        Raises:
            ApiError: 409, it has none.
        """
        return views.planned(self.service, self.jobs, self.record)

    def plan(self) -> Plan:
        """Plan of the job.

        Raises:
            ApiError: 409, it has none.
        """
        plan = self.planned().plan
        assert plan is not None  # noqa: S101 - guaranteed by `planned`
        return plan

    def view(self) -> views.JobView:
        return views.view(self.service, self.jobs, self.record)

    async def away(
        self,
        work: "Callable[Concatenate[FoundJob, Parameters], Result]",
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a function of this job that may block, in a thread."""
        return await self.service.away(work, self, *args, **kwargs)


async def found_job(
    service: ServiceDep,
    client: ClientDep,
    id: Annotated[str, Path(description="ID of the job.", max_length=200)],
) -> FoundJob:
    """Find the job that the path names.

    Raises:
        ApiError: 404, the client has no job of that ID.
    """
    jobs = HttpJobs(service.jobs.store, client)
    return FoundJob(service, client, jobs, await service.away(views.found, jobs, id))


JobDep = Annotated[FoundJob, Depends(found_job)]
