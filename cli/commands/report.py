"""`report`: what a job cost and why, as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from cli import context
from cli.errors import Exit, fail, out, told


def report(
    job: Annotated[str, typer.Argument(help="The job's id, or the first characters of it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("report.html"),
) -> None:
    """Write a job's report: a timeline, what each stage cost, and advice. One file, no network needed."""
    from db.queries.jobs import find_jobs
    from db.reports.job_page import page
    from db.reports.job_timeline import tell

    with told():
        engine = context.history(context.settings())
        found = find_jobs(engine, job)
        story = tell(engine, found[0]) if len(found) == 1 else None
        engine.dispose()
        if len(found) > 1:
            fail(f"{job!r} begins the ids of {len(found)} jobs: {', '.join(found[:5])}", Exit.BAD_INPUT)
        if story is None:
            fail(f"the history has no attempts of a job {job!r}", Exit.BAD_INPUT)
            return
        try:
            output.write_text(page(story), encoding="utf-8")
        except OSError as error:
            fail(f"can't write {output}: {error.strerror}", Exit.BAD_INPUT)
        out.print(f"{output}", highlight=False)
