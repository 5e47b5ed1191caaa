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

from pipeline.jobs.plans import Plan
from tasks.broker.queues import device_queue, priority
from tasks.internals import celery_internals
from tasks.orchestration.resources import VoxchordApp

Sig = Signature[Any]

_TOUCH_EVERY = 250


class SegmentRef(TypedDict):
    """Message between the stages: the segment, and the error if an earlier stage failed."""

    job: str
    segment: int
    ok: NotRequired[bool]
    error: NotRequired[str]


def written(body: Sig) -> str:
    """Serialise a signature for the store."""
    return str(json.dumps(body))


def read(app: VoxchordApp, answer: str) -> Sig:
    """Deserialise a signature."""
    return signature(json.loads(answer), app=app)


def send(app: VoxchordApp, plan: Plan, missing: Sequence[int], body: Sig) -> None:
    """Send a chord of chains for the missing segments, or the stitch alone if there are none."""
    if not missing:
        body.apply_async()
        return
    group_id = str(uuid4())
    root_id = body.options.get("root_id") or body.options["task_id"]
    celery_internals.begin_chord(app.backend, group_id, len(missing))
    with app.producer_or_acquire() as producer:
        for position, steps in enumerate(chains(app, plan, missing)):
            celery_internals.send_part(
                steps, body, group_id=group_id, index=position, root_id=root_id, producer=producer
            )
            if position % _TOUCH_EVERY == 0:
                app.resources.jobs.coordination.touch(plan.job)


def chains(app: VoxchordApp, plan: Plan, segments: Iterable[int]) -> Iterable[Sig]:
    """Build one chain of stages per segment, with the highest priority for the job's first segments."""
    gpu: dict[str, Any] = {"queue": device_queue(plan.options.device)} if plan.options.device else {}
    for position, index in enumerate(segments):
        ref: SegmentRef = {"job": plan.job, "segment": index}
        step: dict[str, Any] = {"priority": app.broker.priority(priority(position))}
        yield chain(
            app.signature("voxchord.text", (ref,)).set(**step),
            app.signature("voxchord.semantic").set(**step),
            app.signature("voxchord.speaker").set(**step, **gpu),
            app.signature("voxchord.diffusion").set(**step, **gpu),
        )
