"""`retry`: run a failed or cancelled job again."""

import time
from typing import Annotated

import typer

from cli import context
from cli.broker_retry import BrokerRetry
from cli.commands.jobs import JobArgument, raise_if_refused
from cli.errors import JobFailed, JsonOption, Unreachable, err, out, print_json, reporting_errors
from cli.job_ids import find_job
from cli.submission import ACCEPTED_S
from cli.user import actor
from pipeline.jobs.retries import check_retry


def retry(
    job: JobArgument,
    segment: Annotated[
        int | None, typer.Option("--segment", help="Decode only this failed segment again.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a failed or cancelled job again, or a finished one with gaps. Finished segments remain."""
    with reporting_errors():
        found = context.settings()
        jobs = context.jobs(found)
        name = find_job(jobs, job)
        raise_if_refused(jobs, name)
        check_retry(jobs, jobs.plans.need(name), segment)
        app = context.client(found)
        from tasks.orchestration.actions import retry as send

        result = BrokerRetry(app).call(lambda: send(app, name, segment, actor()))
        if result is None:
            raise Unreachable("the broker does not answer")
        task = str(result.id)
        until = time.monotonic() + ACCEPTED_S
        while not (accepted := jobs.actions.get(name, task) is not None) and time.monotonic() < until:
            if result.failed():
                raise JobFailed(str(result.result))
            time.sleep(0.1)
        if json:
            print_json({"job": name, "task": task, "accepted": accepted})
        else:
            out.print(f"job {name} runs again", highlight=False)
        if not accepted:
            err.print(
                "no worker has accepted the request yet; check that an intake worker is running "
                "(`worker --intake`)",
                style="yellow",
            )
