"""Resources of a worker process: store, jobs and engines."""

import functools

from pipeline.engines import registry
from pipeline.engines.protocol import Engine
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.planning.request import JobOptions
from pipeline.stages import Work
from pipeline.store.artifacts import Store
from tasks.app import settings
from tasks.orchestration.roots import Roots


@functools.cache
def jobs() -> Jobs:
    return Jobs(Store(settings.store_url))


@functools.cache
def roots() -> Roots:
    return Roots(jobs())


def engine_of(options: JobOptions) -> Engine:
    """Engine of a job, loaded once per process.

    Raises:
        OptionError: unknown engine or model.
    """
    name = options.model or (settings.model if options.engine == settings.engine else "") or None
    return registry.load(
        options.engine, settings.checkpoint(name), settings.slots or None, settings.own_kernels
    )


def work_of(plan: Plan, segment: int) -> Work:
    held = jobs()
    return Work(held.store, plan, held.plans.segment(plan.job, segment), engine_of(plan.options))
