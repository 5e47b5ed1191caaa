"""Sending a job's segments: a chord of chains, streamed.

Celery's own chord makes every signature before it sends the first; ten thousand chains are 200 MB and half a
minute of a door that answers nobody. Here the chord's size is set, then one chain after the other is made,
sent and forgotten. What arrives at the workers is the same as from `chord(chains)(body)`. Tasks are signed by
name: the names are the contract, and nothing here imports a task.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict
from uuid import uuid4

from celery import chain, signature
from celery.canvas import Signature
from kombu.utils import json

from pipeline.jobs.plans import Plan
from tasks.app import app, broker
from tasks.broker.queues import device_queue, priority
from tasks.orchestration.resources import jobs

Sig = Signature[Any]

_TOUCH_EVERY = 250


class SegmentRef(TypedDict):
    """What passes between the stages: a name for the segment, and whether it is still worth going on."""

    job: str
    segment: int
    ok: NotRequired[bool]
    error: NotRequired[str]


def written(body: Sig) -> str:
    """A signature as text, to be kept in the store."""
    return str(json.dumps(body))


def read(answer: str) -> Sig:
    """The inverse of `written`."""
    return signature(json.loads(answer), app=app)


def send(plan: Plan, missing: Sequence[int], body: Sig) -> None:
    """Send what still has to be done: a chord of chains for the missing segments, or the stitch alone."""
    if not missing:
        body.apply_async()
        return
    group_id = str(uuid4())
    root_id = body.options.get("root_id") or body.options["task_id"]
    backend: Any = app.backend
    backend.set_chord_size(group_id, len(missing))
    with app.producer_or_acquire() as producer:
        for position, steps in enumerate(chains(plan, missing)):
            steps.apply_async(
                producer=producer,
                add_to_parent=False,
                chord=body,
                group_id=group_id,
                group_index=position,
                root_id=root_id,
                parent_id=root_id,
            )
            if position % _TOUCH_EVERY == 0:
                jobs().coordination.touch(plan.job)


def chains(plan: Plan, segments: Iterable[int]) -> Iterable[Sig]:
    """One chain of stages per segment, the job's first segments before those of other jobs."""
    gpu: dict[str, Any] = {"queue": device_queue(plan.options.device)} if plan.options.device else {}
    for position, index in enumerate(segments):
        ref: SegmentRef = {"job": plan.job, "segment": index}
        step: dict[str, Any] = {"priority": broker.priority(priority(position))}
        yield chain(
            app.signature("voxchord.text", (ref,)).set(**step),
            app.signature("voxchord.semantic").set(**step),
            app.signature("voxchord.speaker").set(**step, **gpu),
            app.signature("voxchord.diffusion").set(**step, **gpu),
        )
