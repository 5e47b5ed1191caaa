"""`bundle`: archive for a bug report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import bundle as bundles
from cli import context
from cli.commands.jobs import JobArgument
from cli.errors import err, out, reporting_errors
from cli.job_ids import find_job
from cli.output import ForceOption
from pipeline.delivery.delivery import Delivery
from tasks.settings import Settings


def bundle(
    job: JobArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Path of the archive, .tar.gz.")],
    force: ForceOption = False,
) -> None:
    """Write an archive for a bug report, without words of the script, names and passwords.

    It has plan, state, manifest, rows of the history, settings, versions, and logs on this machine.
    """
    with reporting_errors():
        found = context.settings()
        jobs = context.jobs(found)
        name = find_job(jobs, job)
        delivery = Delivery(jobs.store, {output: "bundle"}, force=force)
        delivery.check()
        contents = list(bundles.contents(found, jobs, name, _rows(found, name)))
        secrets = bundles.secrets_of(found, jobs.plans.get(name))
        delivery.write({output: lambda path: bundles.write(path, contents, secrets)})
        out.print(f"{output}", highlight=False, soft_wrap=True)
        err.print("Read it before you send it: reasons of failures and file paths are in it.", style="dim")


def _rows(found: Settings, job: str) -> dict[str, list[dict[str, Any]]]:
    from sqlalchemy.exc import SQLAlchemyError

    from db.queries.jobs import rows_of

    engine = context.history_that_answers(found)
    if engine is None:
        return {}
    try:
        return rows_of(engine, job)
    except SQLAlchemyError:
        return {}
    finally:
        engine.dispose()
