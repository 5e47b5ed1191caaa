"""Tests of the wire contract: a change of these names breaks other apps."""

from tasks.broker.queues import QUEUES
from tasks.make_app import make_app
from tasks.settings import Settings

app = make_app(Settings(), "memory://")


def test_published_task_names_and_queues() -> None:
    ours = {name for name in app.tasks if name.startswith("voxchord.")}
    assert ours == {
        "voxchord.render",
        "voxchord.retry",
        "voxchord.text",
        "voxchord.semantic",
        "voxchord.speaker",
        "voxchord.diffusion",
        "voxchord.verify",
        "voxchord.retake",
        "voxchord.pick",
        "voxchord.diff",
        "voxchord.stitch",
        "voxchord.reconcile",
    }
    assert set(QUEUES) == {
        "voxchord",
        "cpu.text",
        "cpu.semantic",
        "cpu.stitch",
        "cpu.verify",
        "gpu.speaker",
        "gpu.diffusion",
    }
    assert {task for tasks in QUEUES.values() for task in tasks} == ours


def test_only_json_is_accepted() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == app.conf.event_serializer == "json"
