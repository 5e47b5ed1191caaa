"""The Typer app with all commands."""

import logging
import signal

import typer

from cli.commands import (
    bundle,
    dead_letter,
    doctor,
    jobs,
    keys,
    render,
    report,
    retry,
    service,
    stats,
    store,
    takes,
    trim,
    voices,
)
from cli.commands.inspection import chapters, check, diff, say
from cli.commands.publishing import feed, handover
from pipeline.delivery.permissions import make_private

app = typer.Typer(
    name="voxchord",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="Render long multi-speaker scripts to one audio file.\n\n"
    "Start with `render examples/radio_play.txt -o out/radio_play.flac`. "
    "`up` runs the whole service on this machine; `doctor` checks the configuration.",
)

app.command()(render.render)
app.command()(say.say)
app.command()(check.check)
app.command()(chapters.chapters)
app.command()(service.up)
app.command()(service.worker)
app.command()(service.flower)
app.command()(service.serve)
app.command()(jobs.submit)
app.command("jobs")(jobs.list_jobs)
app.command()(jobs.status)
app.command()(jobs.fetch)
app.command()(handover.handover)
app.command()(feed.feed)
app.command()(jobs.cancel)
app.command()(retry.retry)
app.command()(bundle.bundle)
app.command("takes")(takes.list_takes)
app.command()(takes.retake)
app.command()(takes.pick)
app.command()(takes.listen)
app.command()(diff.diff)
app.command()(stats.stats)
app.command()(report.report)
app.command()(trim.trim)
app.command()(doctor.doctor)
app.add_typer(voices.app, name="voices")
app.add_typer(keys.app, name="keys")
app.add_typer(store.app, name="store")
app.add_typer(dead_letter.app, name="dead-letter")


def main() -> None:
    """Run the command line."""
    make_private()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops as cleanly as Ctrl-C does
    logging.basicConfig(level=logging.WARNING)
    app()
