"""Tests that an upgrade of Celery or kombu without the internals that are used is reported by name."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from celery.backends.base import Backend
from celery.worker.request import Request

from pipeline.errors import InternalsError
from pipeline.internals import Internal
from tasks.internals import celery_internals, kombu_internals
from tasks.make_app import make_app
from tasks.privacy import requests
from tasks.settings import Settings
from tests.internals import remove

ROOT = Path(__file__).parent.parent.parent.parent
ALL = [
    *(pytest.param("celery", celery_internals, each, id=each.name) for each in celery_internals.INTERNALS),
    *(pytest.param("kombu", kombu_internals, each, id=each.name) for each in kombu_internals.INTERNALS),
]


@pytest.mark.parametrize("module", [celery_internals, kombu_internals])
def test_the_installed_version_has_all(module: ModuleType) -> None:
    module.check()


@pytest.mark.parametrize(("package", "module", "internal"), ALL)
def test_a_missing_attribute_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, module: ModuleType, internal: Internal
) -> None:
    remove(internal, monkeypatch)
    with pytest.raises(InternalsError) as caught:
        module.check()
    said = str(caught.value)
    assert said.startswith(f"{package} {version(package)} can't be used: ")
    assert f".{internal.name} is missing, which {internal.needed_for} needs" in said
    assert said.endswith("; install the version in constraints.txt")


def test_a_changed_signature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def mark_as_done(self: object, task_id: str, result: object, context: object) -> None: ...

    monkeypatch.setattr(Backend, "mark_as_done", mark_as_done)
    with pytest.raises(
        InternalsError,
        match=r"celery\.backends\.base\.Backend\.mark_as_done takes \(task_id, result, context\) in place of "
        r"\(task_id, result, request, store_result, state\), which the result backend that counts",
    ):
        celery_internals.check()


CHANGES = {
    "headers": ("request_dict", lambda request: {**request._request_dict}),
    "arguments": ("kwargsrepr", lambda request: repr(request._kwargs)),
    "description": ("info", lambda request: lambda safe: {"args": request._args}),
}


@pytest.mark.parametrize("place", CHANGES)
def test_a_celery_that_would_publish_words_is_found(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    app = make_app(Settings(), "memory://")
    requests.check_redaction(app)
    name, getter = CHANGES[place]
    monkeypatch.setattr(Request, name, property(getter))
    with pytest.raises(InternalsError, match=f"a request's {place} hold words of its message"):
        requests.check_redaction(app)


_START = """
import sys
from celery.worker.request import Request
del Request.info
from celery.__main__ import main
sys.argv[1:] = ["-A", "tasks.app", "worker", "-P", "solo", "--without-gossip", "--without-mingle"]
main()
"""


def test_a_worker_does_not_start_without_one(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _START],
        cwd=ROOT,
        env={"VOXCHORD_STATE": str(tmp_path), "PATH": "/usr/bin:/bin", "VOXCHORD_BROKER_URL": "memory://"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert (
        "celery.worker.request.Request.info is missing, which the redaction of arguments needs"
        in ended.stderr
    )
