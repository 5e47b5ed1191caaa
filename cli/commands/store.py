"""`store`: housekeeping of the artifact store."""

from typing import Annotated

import typer

from cli import context
from cli.errors import JsonOption, out, print_json, reporting_errors
from pipeline.jobs.garbage import collect

app = typer.Typer(no_args_is_help=True, help="Housekeeping of the artifact store.")


@app.command()
def gc(
    days: Annotated[float, typer.Option(help="Remove artifacts older than this that no open job uses.")] = 30,
    keep_gib: Annotated[
        float | None,
        typer.Option(help="Then remove the oldest, if over an hour old, until this size is left."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove old artifacts, except those of open jobs and registered voices."""
    with reporting_errors():
        jobs = context.jobs(context.settings())
        keep = None if keep_gib is None else int(keep_gib * 2**30)
        swept = collect(jobs, older_than_s=days * 86_400, keep_bytes=keep, dry_run=dry_run)
        if json:
            print_json(
                {"removed": swept.removed, "freed_bytes": swept.freed_bytes, "left_bytes": swept.left_bytes}
            )
        else:
            verb = "would remove" if dry_run else "removed"
            freed, left = swept.freed_bytes / 2**20, swept.left_bytes / 2**20
            out.print(
                f"{verb} {swept.removed} artifacts, {freed:.1f} MiB; {left:.1f} MiB left", highlight=False
            )
