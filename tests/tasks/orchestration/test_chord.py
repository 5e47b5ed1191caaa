"""Tests of a job's chord: what is sent for each segment, on a broker in this process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.harness.silence import Silence
from pipeline.jobs.plans import Plan
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.voices.library import Voices
from tasks.broker.queues import QUEUES
from tasks.make_app import make_app
from tasks.message_headers import JOB, SEGMENT
from tasks.orchestration import chord, waiters
from tasks.orchestration.resources import VoxchordApp
from tasks.settings import Settings

STEPS = ["voxchord.text", "voxchord.semantic", "voxchord.speaker", "voxchord.diffusion"]
SEGMENTS = 20
ROOT = "the-root"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[VoxchordApp]:
    with make_app(Settings(state=tmp_path, metering=False), "memory://") as app:
        app.conf.result_failure_expires = None  # results in memory do not expire
        yield app
        received(app)


def planned(app: VoxchordApp, checker: str = "", **options: Any) -> Plan:
    own, rest = split_options(options, engine="silence")
    script = parse(
        "\n".join(f"Anna: Sentence number {n} is spoken." for n in range(SEGMENTS)), characters_max=10_000
    )
    jobs = app.resources.jobs
    request = checked(script, {}, own, rest, engine=Silence(), registered=Voices(jobs.store), checker=checker)
    return jobs.plans.create(request, Silence.profile)


def received(app: VoxchordApp) -> list[Any]:
    """Take all messages of the declared queues."""
    found = []
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        for queue in (*QUEUES, "gpu.host.7"):
            channel.queue_declare(queue)
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                found.append(message)
    return found


def steps_of(app: VoxchordApp, plan: Plan, segments: list[int]) -> list[list[chord.Sig]]:
    """Steps of each segment's chain."""
    chains: list[Any] = list(chord.chains(app, plan, segments))
    return [each.tasks for each in chains]


def answer(app: VoxchordApp, plan: Plan) -> chord.Sig:
    return chord.stitch_of(app, plan.job).set(task_id=ROOT)


def test_a_chain_has_the_stages_in_their_order(app: VoxchordApp) -> None:
    plan = planned(app)
    (steps,) = steps_of(app, plan, [3])
    assert [step.task for step in steps] == STEPS
    assert steps[0].args == ({"job": plan.job, "segment": 3},)
    assert all(not step.args for step in steps[1:]), "each takes the message of the one before"


def test_priority_falls_with_the_position_not_with_the_number(app: VoxchordApp) -> None:
    """The first of the missing segments are urgent, wherever they are in the script."""
    plan = planned(app)
    chains = steps_of(app, plan, list(range(10, SEGMENTS)))
    priorities = [{step.options["priority"] for step in steps} for steps in chains]
    assert priorities == [{0}] * 4 + [{3}] * 6


def test_a_jobs_device_has_both_gpu_stages_and_no_other(app: VoxchordApp) -> None:
    (steps,) = steps_of(app, planned(app, device="host.7"), [0])
    assert [step.options.get("queue") for step in steps] == [None, None, "gpu.host.7", "gpu.host.7"]


def test_each_missing_segment_is_one_part_of_one_chord(app: VoxchordApp) -> None:
    plan = planned(app)
    chord.send(app, plan, [2, 5, 7], ROOT)
    messages = received(app)
    assert [message.headers["task"] for message in messages] == ["voxchord.text"] * 3
    assert [message.headers[SEGMENT] for message in messages] == [2, 5, 7]
    assert {message.headers[JOB] for message in messages} == {plan.job}
    last_steps = [message.decode()[2]["chain"][0]["options"] for message in messages]
    assert [step["group_index"] for step in last_steps] == [0, 1, 2]
    assert len({step["group_id"] for step in last_steps}) == 1
    assert {message.headers["root_id"] for message in messages} == {ROOT}


def test_the_last_step_of_a_part_names_the_stitch(app: VoxchordApp) -> None:
    plan = planned(app)
    chord.send(app, plan, [0], ROOT)
    (message,) = received(app)
    args, kwargs, embedded = message.decode()
    assert (args, kwargs) == ([{"job": plan.job, "segment": 0}], {})
    assert embedded["chord"] is None, "the first step is no part yet"
    last = embedded["chain"][0]
    assert last["task"] == "voxchord.diffusion"
    assert last["options"]["chord"]["task"] == "voxchord.stitch"
    assert last["options"]["chord"]["options"]["task_id"] != ROOT, "nobody else knows it, nor can revoke it"
    assert last["options"]["chord"]["kwargs"] == {"job": plan.job, "run": 1}


def test_a_job_without_missing_segments_is_stitched_at_once(app: VoxchordApp) -> None:
    plan = planned(app)
    chord.send(app, plan, [], ROOT)
    (message,) = received(app)
    assert (message.headers["task"], message.headers["root_id"]) == ("voxchord.stitch", ROOT)


def test_a_stored_answer_keeps_its_links(app: VoxchordApp) -> None:
    plan = planned(app)
    linked = answer(app, plan).on_error(app.signature("another.app"))
    app.resources.roots.join(plan.job, ROOT, chord.written(linked))
    waiters.answer(app, plan.job)
    (message,) = received(app)
    assert (message.headers["task"], message.headers["id"]) == ("voxchord.stitch", ROOT)
    _args, kwargs, embedded = message.decode()
    assert kwargs == {"job": plan.job}
    assert [link["task"] for link in embedded["errbacks"]] == ["another.app"]


def test_an_answer_is_grouped_with_the_first_task_of_its_caller(app: VoxchordApp) -> None:
    plan = planned(app)
    grouped = answer(app, plan)
    grouped.options["root_id"] = "first"
    app.resources.roots.join(plan.job, ROOT, chord.written(grouped))
    assert waiters.root_id(app, plan.job) == ROOT, "that of any root, before one has claimed the job"
    app.resources.roots.claim(plan.job, ROOT)
    assert waiters.root_id(app, plan.job) == "first"


@pytest.mark.parametrize(
    ("device", "options", "queue"),
    [
        ("cuda", {"verify": "full"}, "gpu.speaker"),
        ("cuda", {"verify": "full", "device": "host.7"}, "gpu.host.7"),
        ("cuda", {"verify": "light"}, "cpu.verify"),
        ("cpu", {"verify": "full"}, "cpu.verify"),
        ("cpu", {"verify": "full", "device": "host.7"}, "cpu.verify"),
    ],
)
def test_takes_are_verified_where_the_recogniser_runs(
    app: VoxchordApp, device: str, options: dict[str, str], queue: str
) -> None:
    """A stage's message arrives in the queue of the device, also that of another take."""
    app.settings = replace(app.settings, recognizer_device=device)
    plan = planned(app, "check-1", **options)
    again: Any = chord.another_take(app, plan, {"job": plan.job, "segment": 3})
    for steps in (steps_of(app, plan, [3])[0], again.tasks):
        assert steps[-1].task == "voxchord.verify"
        steps[-1].apply_async(({"job": plan.job, "segment": 3, "ok": True},))
        (message,) = received(app)
        assert message.headers["task"] == "voxchord.verify"
        assert message.delivery_info["routing_key"] == queue
