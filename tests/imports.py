"""Imports every module of the project and reports those that do more than define things.

Run in a process of its own, in the project's folder and with an empty environment. It watches the
environment, forbids sockets, and compares the state of the modules imported before: after every
`EVERY`th import, and if one has changed, once more from the start after each, which names the culprit.
"""

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

ROOT = Path.cwd()
PACKAGES = ("tasks", "pipeline", "db", "web", "cli", "deploy")
ENTRIES = {
    "tasks.app",  # `celery -A` names it
    "deploy.flowerconfig",  # Flower executes it
    "db.migrations.env",  # Alembic executes it
}
NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")

EVERY = 50
"""Number of imports between two comparisons, each of which takes longer the more modules there are."""
ONE_BY_ONE = "--one-by-one"

ENVIRONMENT = dict(os.environ)

findings: list[str] = []
states: dict[str, dict[str, Any]] = {}
process: list[dict[str, int]] = []
importing: list[str] = []
"""Modules being executed, the innermost last."""


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            if name not in ENTRIES and parts[-1] != "__main__" and "versions" not in parts:
                yield name


class WatchedEnvironment(os._Environ[str]):
    """The environment; a read or a change by code of the project is a finding."""

    def __getitem__(self, key: str) -> str:
        note(f"reads the environment: {key}")
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: str) -> None:
        note(f"changes the environment: {key}")
        super().__setitem__(key, value)

    def __iter__(self) -> Iterator[str]:
        note("reads the environment")
        return super().__iter__()


def note(finding: str) -> None:
    """Add a finding if the innermost frame outside the standard library is the project's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and (
        frame.f_code.co_filename.startswith("<frozen") or "site-packages" not in frame.f_code.co_filename
    ):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path != Path(__file__) and ".venv" not in path.parts:
            findings.append(f"{importing[-1]}: {finding}")
            return
        frame = frame.f_back


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK:
        findings.append(f"{importing[-1]}: {event}")
        raise ConnectionRefusedError(event)


def state(module: ModuleType) -> dict[str, Any]:
    """Identity and content of what a module and its classes hold, without its submodules."""
    found = {}
    for name, value in vars(module).items():
        if isinstance(value, ModuleType) or name.startswith("__"):
            continue
        found[name] = fingerprint(value)
        if isinstance(value, type) and value.__module__ == module.__name__:
            found |= {f"{name}.{key}": fingerprint(entry) for key, entry in vars(value).items()}
    return found


def fingerprint(value: Any) -> tuple[int, str]:
    text = repr(value) if isinstance(value, dict | list | set) else ""
    return id(value), text


def processwide() -> dict[str, int]:
    """State of the process: receivers of Celery's signals, signal handlers, the umask, and Celery apps."""
    from celery import _state, signals

    umask = os.umask(0o022)
    os.umask(umask)
    celerys = {name: len(getattr(signals, name).receivers or ()) for name in signals.__all__}
    handlers = {number.name: id(signal.getsignal(number)) for number in signal.Signals}
    return {**celerys, **handlers, "umask": umask, "apps": len(_state._apps)}  # type: ignore[attr-defined]  # missing in celery-types


class Watched(Loader):
    """Loader that compares, after a module's execution, the state of all modules executed before it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        importing.append(module.__name__)
        self.loader.exec_module(module)
        compare_process()
        if ONE_BY_ONE in sys.argv or len(states) % EVERY == 0:
            compare()
        states[module.__name__] = state(module)
        importing.pop()


class Finder(PathFinder):
    """Finder of the project's modules."""

    @classmethod
    def find_spec(cls, fullname: str, *arguments: Any, **options: Any) -> ModuleSpec | None:
        spec = super().find_spec(fullname, *arguments, **options)
        if spec is not None and spec.loader is not None and fullname.partition(".")[0] in PACKAGES:
            spec.loader = Watched(spec.loader)
        return spec


def compare() -> None:
    for name, known in states.items():
        now = state(sys.modules[name])
        if now != known and ONE_BY_ONE not in sys.argv:
            os.execve(sys.executable, [sys.executable, "-P", __file__, ONE_BY_ONE], ENVIRONMENT)  # noqa: S606 - this program
        findings.extend(
            f"{importing[-1]}: changes {name}.{key}" for key in known | now if now.get(key) != known.get(key)
        )
        states[name] = now


def compare_process() -> None:
    process.extend([processwide()])
    before, after = process
    findings.extend(
        f"{importing[-1]}: connects or sets {name}" for name in after if after[name] != before[name]
    )
    del process[0]


def main() -> None:
    sys.path.insert(0, str(ROOT))
    process.append(processwide())
    sys.meta_path.insert(0, Finder)
    os.environ.__class__ = WatchedEnvironment
    sys.addaudithook(forbid)
    for name in modules():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != "triton":  # on machines with a GPU only
                raise
    compare()
    print("\n".join(findings))
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
