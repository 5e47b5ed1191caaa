"""`keys`: clients of the HTTP service."""

import re
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import context
from cli.errors import JsonOption, err, out, print_json, reporting_errors
from pipeline.errors import OptionError

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke keys of the HTTP service.")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
NameArgument = Annotated[str, typer.Argument(help="Name of the client.")]


@app.command()
def create(
    name: NameArgument,
    characters_per_day: Annotated[int | None, typer.Option(min=1, help="Characters in 24 hours.")] = None,
    jobs_at_once: Annotated[int | None, typer.Option(min=1, help="Unfinished requests.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Requests in 60 seconds.")] = None,
) -> None:
    """Create a key and print it. It is shown once: the database has only its hash."""
    from db import http_clients

    with reporting_errors():
        if not _NAME.fullmatch(name):
            raise OptionError("name", f"{name!r} has other characters than letters, digits, _ . @ -")
        quota = http_clients.Quota(characters_per_day, jobs_at_once, requests_per_minute)
        engine = context.history(context.settings())
        try:
            key = http_clients.create(engine, name, quota)
        except http_clients.ClientError as error:
            raise OptionError("name", str(error)) from None
        print(key)
        err.print("the key is not stored; it cannot be shown again", style="yellow")


@app.command("list")
def list_keys(json: JsonOption = False) -> None:
    """List the clients with their quotas."""
    from db import http_clients

    with reporting_errors():
        clients = http_clients.clients(context.history(context.settings()))
        rows = [
            {
                "name": each.name,
                "characters_per_day": each.quota.characters_per_day,
                "jobs_at_once": each.quota.jobs_at_once,
                "requests_per_minute": each.quota.requests_per_minute,
                "created_at": _shown(each.created_at),
                "revoked_at": _shown(each.revoked_at),
            }
            for each in clients
        ]
        if json:
            print_json(rows)
            return
        table = Table("name", "characters a day", "jobs at once", "requests a minute", "created", "revoked")
        for row in rows:
            table.add_row(*(_cell(value) for value in row.values()))
        out.print(table)


@app.command()
def revoke(name: NameArgument) -> None:
    """Revoke a key. Its jobs go on; further requests are refused within seconds."""
    from db import http_clients

    with reporting_errors():
        try:
            http_clients.revoke(context.history(context.settings()), name)
        except http_clients.ClientError as error:
            raise OptionError("name", str(error)) from None


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _cell(value: Any) -> str:
    return "—" if value is None else str(value)
