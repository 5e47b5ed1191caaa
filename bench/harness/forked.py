"""Processes forked from one that has imported what they need: each starts a second of computing sooner.

They are processes like any other, with an environment, standard streams and a session of their own. Only
`/proc/PID/cmdline` is that of the process which forked them, and that one is their parent.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

from tasks.local import processes

_WORKER = (
    *("tasks.make_app", "celery.bin.celery", "celery.bin.worker", "celery.apps.worker"),
    *("celery.concurrency.prefork", "celery.concurrency.thread"),
    *("celery.backends.redis", "kombu.transport.redis"),
)
_COMMAND = (
    *("cli.main", "cli.progress", "db.database", "db.queries.catalog", "pipeline.stages"),
    *("alembic.command", "alembic.config", "alembic.context"),
    *("pipeline.engines.hibari.engine", "pipeline.normalization.normalizer"),
    *("pydantic.json_schema", "pydantic.type_adapter", "rich.markdown", "numpy.random"),
    *("hibari", "onnxruntime", "bench.harness.preloaded"),
)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([*_WORKER, *_COMMAND])


def preload(*modules: str) -> None:
    """Import more modules before the forks, unless there was one already."""
    FORKS.set_forkserver_preload([*_WORKER, *_COMMAND, *modules])


class Forked:
    """A process, with the methods and attributes of `subprocess.Popen` that the local service uses."""

    def __init__(self, process: ForkServerProcess, stdin: IO[bytes] | None) -> None:
        self._process, self.stdin = process, stdin
        assert process.pid is not None
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def spawn(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> processes.Process:
    """Start a command as `tasks.local.processes.spawn` does, Celery's in a fork."""
    if not is_celery(command):
        return processes.spawn(command, environment, log)
    reading, writing = os.pipe()
    try:
        return start(command, environment, log, reading, stdin=os.fdopen(writing, "wb"))
    finally:
        os.close(reading)


def is_celery(command: Sequence[str]) -> bool:
    return tuple(command[:3]) == (sys.executable, "-m", "celery")


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: IO[bytes],
    read: int | None = None,
    *,
    errors: IO[bytes] | None = None,
    stdin: IO[bytes] | None = None,
) -> Forked:
    """Fork a process that runs a module.

    Args:
        command: `python -m MODULE ARGUMENTS…`.
        read: descriptor that becomes its standard input, by default that of an empty file.
        errors: its standard error, by default the log.
        stdin: other end of `read`, if only this process is to have it.
    """
    with open(os.devnull, "rb") as nothing:
        streams = (nothing.fileno() if read is None else read, log.fileno(), (errors or log).fileno())
        process = FORKS.Process(
            target=become, args=(list(command[2:]), dict(environment), *map(_Descriptor, streams))
        )
        process.start()
    return Forked(process, stdin)


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    stdin: Path = Path(os.devnull),
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line in a fork; its output passes through files in the folder."""
    command = [sys.executable, "-m", "voxchord", *arguments]
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    with stdin.open("rb") as read, out.open("wb") as output, err.open("wb") as errors:
        process = start(command, environment, output, read.fileno(), errors=errors)
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(command, code, out.read_text(), err.read_text())


class _Descriptor:
    """Descriptor that arrives in the fork as an open descriptor of its own."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _received, (DupFd(self.number),)


def _received(descriptor: Any) -> int:
    number: int = descriptor.detach()
    return number


def become(command: Sequence[str], environment: Mapping[str, str], *streams: int) -> None:
    """Become `python -m MODULE ARGUMENTS…` in this process.

    Args:
        command: module and arguments.
        streams: descriptors that become its standard streams; they are closed.
    """
    os.setsid()
    os.chdir(processes.ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    module, *arguments = command
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
