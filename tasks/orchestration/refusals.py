"""Requests that are refused before they are planned: each is a failed job, whoever sent it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.exceptions import CeleryError

from pipeline.errors import BugError
from tasks.metering.attempt import note
from tasks.orchestration.error_policy import Requeue, classify
from tasks.orchestration.resources import Resources
from tasks.privacy.reasons import without_script

log = logging.getLogger(__name__)


@contextmanager
def refusals_recorded(resources: Resources, task: str, script: Any) -> Iterator[set[str]]:
    """Record the reason if the body refuses the request, under a job ID of its own.

    The body adds the names of the speakers to the set, which a reason may quote.

    Args:
        task: ID of the request's task.
        script: the script as it was sent.

    Raises:
        PipelineError: the reason, without words of the script.
    """
    names = set[str]()
    try:
        yield names
    except CeleryError:
        raise
    except Exception as error:
        verdict = classify(error)
        if isinstance(verdict, Requeue):
            raise
        reason = without_script(verdict.error, script, names)
        refusal = resources.jobs.intake.refuse(task, reason)
        note(job=refusal.job)
        resources.job_rows.refused(refusal)
        if isinstance(reason, BugError):
            log.error("a request failed: %s", reason, extra={"job": refusal.job})
        raise reason.with_traceback(error.__traceback__) from None
