"""The server process: `python -m web.server`, which the command `serve` becomes."""

import argparse
import logging
import os

import uvicorn
from fastapi import FastAPI

from pipeline.errors import OptionError
from tasks.broker.result_backend import polled
from tasks.flower.request_guard import is_loopback
from tasks.internals import celery_internals
from tasks.local.embedded_broker import url_of_running
from tasks.make_app import make_app as make_celery_app
from tasks.settings import load
from tasks.worker import parent_watch
from web import uvicorn_internals
from web.app import make_app
from web.launch import PORT
from web.uvicorn_internals import BoundedProtocol

_LOOPBACK = "HTTP_LOOPBACK"
"""Environment variable of the server's processes: 1 if they listen on loopback only."""
_GRACE_S = 10
_KEEP_ALIVE_S = 5
_HEALTHY_S = 60
"""Longest time until a server process answers its parent, imports included; uvicorn's 5 s end it on a busy
machine while it starts.
"""
_BACKLOG = 256


def application() -> FastAPI:
    """Make the application of one server process from its environment."""
    os.umask(0o077)
    loopback = os.environ.pop(_LOOPBACK, "1") == "1"
    settings = load()
    url = settings.broker_url or url_of_running(settings.state)
    if not url:
        raise OptionError("VOXCHORD_BROKER_URL", "is not set, and no service is running in the state folder")
    celery_app = make_celery_app(settings, url)
    celery_app.conf.result_backend_always_retry = False  # raise if the broker is unreachable
    celery_app.conf.update(result_backend=polled(celery_app.conf["result_backend"]))
    return make_app(settings, celery_app, loopback=loopback)


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--with-starter", action="store_true")
    given = parser.parse_args()
    celery_internals.check()
    uvicorn_internals.check()
    logging.basicConfig(level=load().log_level)
    if given.with_starter:
        parent_watch.end_with_starter(_GRACE_S + 5)
    os.environ[_LOOPBACK] = "1" if is_loopback(given.host) else "0"
    uvicorn.run(
        "web.server:application",
        factory=True,
        host=given.host,
        port=given.port,
        workers=given.processes,
        http=BoundedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level=load().log_level.lower(),
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_worker_healthcheck=_HEALTHY_S,
        h11_max_incomplete_event_size=64 << 10,
    )


if __name__ == "__main__":
    main()
