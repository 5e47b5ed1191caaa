"""Jobs of books through the stages and the stitch, in this process, with the embedded voice."""

from typing import Any

from pipeline import finalize, stages
from pipeline.engines.hibari.engine import Hibari
from pipeline.engines.protocol import Uncontrolled
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.turns import Script
from pipeline.stages import SegmentWork
from pipeline.voices.library import Voices


def made(jobs: Jobs, script: Script, **options: Any) -> tuple[dict[str, Any], bytes]:
    """Render a script; returns the manifest, and the file."""
    engine = Hibari()
    own, rest = split_options({"engine": "hibari", **options}, engine="hibari")
    request = checked(script, {}, own, rest, engine=engine, registered=Voices(jobs.store))
    plan = jobs.plans.create(request, engine.profile)
    for index in jobs.artifacts.missing(plan):
        work = SegmentWork(jobs.store, plan, jobs.plans.segment(plan.job, index), engine)
        stages.prepare(work)
        stages.diffusion(work, Uncontrolled())
    manifest = finalize.finish(jobs, plan, engine.profile, Uncontrolled())
    data = jobs.store.objects.read(manifest["audio"]["name"])
    assert data is not None
    return manifest, data
