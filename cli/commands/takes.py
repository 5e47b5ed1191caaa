"""`takes`, `retake`, `pick`, `listen`: takes of a job's segments, by hand."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cli import context
from cli.commands.jobs import JobArgument
from cli.errors import JobFailed, JsonOption, out, print_json, reporting_errors
from cli.job_ids import find_job
from cli.output import ForceOption, format_of
from cli.submission import read_option
from pipeline.delivery.delivery import Delivery
from pipeline.errors import OptionError
from pipeline.jobs.artifacts import read_samples
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.takes import Takes
from pipeline.views.take_list import ListedTake, listed_takes, used_take

SegmentArgument = Annotated[int, typer.Argument(help="Index of the segment, from 0.")]


def list_takes(job: JobArgument, segment: SegmentArgument, json: JsonOption = False) -> None:
    """List the takes of a segment with their scores and findings."""
    with reporting_errors():
        store = context.jobs(context.settings())
        _, takes = _takes(store, job, segment)
        rows = [_row(each) for each in listed_takes(store, takes)]
        if json:
            print_json(rows)
            return
        table = Table()
        for column in ("take", "made by", "seed", "options", "seconds", "score", "findings", "used"):
            table.add_column(column)
        for row in rows:
            table.add_row(*(_shown(row[column]) for column in _COLUMNS))
        out.print(table)


def retake(
    job: JobArgument,
    segment: SegmentArgument,
    seed: Annotated[int | None, typer.Option(help="Seed of the noise; another one by default.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Option of the engine that the take changes."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make another take of a segment. `pick` puts it into the file."""
    with reporting_errors():
        found = context.settings()
        name, _ = _takes(context.jobs(found), job, segment)
        changed = dict(read_option(text) for text in option or [])
        kwargs = {"job": name, "segment": segment, "seed": seed, "options": changed}
        made = context.answer(found, "voxchord.retake", "voxchord", kwargs)
        if not made.get("ok"):
            raise JobFailed(f"the take could not be made: {made.get('error')}")
        if json:
            print_json(made)
        else:
            out.print(f"take {made['take']}   (`listen {name} {segment} --take {made['take']} -o FILE`)")


def pick(
    job: JobArgument,
    segment: SegmentArgument,
    take: Annotated[int, typer.Argument(help="Number of the take, as `takes` lists it.")],
    json: JsonOption = False,
) -> None:
    """Choose a take of a finished job. The file is joined anew, as another revision beside the old one."""
    with reporting_errors():
        found = context.settings()
        name, _ = _takes(context.jobs(found), job, segment)
        kwargs = {"job": name, "segment": segment, "take": take}
        manifest = context.answer(found, "voxchord.pick", "cpu.stitch", kwargs)
        if json:
            print_json(manifest)
        else:
            out.print(f"revision {manifest['revision']}   (`fetch {name} -o FILE` copies the newest one)")


def listen(
    job: JobArgument,
    segment: SegmentArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Path of the audio file.")],
    take: Annotated[int | None, typer.Option(help="Number of the take; by default the one in use.")] = None,
    force: ForceOption = False,
) -> None:
    """Write one take of a segment to an audio file, as it was decoded: neither levelled nor limited."""
    with reporting_errors():
        store = context.jobs(context.settings())
        _, takes = _takes(store, job, segment)
        number = used_take(store, takes) if take is None else take
        audio = None if number is None else store.artifacts.audio(takes.segment, number)
        if number is None or audio is None:
            raise OptionError(
                "take", f"segment {segment} has no finished take {take if take is not None else ''}"
            )
        file_format = format_of(output)
        delivery = Delivery(store.store, {output: "audio"}, force=force)
        delivery.check()
        samples = read_samples(store.store, takes.segment.key, number)
        rate_hz = audio.sample_rate_hz
        delivery.write({output: partial(_encode, samples, file_format, rate_hz)})
        out.print(f"{output}: take {number}, {len(samples) / rate_hz:.1f} s", highlight=False, soft_wrap=True)


_COLUMNS = ("take", "by", "seed", "options", "seconds", "score", "findings", "used")


def _takes(store: Jobs, job: str, segment: int) -> tuple[str, Takes]:
    """Job ID, and the takes of one of its segments.

    Raises:
        OptionError: no such job or segment.
    """
    name = find_job(store, job)
    plan = store.plans.need(name)
    if not 0 <= segment < plan.segments:
        raise OptionError("segment", f"job {name} has segments 0 to {plan.segments - 1}")
    return name, store.takes(plan, segment)


def _row(listed: ListedTake) -> dict[str, Any]:
    row = asdict(listed)
    return {**{name: row[name] for name in _COLUMNS}, "findings": list(listed.findings)}


def _encode(samples: Any, file_format: str, rate_hz: int, path: Path) -> None:
    from pipeline.stitching import encoders

    with encoders.writer(path, file_format, sample_rate_hz=rate_hz, samples=len(samples)) as file:
        file.write(encoders.pcm(samples))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(value)
    return "" if value is None else str(value)
