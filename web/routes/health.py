"""`GET /health`: state of the service, for load balancers."""

from fastapi import APIRouter
from pydantic import BaseModel

from tasks.settings import VERSION
from web import errors
from web.service import Service, ServiceDep

router = APIRouter(tags=["service"], responses={503: errors.RESPONSES[503]})


class Health(BaseModel):
    """State of the service."""

    status: str
    version: str


@router.get("/health")
async def health(service: ServiceDep) -> Health:
    """Check that broker and store answer."""
    await service.away(_check, service)
    return Health(status="ok", version=VERSION)


def _check(service: Service) -> None:
    with service.celery.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    service.jobs.store.objects.size("open/-")
