"""Check at a worker's start that the installed Celery and kombu have what is used of their internals."""

from typing import Any

from celery import bootsteps

from tasks.broker import screening
from tasks.broker.queues import INTAKE
from tasks.internals import celery_internals, kombu_internals
from tasks.privacy import requests


class CheckInternals(bootsteps.Step):
    """Stops the worker by name of what is missing, before it connects to the broker."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        celery_internals.check()
        kombu_internals.check()
        requests.check_redaction(worker.app)
        kombu_internals.screen(screening.envelope_fault, screening.UNREADABLE, moved_queue=INTAKE[0])
