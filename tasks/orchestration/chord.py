"""Streamed publishing of a job's segments as a chord of chains.

Celery's chord builds every signature before it sends the first; ten thousand chains take 200 MB and block the
intake worker for half a minute. Here the chord's size is set first, then each chain is built, sent and
dropped. Workers receive the same as from `chord(chains)(body)`. Tasks are signed by name, so no task is
imported here.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict
from uuid import uuid4

from celery import chain, signature
from celery.canvas import Signature
from kombu.utils import json

from pipeline.checking.records import FULL
from pipeline.jobs.plans import Plan
from pipeline.stage_names import SEGMENT_STAGES
from tasks.broker.queues import VERIFY_ON_GPU, device_queue, priority
from tasks.internals import celery_internals
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import Settings

Sig = Signature[Any]

_TOUCH_EVERY = 250


class SegmentRef(TypedDict):
    """Message between the stages: the segment, and the error if an earlier stage failed.

    `take` is the number of a take that was asked for by hand.
    """

    job: str
    segment: int
    ok: NotRequired[bool]
    error: NotRequired[str]
    take: NotRequired[int]


def written(body: Sig) -> str:
    """Serialise a signature for the store."""
    return str(json.dumps(body))


def read(app: VoxchordApp, answer: str) -> Sig:
    """Deserialise a signature."""
    return signature(json.loads(answer), app=app)


def stitch_of(app: VoxchordApp, job: str, **run: int) -> Sig:
    """Build the signature of a job's stitch, with the highest priority: its waiters waited for all else."""
    stitch = app.signature("voxchord.stitch", kwargs={"job": job, **run}, immutable=True)
    return stitch.set(priority=app.broker.priority(0))


def body(app: VoxchordApp, plan: Plan) -> Sig:
    """Signature of the stitch that ends a run of a job.

    Its task ID is its own. Under a root's ID it would be dropped if that root were revoked, and all other
    roots would wait for ever.
    """
    run = app.resources.jobs.coordination.run_no(plan.job)
    return stitch_of(app, plan.job, run=run).set(
        task_id=str(uuid4()),
        ignore_result=True,  # type: ignore[call-arg]  # missing in celery-types
    )


def send(app: VoxchordApp, plan: Plan, missing: Sequence[int], root_id: str) -> None:
    """Send a chord of chains for the missing segments, or the stitch alone if there are none.

    Args:
        root_id: the ID under which Celery groups these tasks.
    """
    stitch = body(app, plan)
    if not missing:
        stitch.apply_async(root_id=root_id)
        return
    group_id = str(uuid4())
    celery_internals.begin_chord(app.backend, group_id, len(missing))
    with app.producer_or_acquire() as producer:
        for position, steps in enumerate(chains(app, plan, missing)):
            celery_internals.send_part(
                steps, stitch, group_id=group_id, index=position, root_id=root_id, producer=producer
            )
            if position % _TOUCH_EVERY == 0:
                app.resources.jobs.coordination.touch(plan.job)


def chains(app: VoxchordApp, plan: Plan, segments: Iterable[int]) -> Iterable[Sig]:
    """Build one chain of stages per segment, with the highest priority for the job's first segments.

    A job with a small first segment has it for that one alone, so that many such jobs start at once.
    """
    first = {"first": 1} if plan.options.first_segment_words else {}
    for position, index in enumerate(segments):
        ref: SegmentRef = {"job": plan.job, "segment": index}
        yield _chain(app, plan, SEGMENT_STAGES, ref, app.broker.priority(priority(position, **first)))


def another_take(app: VoxchordApp, plan: Plan, ref: SegmentRef) -> Sig:
    """Build the chain that makes and checks the next take of a segment, with its sender's priority."""
    return _chain(app, plan, ("diffusion", "verify"), ref)


def take_by_hand(app: VoxchordApp, plan: Plan, segment: int, take: int) -> Sig:
    """Build the chain that makes and checks a take that was asked for by hand, before all other work."""
    ref: SegmentRef = {"job": plan.job, "segment": segment, "take": take}
    return _chain(app, plan, SEGMENT_STAGES, ref, app.broker.priority(0))


def _chain(
    app: VoxchordApp, plan: Plan, stages: Iterable[str], ref: SegmentRef, step: int | None = None
) -> Sig:
    """Chain of stages; without a check of the takes there is no stage that verifies them."""
    names = [name for name in stages if plan.checker or name != "verify"]
    steps: list[Sig] = []
    for name in names:
        options: dict[str, Any] = {} if step is None else {"priority": step}
        queue = _queue(app, plan, name)
        if queue is not None:
            options["queue"] = queue
        if name != names[-1]:
            options["ignore_result"] = True  # only the last one's is a part of the chord
        steps.append(app.signature(f"voxchord.{name}", () if steps else (ref,)).set(**options))
    return chain(*steps)


def verifies_on_gpu(settings: Settings, plan: Plan) -> bool:
    """True if the takes of a job are checked by a recogniser on a GPU."""
    return plan.options.verify == FULL and settings.recognizer_device == "cuda"


def _queue(app: VoxchordApp, plan: Plan, stage: str) -> str | None:
    """Queue of a job's stage; None for the one that the stage's tasks have in all jobs."""
    on_gpu = stage in ("speaker", "diffusion") or (stage == "verify" and verifies_on_gpu(app.settings, plan))
    if on_gpu and plan.options.device:
        return device_queue(plan.options.device)
    return VERIFY_ON_GPU if on_gpu and stage == "verify" else None
