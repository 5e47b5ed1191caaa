"""The command lines of workers: the same for the local service, `voxchord.py worker` and every deployment."""

import os
import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.engines.protocol import Profile
from tasks.broker.queues import CPU, DOOR, GPU, device_queue
from tasks.worker import devices

WAITING = 4
"""Threads beyond its slots, so that one that falls free finds its next segment there."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """One worker process: what it serves and how."""

    name: str
    queues: tuple[str, ...]
    pool: str
    concurrency: int
    device: str | None = None
    """What CUDA may see, e.g. '0'; None leaves it as it is, '' hides every device."""


def door(concurrency: int = 2) -> WorkerSpec:
    """Takes jobs in and looks after them; never busy with the work itself."""
    return WorkerSpec("door", DOOR, "prefork", concurrency, device="")


def cpu(concurrency: int) -> WorkerSpec:
    """Text, semantic tokens and stitching."""
    return WorkerSpec("cpu", CPU, "prefork", concurrency, device="")


def gpu(wanted: str, profile: Profile, slots: int, visible: str | None = None) -> WorkerSpec:
    """Speakers and diffusion on one device, or on the CPU where the engine runs there.

    Name and queue are the device's own, so that workers which a scheduler gave different devices never share
    them.

    Args:
        wanted: index among the visible devices, or a UUID.
        visible: `CUDA_VISIBLE_DEVICES` of this process; None if unset.

    Raises:
        OptionError: there is no such device.
    """
    device = devices.pinned(wanted, visible)
    name = device or wanted
    queues = (*GPU, device_queue(f"{socket.gethostname()}.{name}"))
    tasks = slots + WAITING if profile.pool == "threads" else slots
    title = f"gpu{name}" if name.isdecimal() else "gpu-" + re.sub(r"[^A-Za-z0-9]+", "-", name)
    return WorkerSpec(title, queues, profile.pool, tasks, device=device)


def local(
    profile: Profile, concurrency: int, slots: int, visible: str | None = None
) -> tuple[WorkerSpec, ...]:
    """Workers of one machine. A process that decodes one segment at a time takes every stage; one that
    decodes many at once has no other stage.
    """
    if profile.pool == "prefork":
        return door(), WorkerSpec("work", (*GPU, *CPU), profile.pool, concurrency)
    return door(), cpu(concurrency), gpu("0", profile, slots, visible)


def command(spec: WorkerSpec, *, log_level: str, with_starter: bool = False) -> list[str]:
    """The command line."""
    return [
        *(sys.executable, "-m", "celery", "-A", "tasks.app", "worker"),
        *("-n", f"{spec.name}@%h"),
        *("-Q", ",".join(spec.queues)),
        *("-P", spec.pool, "-c", str(spec.concurrency)),
        *("--loglevel", log_level, "--without-gossip", "--without-mingle"),
        *(["--with-starter"] if with_starter else []),
    ]


def environment(spec: WorkerSpec, **settings: str) -> dict[str, str]:
    """The environment: one thread per slot for numeric libraries where slots are processes, one heap for all
    threads where they are threads.
    """
    prefork: Sequence[str] = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    single = prefork if spec.pool == "prefork" else ("MALLOC_ARENA_MAX",)
    device = (
        {}
        if spec.device is None
        else {"CUDA_VISIBLE_DEVICES": spec.device, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    )
    return {**os.environ, **dict.fromkeys(single, "1"), **device, **settings}
