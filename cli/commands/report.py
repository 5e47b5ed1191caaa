"""`report`: HTML report of a job."""

from pathlib import Path
from typing import Annotated

import typer

from cli import context
from cli.delivery import Delivery, ForceOption
from cli.errors import Exit, fail, out, reporting_errors


def report(
    job: Annotated[str, typer.Argument(help="Job ID, or its first characters.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Path of the report.")] = Path("report.html"),
    force: ForceOption = False,
) -> None:
    """Write a job's report: timeline, cost of each stage and findings, in one HTML file."""
    from db.queries.jobs import find_jobs
    from db.reports.job_page import page
    from db.reports.job_timeline import load

    with reporting_errors():
        settings = context.settings()
        engine = context.history(settings)
        found = find_jobs(engine, job)
        timeline = load(engine, found[0]) if len(found) == 1 else None
        engine.dispose()
        if len(found) > 1:
            fail(f"{len(found)} job IDs start with {job!r}: {', '.join(found[:5])}", Exit.BAD_INPUT)
        if timeline is None:
            fail(f"the history has no attempts of job {job!r}", Exit.BAD_INPUT)
            return
        delivery = Delivery(context.jobs(settings).store, {output: "report"}, force=force)
        delivery.check()
        delivery.write({output: lambda path: path.write_text(page(timeline), encoding="utf-8")})
        out.print(f"{output}", highlight=False)
