"""`up`, `worker`, `flower` and `serve`: the whole service on this machine, or one part of a deployment."""

import contextlib
import os
import socket
from contextlib import closing
from dataclasses import replace
from typing import Annotated

import typer

from cli import context
from cli.errors import out, reporting_errors
from pipeline.engines.dependencies import check_installed
from pipeline.errors import OptionError
from tasks.flower import launch as console
from tasks.local.embedded_broker import url_of_running
from tasks.local.processes import ROOT
from tasks.local.service import LocalService, ServiceError
from tasks.settings import Settings
from tasks.worker import commands, devices
from web import launch


def up(
    workers_: Annotated[
        int | None, typer.Option("--workers", min=1, help="Decoding processes; one per core by default.")
    ] = None,
    flower_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Flower's port on this machine; 0 turns it off.")
    ] = 5555,
    http_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of the HTTP service on this machine; 0 turns it off."),
    ] = launch.PORT,
) -> None:
    """Run the whole service on this machine until Ctrl-C: broker, workers, HTTP service, Flower."""
    with reporting_errors():
        found = context.settings()
        if found.broker_url:
            words = "is set, but `up` starts its own broker; for that broker run `worker` and `flower`"
            raise OptionError("VOXCHORD_BROKER_URL", words)
        if url_of_running(found.state):
            raise _already_running(found)
        for option, port in {"--flower-port": flower_port, "--http-port": http_port}.items():
            _refuse_used(option, port)
        with LocalService(found, concurrency=workers_) as service:
            if not service.broker.started:
                raise _already_running(found)
            out.print(
                f"broker    {service.settings.state.absolute() / 'broker.url'} has its URL", highlight=False
            )
            if flower_port:
                password = service.start_flower(flower_port)
                out.print(
                    f"Flower    http://127.0.0.1:{flower_port}  ({password} has its password)",
                    highlight=False,
                )
            if http_port:
                environment = launch.environment(service.child_settings())
                service.start_http(launch.command("127.0.0.1", http_port, 1, with_starter=True), environment)
                out.print(f"HTTP      http://127.0.0.1:{http_port}/  (a page; API under v1)", highlight=False)
            out.print("running; Ctrl-C stops it", highlight=False)
            with contextlib.suppress(KeyboardInterrupt):
                service.wait()
            out.print("stopping", highlight=False)


def _already_running(found: Settings) -> ServiceError:
    return ServiceError(f"a service is already running in {found.state}")


def _refuse_used(option: str, port: int) -> None:
    """Refuse a port that no server can listen on, rather than restart its process again and again.

    Raises:
        OptionError: the port is in use, or may not be used.
    """
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))  # 0 is any port
        except OSError as error:
            reason = f"port {port} cannot be used ({error.strerror}); choose another, or 0 for none"
            raise OptionError(option, reason) from None


def worker(
    cpu: Annotated[
        int, typer.Option(min=0, help="Processes for the stages text, semantic, verify and stitch.")
    ] = 0,
    gpu: Annotated[
        str, typer.Option(help="Device to pin the worker to: an index among the visible ones, or a UUID.")
    ] = "",
    intake: Annotated[int, typer.Option(min=0, help="Intake processes (queue `voxchord`).")] = 0,
    slots: Annotated[int, typer.Option(min=0, help="Segments decoded at once on a device.")] = 0,
    door: Annotated[int, typer.Option(hidden=True, help="Former name of `--intake`.")] = 0,
) -> None:
    """Run one worker of a deployment: `--intake 2`, `--cpu 4` or `--gpu 0`."""
    with reporting_errors():
        found = context.settings()
        context.jobs(found)
        found = replace(found, broker_url=context.broker_url(found), slots=slots or found.slots)
        intake = intake or door
        if [bool(cpu), bool(gpu), bool(intake)].count(True) != 1:
            raise OptionError("worker", "needs exactly one of --intake, --cpu and --gpu")
        if gpu:
            engine = found.registry().load(found.engine, found.checkpoint(found.model or None))
            check_installed(engine.profile)
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            at_once = found.slots or devices.default_slots(engine.profile, visible)
            spec = commands.gpu(gpu, engine.profile, at_once, visible)
        else:
            spec = commands.cpu(cpu) if cpu else commands.intake(intake)
    os.chdir(ROOT)
    command = commands.command(spec, log_level=found.log_level)
    environment = commands.environment(spec, found)
    os.execve(command[0], command, environment)  # noqa: S606 - becomes the worker


def flower(
    address: Annotated[
        str, typer.Option(help="Address to listen on; outside this machine use a proxy with TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 5555,
    prefix: Annotated[str, typer.Option(help="Path prefix behind a proxy, e.g. `flower`.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse all changes.")] = False,
) -> None:
    """Run the web console of a deployment, with the password of `VOXCHORD_FLOWER_PASSWORD`."""
    with reporting_errors():
        found = context.settings()
        context.jobs(found)
        found = replace(found, broker_url=context.broker_url(found))
        environment = console.environment(found)
        command = console.command(found, port, address=address, url_prefix=prefix, read_only=read_only)
    os.chdir(ROOT)
    os.execve(command[0], command, environment)  # noqa: S606 - becomes Flower


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; a public one needs keys, and a proxy with TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = launch.PORT,
    processes: Annotated[int, typer.Option(min=1, help="Server processes.")] = 1,
) -> None:
    """Serve OpenAI's speech convention over HTTP: `/v1/audio/speech`, voices, models."""
    with reporting_errors():
        found = context.settings()
        context.jobs(found)
        found = replace(found, broker_url=context.broker_url(found))
        launch.refuse_openness(found, host)
        command, environment = launch.command(host, port, processes), launch.environment(found)
    os.chdir(ROOT)
    os.execve(command[0], command, environment)  # noqa: S606 - becomes the server
