"""`voices`: reference recordings for speakers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli import context
from cli.errors import JsonOption, err, out, print_json, reporting_errors
from cli.scripts import read_recording
from pipeline.voices.library import Voices, free_name

app = typer.Typer(no_args_is_help=True, help="Register reference recordings and list them.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the voice.")],
    file: Annotated[Path, typer.Argument(help="Recording of one person, 1 s to 5 min (10 to 30 s is best).")],
) -> None:
    """Register a recording. Registering a name again replaces it for new jobs."""
    with reporting_errors():
        found = context.settings()
        data = read_recording(free_name(name, reserved=found.registry().presets()), file)
        voices = Voices(context.jobs(found).store)
        out.print(f"{name}  {voices.add(name, data)}", highlight=False)
        for notice in voices.notices(name):
            err.print(f"[yellow]notice:[/] {escape(notice)}", highlight=False, soft_wrap=True)


@app.command("list")
def list_voices(json: JsonOption = False) -> None:
    """List the engine's presets, their variations and the registered recordings."""
    with reporting_errors():
        found = context.settings()
        profile = found.registry().load(found.engine, found.checkpoint(found.model or None)).profile
        voices = Voices(context.jobs(found).store)
        rows = [{"name": name, "kind": "preset", "hash": ""} for name in profile.presets]
        rows += [{"name": name, "kind": "variation", "hash": ""} for name in profile.variations]
        rows += [{"name": name, "kind": "recording", "hash": voices.resolve(name)} for name in voices.names()]
        if json:
            print_json(rows)
            return
        table = Table("name", "kind", "hash")
        for row in rows:
            table.add_row(row["name"], row["kind"], row["hash"][:16])
        out.print(table)
