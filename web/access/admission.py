"""Admission of a request: quotas of its client, and back-pressure of the intake queue."""

import logging
import time

from sqlalchemy.exc import DBAPIError

from db import http_clients
from db.http_clients import OverQuota
from tasks.broker.queues import INTAKE
from tasks.broker.transport import counts
from web.access.clients import Client
from web.errors import ApiError
from web.service import Service

log = logging.getLogger(__name__)

_COUNTED_S = 0.5
_BUSY_RETRY_S = 10


class IntakeQueue:
    """Length of the intake queue, counted at most twice a second."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._length, self._counted_s = 0, 0.0

    async def length(self) -> int:
        if time.monotonic() - self._counted_s > _COUNTED_S:
            self._counted_s = time.monotonic()
            self._length = await self._service.away(self._count)
        return self._length

    def _count(self) -> int:
        with self._service.celery.connection_for_read() as connection:
            return sum(counts(connection, INTAKE).values())


async def admitted(service: Service, client: Client, task: str, characters: int) -> None:
    """Admit a request, and count it for its client.

    Args:
        task: ID of the task that will be sent.

    Raises:
        ApiError: 429, the intake queue is too long or a quota is exceeded.
    """
    waiting = await service.resource(IntakeQueue).length()
    if waiting >= service.settings.http_queue_max:
        raise ApiError(429, "too many requests wait", code="busy", retry_after_s=_BUSY_RETRY_S)
    if client.name:
        over = await service.away(_admit, service, client, task, characters)
        if over is not None:
            raise ApiError(
                429,
                f"the key's limit of {over.limit} {over.quota.replace('_', ' ')} is reached",
                code=over.quota,
                retry_after_s=over.retry_after_s,
            )


async def ended(service: Service, client: Client, task: str) -> None:
    """Record the end of an admitted request."""
    if client.name:
        try:
            await service.away(http_clients.end, service.database, task, now=time.time())
        except DBAPIError:  # its end is noticed when the limit is reached
            log.warning("the end of a request is not recorded: the database does not answer")


def _admit(service: Service, client: Client, task: str, characters: int) -> OverQuota | None:
    def ask() -> OverQuota | None:
        now = time.time()
        return http_clients.admit(service.database, client.name, client.quota, task, characters, now=now)

    over = ask()
    if over is not None and over.quota == "jobs_at_once" and _settle(service, client):
        over = ask()
    return over


def _settle(service: Service, client: Client) -> bool:
    """Record the end of requests whose server process died; True if there was one."""
    now, found = time.time(), False
    for task in http_clients.unended(service.database, client.name, now=now):
        if _is_over(service, task):
            http_clients.end(service.database, task, now=now)
            found = True
    return found


def _is_over(service: Service, task: str) -> bool:
    job = service.jobs.intake.job_of(task)
    if job is None:
        return False
    return service.jobs.intake.refusal(job) is not None or service.jobs.outcomes.closed(job)
