"""The service's resources: settings, Celery app, jobs, voices, and threads for what blocks."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Depends, Request

from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Resource = TypeVar("Resource")

_THREADS = 32
_COMPUTING = 2
"""Most threads that compute; more would only compete, and each may hold a whole book or recording."""


class Service:
    """Resources of one application in one process."""

    def __init__(self, settings: Settings, celery_app: VoxchordApp, *, loopback: bool) -> None:
        self.settings, self.celery, self.loopback = settings, celery_app, loopback
        self.jobs = Jobs(Store(settings.store_url))
        self.voices = Voices(self.jobs.store)
        self.engines = settings.registry()
        self._resources: dict[Any, Any] = {}

    def resource(self, kind: Callable[["Service"], Resource]) -> Resource:
        """A resource of another module, made once per service."""
        if kind not in self._resources:
            self._resources[kind] = kind(self)
        found: Resource = self._resources[kind]
        return found

    @cached_property
    def threads(self) -> CapacityLimiter:
        """Bound of the threads; made within the event loop."""
        return CapacityLimiter(_THREADS)

    @cached_property
    def _computing(self) -> CapacityLimiter:
        return CapacityLimiter(_COMPUTING)

    @cached_property
    def database(self) -> "Engine":
        """The history's database; created if it does not exist."""
        from db.database import open_database

        self.settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_database(self.settings.history_url)

    async def away(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Run what may block in a thread."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self.threads)

    async def compute(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Run what reads a script or a recording in a thread; a process runs two at once."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._computing)


def service_of(request: Request) -> Service:
    """Resources of the application that serves a request."""
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(service_of)]
