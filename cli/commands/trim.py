"""`trim`: keep the history small."""

from typing import Annotated

import typer

from cli import context
from cli.errors import out, print_json, told


def trim(
    days: Annotated[int, typer.Option(min=1, help="Keep single attempts for so many days.")] = 90,
    sample_days: Annotated[int, typer.Option(min=1, help="Keep the samples of long attempts so long.")] = 14,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Sum the history up by the hour and delete what is old, in small steps; run it once a day.

    The sums stay for ever (`rollup_hour`, `v_daily`).
    """
    from dataclasses import asdict

    from db import retention

    with told():
        engine = context.history(context.settings())
        done = retention.trim(engine, days=days, sample_days=sample_days)
        engine.dispose()
        if json:
            print_json(asdict(done))
        else:
            out.print(
                f"{done.hours_summed} hours summed up, {done.attempts_deleted} attempts and "
                f"{done.samples_deleted} samples deleted.",
                highlight=False,
            )
