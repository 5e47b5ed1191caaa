"""`trim`: retention of the history."""

from typing import Annotated

import typer

from cli import context
from cli.errors import JsonOption, out, print_json, reporting_errors


def trim(
    days: Annotated[int, typer.Option(min=1, help="Days to retain attempts.")] = 90,
    sample_days: Annotated[int, typer.Option(min=1, help="Days to retain samples of long attempts.")] = 14,
    json: JsonOption = False,
) -> None:
    """Aggregate the history by the hour and delete old rows, in small steps. Run it once a day.

    The aggregates are permanent (`rollup_hour`, `v_daily`).
    """
    from dataclasses import asdict

    from db import retention

    with reporting_errors():
        engine = context.history(context.settings())
        done = retention.trim(engine, days=days, sample_days=sample_days)
        engine.dispose()
        if json:
            print_json(asdict(done))
        else:
            out.print(
                f"{done.hours_summed} hours aggregated, {done.attempts_deleted} attempts and "
                f"{done.samples_deleted} samples deleted.",
                highlight=False,
            )
