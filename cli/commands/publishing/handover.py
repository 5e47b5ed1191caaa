"""`handover`: a finished job to the players that the settings name."""

from typing import Annotated

import typer

from cli import context
from cli.commands.jobs import JobArgument, finished_manifest, raise_if_refused
from cli.errors import JobFailed, err, out, reporting_errors
from cli.job_ids import find_job
from pipeline.errors import OptionError
from pipeline.file_formats import RAW


def handover(
    job: JobArgument,
    revision: Annotated[
        int | None, typer.Option(help="Revision of the file; by default the newest one, 0 is the first.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a book of that title which voxchord did not put there.")
    ] = False,
) -> None:
    """Put a finished job into the watched folder, and upload it to Audiobookshelf, as the settings say."""
    from tasks.handover.receivers import receivers
    from tasks.notification.errors import NotDeliveredError

    with reporting_errors():
        found = context.settings()
        jobs = context.jobs(found)
        name = find_job(jobs, job)
        raise_if_refused(jobs, name)
        manifest = finished_manifest(jobs, name, revision)
        if manifest["file_format"] == RAW:
            raise OptionError("format", f"job {name} has raw samples, which no player reads")
        named = list(receivers(found))
        if not named:
            raise OptionError("VOXCHORD_LIBRARY", "or VOXCHORD_AUDIOBOOKSHELF_URL has to name a receiver")
        plan, failed = jobs.plans.need(name), 0
        for _, hand_over in named:
            try:
                out.print(hand_over(jobs, plan, manifest, force), highlight=False, soft_wrap=True)
            except NotDeliveredError as error:
                failed += 1
                err.print(f"[red]not handed over:[/] {error}", highlight=False, soft_wrap=True)
        if failed:
            raise JobFailed(f"{failed} of {len(named)} receivers did not take job {name}; run it again")
