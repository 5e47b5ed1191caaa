"""`report`: HTML report of a job, or a comparison of two jobs or releases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import context
from cli.errors import Exit, fail, out, reporting_errors
from cli.output import ForceOption
from pipeline.delivery.delivery import Delivery
from pipeline.errors import OptionError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def report(
    job: Annotated[str, typer.Argument(help="Job ID, or its first characters; with --with also a release.")],
    other: Annotated[
        str | None, typer.Option("--with", metavar="JOB", help="Compare with this job, or this release.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Path of the report.")] = Path("report.html"),
    force: ForceOption = False,
) -> None:
    """Write a job's report, or a comparison side by side, to one HTML file.

    The report has a timeline, the cost of each stage and findings.
    """
    with reporting_errors():
        settings = context.settings()
        engine = context.history(settings)
        try:
            text = _report(engine, job) if other is None else _comparison(engine, job, other)
        finally:
            engine.dispose()
        delivery = Delivery(context.jobs(settings).store, {output: "report"}, force=force)
        delivery.check()
        delivery.write({output: lambda path: path.write_text(text, encoding="utf-8")})
        out.print(f"{output}", highlight=False)


def _report(engine: "Engine", job: str) -> str:
    from db.reports.job_page import page
    from db.reports.job_timeline import load

    found = _job(engine, job)
    timeline = load(engine, found) if found else None
    if timeline is None:
        raise OptionError("job", f"the history has no attempts of job {job!r}")
    return page(timeline)


def _comparison(engine: "Engine", a: str, b: str) -> str:
    from db.reports.comparison_page import page

    first, second = _job(engine, a), _job(engine, b)
    text = page(engine, first, second) if first and second else page(engine, a, b, releases=True)
    if text is None:
        raise OptionError("with", f"the history has neither jobs nor releases {a!r} and {b!r}")
    return text


def _job(engine: "Engine", start: str) -> str | None:
    """The job whose ID starts with these characters; None if there is none."""
    from db.queries.jobs import find_jobs

    found = find_jobs(engine, start)
    if len(found) > 1:
        fail(f"{len(found)} job IDs start with {start!r}: {', '.join(found[:5])}", Exit.BAD_INPUT)
    return found[0] if found else None
