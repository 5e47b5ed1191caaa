"""Command lines of workers, shared by the local service, `voxchord.py worker` and all deployments."""

import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.engines.protocol import Profile
from tasks.broker.queues import CPU, GPU, INTAKE, device_queue
from tasks.settings import Settings, child_environment
from tasks.worker import devices

WAITING = 4
"""Threads beyond the slots, so that a free slot finds its next segment waiting."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Specification of one worker: name, queues, pool and device."""

    name: str
    queues: tuple[str, ...]
    pool: str
    concurrency: int
    device: str | None = None
    """Devices visible to CUDA, e.g. '0'; None leaves the environment unchanged, '' hides all devices."""


def intake(concurrency: int = 2) -> WorkerSpec:
    """Intake worker: accepts and reconciles jobs, and runs no stage."""
    return WorkerSpec("intake", INTAKE, "prefork", concurrency, device="")


def cpu(concurrency: int) -> WorkerSpec:
    """CPU worker: text, semantic, verify and stitch stages."""
    return WorkerSpec("cpu", CPU, "prefork", concurrency, device="")


def gpu(wanted: str, profile: Profile, slots: int, visible: str | None = None) -> WorkerSpec:
    """GPU worker: speaker and diffusion stages on one device, or on the CPU if the engine runs there.

    Name and queue belong to the device, so that workers with different devices of a scheduler never share
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
    """Workers of one machine.

    A process that decodes one segment at a time runs all stages; one that decodes many runs no other stage.
    """
    if profile.pool == "prefork":
        return intake(), WorkerSpec("work", (*GPU, *CPU), profile.pool, concurrency)
    return intake(), cpu(concurrency), gpu("0", profile, slots, visible)


def command(spec: WorkerSpec, *, log_level: str, with_starter: bool = False) -> list[str]:
    """Command line of a worker."""
    return [
        *(sys.executable, "-m", "celery", "-A", "tasks.app", "worker"),
        *("-n", f"{spec.name}@%h"),
        *("-Q", ",".join(spec.queues)),
        *("-P", spec.pool, "-c", str(spec.concurrency)),
        *("--loglevel", log_level, "--without-gossip", "--without-mingle"),
        *(["--with-starter"] if with_starter else []),
    ]


def environment(spec: WorkerSpec, settings: Settings) -> dict[str, str]:
    """Environment of a worker: one numeric thread per prefork process, or one heap for a thread pool. Kernels
    that a GPU worker compiles are stored in the state folder, unless the environment says where.
    """
    prefork: Sequence[str] = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    single = prefork if spec.pool == "prefork" else ("MALLOC_ARENA_MAX",)
    device = (
        {}
        if spec.device is None
        else {"CUDA_VISIBLE_DEVICES": spec.device, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    )
    kernels = settings.state.absolute() / "kernels"
    caches = {"TORCHINDUCTOR_CACHE_DIR": kernels / "inductor", "TRITON_CACHE_DIR": kernels / "triton"}
    cache_folders = {name: str(folder) for name, folder in caches.items()} if spec.device else {}
    return {**cache_folders, **child_environment(settings), **dict.fromkeys(single, "1"), **device}
