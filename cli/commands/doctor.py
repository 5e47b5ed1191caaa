"""`doctor`: checks of configuration, reachability and installation, with advice."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.markup import escape
from rich.table import Table

from cli import context
from cli.broker_retry import BrokerRetry, reach
from cli.commands.jobs import UPGRADE
from cli.errors import Exit, JsonOption, Unreachable, out, print_json, reporting_errors
from pipeline.engines.dependencies import check_installed
from pipeline.engines.registry import Engines
from pipeline.errors import DependencyError, OptionError, PipelineError
from tasks.local.embedded_broker import url_of_running
from tasks.settings import Settings, masked

PROBLEMS_MAX = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check."""

    what: str
    state: str
    """'ok', 'off' (not needed by the configuration) or 'bad'."""
    detail: str
    advice: str = ""


def doctor(
    model: Annotated[str | None, typer.Option(help="Also check this checkpoint: a folder or a name.")] = None,
    json: JsonOption = False,
) -> None:
    """Check the configuration and print advice. Exit code 3 if a configured part is broken."""
    with reporting_errors():
        found = context.settings()
    findings = [finding for check in CHECKS for finding in check(found)]
    if model:
        findings += _checkpoint(found, model)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = Table("", "", "", show_header=False, box=None, padding=(0, 2))
        marks = {"ok": "[green]ok[/]", "off": "[dim]off[/]", "bad": "[bold red]bad[/]"}
        for finding in findings:
            advice = f"\n→ {finding.advice}" if finding.advice else ""
            table.add_row(marks[finding.state], finding.what, escape(finding.detail + advice))
        out.print(table)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(Exit.BAD_INPUT)


def _python(found: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding("Python", "ok" if good else "bad", version, "" if good else "needs 3.11 or newer")
    yield Finding("cores", "ok", str(os.cpu_count()))


def _broker(found: Settings) -> Iterator[Finding]:
    if not found.broker_url:
        url = url_of_running(found.state)
        detail = "embedded, running" if url else "embedded, started when needed"
        yield Finding("broker", "ok", detail)
        return
    from kombu import Connection

    from tasks.broker.transport import of as broker_of

    broker = broker_of(found, found.broker_url)
    try:
        with Connection(
            broker.url,
            connect_timeout=3,
            ssl=broker.tls() or False,
            transport_options=broker.transport_options(),
        ) as connected:
            connected.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            with connected.channel():
                pass
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        advice = "start it, or correct VOXCHORD_BROKER_URL"
        yield Finding("broker", "bad", f"{masked(found.broker_url)}: {type(error).__name__}", advice)
    else:
        yield Finding("broker", "ok", masked(found.broker_url))


def _messages(found: Settings) -> Iterator[Finding]:
    """Dead letters of a running service."""
    if not (found.broker_url or url_of_running(found.state)):
        return
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    from tasks.broker import dead_letters

    try:
        dead = dead_letters.count(context.client(found))
    except (OperationalError, RedisError):
        return  # the broker's own check says so
    if dead:
        detail = f"{dead} messages could not be understood"
        advice = "see `dead-letter list`; correct their sender, then `dead-letter drop --all`"
        yield Finding("messages", "bad", detail, advice)
    else:
        yield Finding("messages", "ok", "no dead letters")


def _stages(found: Settings) -> Iterator[Finding]:
    """Check that every stage has a worker, where a service runs."""
    from tasks.broker.consumers import unserved
    from tasks.broker.queues import CPU

    try:
        app = context.client(found)
        missing = BrokerRetry(app).call(lambda: unserved(app, CPU) if reach(app) else None)
    except Unreachable:
        return
    if missing:
        yield Finding("stages", "bad", f"no worker consumes {', '.join(missing)}", UPGRADE)


def _store(found: Settings) -> Iterator[Finding]:
    url = masked(found.store_url)
    try:
        store = context.jobs(found).store
        name = f"probe/{uuid4().hex}"
        store.put(name, b"first")
        once = not store.objects.create(name, b"second")
        store.need(name)
        store.objects.delete(name)
    except (PipelineError, OSError, ValueError) as error:
        yield Finding("store", "bad", f"{url}: {error}", "make it writable, or correct VOXCHORD_STORE")
        return
    if not once:
        advice = "two workers could both win; use a service with If-None-Match"
        yield Finding("store", "bad", f"{url} does not support exclusive creation", advice)
        return
    free = (
        ""
        if "://" in found.store_url
        else f", {shutil.disk_usage(found.store_url).free / 2**30:.0f} GiB free"
    )
    yield Finding("store", "ok", url + free)


def _waiting(found: Settings) -> Iterator[Finding]:
    """Open jobs whose device no worker serves."""
    try:
        jobs = context.jobs(found)
        plans = jobs.plans.open_jobs()
        waiting = [plan for plan in plans if jobs.coordination.unserved_s(plan.job) is not None]
    except (PipelineError, OSError):
        return  # the store's own check says so
    for plan in waiting[:PROBLEMS_MAX]:
        detail = f"job {plan.job} waits for device {plan.options.device!r}, which no worker serves"
        yield Finding("jobs", "bad", detail, "start a worker on that device, or cancel the job")


def _history(found: Settings) -> Iterator[Finding]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine, later = context.opened_history(found)
        engine.dispose()
    except OptionError as error:
        yield Finding("history", "bad", error.reason, f"correct {error.option}")
    except SQLAlchemyError as error:
        advice = "jobs run without it; rows wait in the spool"
        yield Finding("history", "bad", f"{masked(found.history_url)}: {type(error).__name__}", advice)
    else:
        if later is None:
            yield Finding("history", "ok", masked(found.history_url))
        else:
            detail = f"{masked(found.history_url)}: {later}"
            yield Finding("history", "bad", detail, "upgrade this installation; jobs run meanwhile")


def _notifications(found: Settings) -> Iterator[Finding]:
    from tasks.notification import delivery

    if not found.notify_urls:
        yield Finding("notifications", "off", "VOXCHORD_NOTIFY names no address")
        return
    for number, url in enumerate(found.notify_urls, 1):
        problem = delivery.problem(url)
        state, detail = ("ok", ", ".join(found.notify_events)) if problem is None else ("bad", problem)
        yield Finding(f"notification address {number}", state, detail)


def _handover(found: Settings) -> Iterator[Finding]:
    from tasks.handover.receivers import audiobookshelf_of
    from tasks.notification.errors import NotDeliveredError

    automatic = f"; {found.handover} by themselves" if found.handover else "; by the command `handover`"
    if found.library:
        writable = Path(found.library).is_dir() and os.access(found.library, os.W_OK | os.X_OK)
        detail = found.library + (automatic if writable else ": no folder that can be written to")
        yield Finding("library", "ok" if writable else "bad", detail, "create, mount or change the folder")
    if found.audiobookshelf_url:
        try:
            yield Finding("Audiobookshelf", "ok", f"{audiobookshelf_of(found).place()}{automatic}")
        except NotDeliveredError as error:
            advice = "books are tried again for a week" if found.handover else "mend it before `handover`"
            yield Finding("Audiobookshelf", "bad", str(error), advice)
    if not (found.library or found.audiobookshelf_url):
        yield Finding("hand-over", "off", "VOXCHORD_LIBRARY and VOXCHORD_AUDIOBOOKSHELF_URL name no player")


def _engines(found: Settings) -> Iterator[Finding]:
    engines = found.registry()
    available = ", ".join(sorted(engines.places))
    if found.engine not in engines.places:
        detail = f"{found.engine!r} is unknown; available: {available}"
        yield Finding("engine", "bad", detail, "correct VOXCHORD_ENGINE")
    else:
        yield Finding("engine", "ok", f"{found.engine} by default; available: {available}")
    for name in sorted(engines.places):
        error = _missing(engines, name)
        if error:
            state = "bad" if found.engine == name else "off"
            yield Finding(name, state, f"{error.packages} is not installed", error.advice)


def _speech_server(found: Settings) -> Iterator[Finding]:
    server = found.speech_server
    if not server.url:
        yield Finding("speech server", "off", "VOXCHORD_OPENAI_URL names none")
        return
    from pipeline.engines.openai.inspection import inspect_server

    report = inspect_server(server)
    if report.problem:
        advice = "start it, or correct VOXCHORD_OPENAI_URL, _KEY and _MODEL"
        yield Finding("speech server", "bad", report.problem, advice)
    else:
        yield Finding("speech server", "ok", report.summary(server))


def _missing(engines: Engines, name: str) -> DependencyError | None:
    """Packages of an engine that are not installed on this machine."""
    try:
        check_installed(engines.load(name).profile)
    except DependencyError as error:
        return error
    return None


def _devices(found: Settings) -> Iterator[Finding]:
    import pynvml

    try:
        pynvml.nvmlInit()
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle).total / 2**30
            yield Finding(f"GPU {index}", "ok", f"{pynvml.nvmlDeviceGetName(handle)}, {memory:.0f} GiB")
    except pynvml.NVMLError:
        yield Finding("GPU", "off", "no NVIDIA driver; engines run on the CPU")


def _cpu_energy(found: Settings) -> Iterator[Finding]:
    from tasks.metering.probes import rapl

    problem = rapl.problem()
    if problem is None:
        yield Finding("CPU energy", "ok", "measured by RAPL")
    else:
        yield Finding("CPU energy", "off", f"{problem}; `cpu_energy_j` stays NULL")


def _checkpoint(found: Settings, model: str) -> list[Finding]:
    missing = _missing(found.registry(), "vibevoice")
    if missing:
        return [Finding("checkpoint", "bad", f"checking it needs {missing.packages}", missing.advice)]
    from pipeline.engines.vibevoice.inspection import inspect_checkpoint

    report = inspect_checkpoint(found.models.get(model, model))
    if not report.usable:
        return [Finding("checkpoint", "bad", problem) for problem in _shortened(report.problems)]
    gigabytes = {
        name: (getattr(report, name) or 0) / 1e9 for name in ("decoder_bytes", "slot_bytes", "free_bytes")
    }
    layout = ", in the original layout" if report.converted else ""
    detail = f"{report.model}, {report.parameters or 0:,} parameters, {report.revision}{layout}"
    adapter = f"{report.adapter} changes {report.adapted} weights at scale {report.adapter_scale}"
    return [
        Finding("checkpoint", "ok", detail),
        *([Finding("adapter", "ok", adapter)] if report.adapter else []),
        Finding(
            "memory",
            "ok",
            f"{report.dtype} on {report.device}: {gigabytes['decoder_bytes']:.2f} GB of weights and "
            f"{gigabytes['slot_bytes']:.2f} GB per slot to decode; {report.slots} slots in the "
            f"{gigabytes['free_bytes']:.1f} GB that are free",
        ),
    ]


def _shortened(problems: Sequence[str]) -> list[str]:
    more = len(problems) - PROBLEMS_MAX
    return [*problems[:PROBLEMS_MAX], *([f"and {more} more problems"] if more > 0 else [])]


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _broker,
    _stages,
    _messages,
    _store,
    _waiting,
    _history,
    _notifications,
    _handover,
    _engines,
    _speech_server,
    _devices,
    _cpu_energy,
)
