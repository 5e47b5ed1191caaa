"""The ASGI application."""

from functools import partial

from fastapi import APIRouter, FastAPI

from tasks.orchestration.resources import VoxchordApp
from tasks.settings import VERSION, Settings
from web import errors
from web.access.clients import authenticated_by_headers
from web.guard import Guard
from web.jobs import files, segments, upload
from web.jobs import route as jobs
from web.page import route as page
from web.routes import check, health, job_comparison, job_script, job_stages, models, voice_consents, voices
from web.scripts import route as books
from web.service import Service
from web.speech import route as speech

_ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    models.router,
    voices.router,
    voice_consents.router,
    speech.router,
    books.router,
    jobs.router,
    upload.router,
    files.router,
    segments.router,
    check.router,
    job_script.router,
    job_stages.router,
    job_comparison.router,
    page.router,
)


def make_app(settings: Settings, celery_app: VoxchordApp, *, loopback: bool = True) -> FastAPI:
    """Make the application.

    Args:
        loopback: True if it listens on loopback only, and so answers to loopback names only.
    """
    app = FastAPI(
        title="voxchord",
        version=VERSION,
        docs_url=None,  # its scripts would come from a CDN
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,  # `guard` leaves them out
    )
    service = Service(settings, celery_app, loopback=loopback)
    app.state.service = service
    for router in _ROUTERS:
        app.include_router(router)
    errors.install(app)
    errors.describe(app)
    app.add_middleware(
        Guard,
        authenticate=partial(authenticated_by_headers, service),
        loopback=loopback,
        hosts=frozenset(settings.http_hosts.lower().split(",")) - {""},
    )
    return app
