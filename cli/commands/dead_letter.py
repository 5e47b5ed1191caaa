"""`dead-letter`: messages that were taken off a queue because they cannot be understood."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli import context
from cli.errors import JsonOption, out, print_json, reporting_errors
from pipeline.errors import OptionError

if TYPE_CHECKING:
    from tasks.broker.dead_letters import DeadLetter
    from tasks.orchestration.resources import VoxchordApp

app = typer.Typer(no_args_is_help=True, help="Messages that cannot be understood.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="ID of the entry or its task, or the start.")]
AllOption = Annotated[bool, typer.Option("--all", help="All entries.")]


@app.command("list")
def list_entries(json: JsonOption = False) -> None:
    """List the dead letters, the latest first."""
    from tasks.broker import dead_letters

    with reporting_errors():
        found = dead_letters.entries(context.client(context.settings()))
    if json:
        print_json([asdict(each) for each in found])
        return
    table = Table("id", "at (UTC)", "queue", "task", "fault", box=None, pad_edge=False)
    for each in found:
        table.add_row(each.id, _moment(each), each.queue, each.task or "-", f"{each.part} {each.reason}")
    out.print(table if found else "no dead letters")


@app.command()
def show(wanted: IdArgument) -> None:
    """Print one entry as JSON; the message itself is not shown."""
    with reporting_errors():
        _, entry = _found(wanted)
        print_json(asdict(entry))


@app.command()
def drop(wanted: Annotated[str, typer.Argument(metavar="ID")] = "", every: AllOption = False) -> None:
    """Remove an entry and its message."""
    from tasks.broker import dead_letters

    with reporting_errors():
        service, chosen = _chosen(wanted, every=every)
        dead_letters.drop(service, *chosen)
        out.print(f"removed {len(chosen)}", highlight=False)


@app.command()
def requeue(wanted: Annotated[str, typer.Argument(metavar="ID")] = "", every: AllOption = False) -> None:
    """Put a message back in its queue, for example after an upgrade."""
    from tasks.broker import dead_letters

    with reporting_errors():
        service, chosen = _chosen(wanted, every=every)
        put_back = [entry for entry in chosen if dead_letters.requeue(service, entry)]
        left = len(chosen) - len(put_back)
        out.print(f"put back {len(put_back)}", highlight=False)
        if left:
            raise OptionError("ID", f"{left} messages were too large to keep; send them again")


def _chosen(wanted: str, *, every: bool) -> "tuple[VoxchordApp, list[DeadLetter]]":
    from tasks.broker import dead_letters

    if bool(wanted) == every:
        raise OptionError("ID", "give an ID, or --all")
    if not every:
        service, entry = _found(wanted)
        return service, [entry]
    service = context.client(context.settings())
    return service, dead_letters.entries(service)


def _found(wanted: str) -> "tuple[VoxchordApp, DeadLetter]":
    from tasks.broker import dead_letters

    service = context.client(context.settings())
    found = dead_letters.find(service, wanted)
    if len(found) != 1:
        number = "no dead letter has" if not found else f"{len(found)} dead letters have"
        raise OptionError("ID", f"{number} an ID that starts with {wanted[:40]!r}")
    return service, found[0]


def _moment(entry: "DeadLetter") -> str:
    return datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
