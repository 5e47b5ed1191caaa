"""Finds jobs that stand still and sends what is missing: a chord alone can't be trusted with hours of work.

A broker can lose a message, a chord can lose a part, Redis can lose its memory; the store has the plan and
the segments, and from these any job can be finished. Two of these may run at once: what is sent twice is
skipped by the stages.
"""

import logging
import time
from typing import Any

from celery import Task, group

from pipeline.jobs import Plan
from tasks.app import app, settings
from tasks.render import chains
from tasks.service import jobs
from tasks.stitch import stitch

log = logging.getLogger(__name__)


@app.task(bind=True, name="voxchord.reconcile", ignore_result=True)
def reconcile(self: Task[..., Any]) -> None:
    """Look at every open job; send what one lacks that has made no progress for a while."""
    for job in list(jobs().ids()):
        plan = jobs().need(job)
        if jobs().closed(job):
            continue
        failures = jobs().failures(job)
        missing = [index for index in jobs().missing(plan) if index not in failures]
        if jobs().stands_still(job, len(missing), now=time.time(), after_s=settings.stalled_s):
            resume(plan, missing)


def resume(plan: Plan, missing: list[int]) -> None:
    """Send the missing segments, or the stitch under the id that the caller waits for."""
    log.warning("job stands still; sent again", extra={"job": plan.job, "segments": len(missing)})
    if missing:
        group(list(chains(plan, missing))).apply_async()
    else:
        stitch.apply_async(kwargs={"job": plan.job}, task_id=jobs().root(plan.job))
