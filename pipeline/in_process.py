"""A whole job in this process: its stages one after the other, without queue, broker or workers."""

from pathlib import Path
from typing import Any

from pipeline import finalize, stages
from pipeline.engines.protocol import Engine, Uncontrolled
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import Request
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices


def render(
    request: Request, engine: Engine, registered: Voices, folder: Path
) -> tuple[Store, dict[str, Any]]:
    """Render a request whose takes are not checked into a store of its own.

    Args:
        registered: voices that the request names.
        folder: place of the store.

    Returns:
        The store, and the manifest that names the files in it.
    """
    store = Store(str(folder))
    for speaker in request.speakers:
        if not speaker.hash.startswith("preset:"):
            registered.copy(speaker.hash, store)
    jobs = Jobs(store)
    plan = jobs.plans.create(request, engine.profile)
    for segment in jobs.plans.segments(plan):
        work = SegmentWork(store, plan, segment, engine)
        stages.prepare(work)
        stages.diffusion(work, Uncontrolled())
        work.next_take()  # records the choice
    return store, finalize.finish(jobs, plan, engine.profile, Uncontrolled())
