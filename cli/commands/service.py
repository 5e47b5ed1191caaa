"""`up` and `worker`: the service here, or one worker of a fleet."""

import contextlib
import os
from typing import Annotated

import typer

from cli import context
from cli.errors import out, told
from pipeline.engines import registry
from pipeline.errors import OptionError
from tasks.flower import launch as console
from tasks.local.service import ROOT, LocalService, ServiceError
from tasks.worker import commands, devices


def up(
    workers_: Annotated[
        int | None, typer.Option("--workers", help="Processes that decode; one per core by default.")
    ] = None,
    flower_port: Annotated[int, typer.Option(help="Flower's port on this machine; 0 turns it off.")] = 5555,
) -> None:
    """Run the whole service here until Ctrl-C: broker, workers, Flower."""
    with told():
        found = context.settings()
        if found.broker_url:
            words = "is set, and `up` has a broker of its own; at that one start `worker` and `flower`"
            raise OptionError("VOXCHORD_BROKER_URL", words)
        with LocalService(found, concurrency=workers_) as service:
            if not service.broker.started:
                raise ServiceError(f"a service is up in {found.state} already")
            out.print(
                f"broker    {service.settings.state.absolute() / 'broker.url'} has its URL", highlight=False
            )
            if flower_port:
                password = service.start_flower(flower_port)
                out.print(
                    f"Flower    http://127.0.0.1:{flower_port}  ({password} has its password)",
                    highlight=False,
                )
            out.print("up; Ctrl-C stops it", highlight=False)
            with contextlib.suppress(KeyboardInterrupt):
                service.wait()
            out.print("stopping", highlight=False)


def worker(
    cpu: Annotated[int, typer.Option(help="Processes for text, semantic tokens and stitching.")] = 0,
    gpu: Annotated[
        str, typer.Option(help="Device to pin this worker to: an index among the visible ones, or a UUID.")
    ] = "",
    door: Annotated[int, typer.Option(help="Processes for taking jobs in (queue `voxchord`).")] = 0,
    slots: Annotated[int, typer.Option(help="Segments decoded at once on a device.")] = 0,
) -> None:
    """Run one worker of a deployment: `--door 2`, `--cpu 4` or `--gpu 0`."""
    with told():
        found = context.settings()
        context.jobs(found)
        context.standing(found)
        if [bool(cpu), bool(gpu), bool(door)].count(True) != 1:
            raise OptionError("worker", "takes exactly one of --door, --cpu and --gpu")
        if gpu:
            engine = registry.load(found.engine, found.checkpoint(found.model or None))
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            at_once = slots or found.slots or devices.default_slots(engine.profile, visible)
            spec = commands.gpu(gpu, engine.profile, at_once, visible)
        else:
            spec = commands.cpu(cpu) if cpu else commands.door(door)
    os.chdir(ROOT)
    command = commands.command(spec, log_level=found.log_level)
    environment = commands.environment(spec, **({"VOXCHORD_SLOTS": str(slots)} if slots else {}))
    os.execve(command[0], command, environment)  # noqa: S606 - becomes the worker


def flower(
    address: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine use a TLS proxy.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 5555,
    prefix: Annotated[str, typer.Option(help="Path below which a proxy serves it, e.g. `flower`.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="For those who may only look.")] = False,
) -> None:
    """Run the web console of a deployment, with the password of `VOXCHORD_FLOWER_PASSWORD`."""
    with told():
        found = context.settings()
        context.jobs(found)
        context.standing(found)
        environment = console.environment(found)
        command = console.command(found, port, address=address, url_prefix=prefix, read_only=read_only)
    os.chdir(ROOT)
    os.execve(command[0], command, environment)  # noqa: S606 - becomes Flower
