"""`feed`: an RSS feed of finished jobs, with their files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from cli import context
from cli.commands.jobs import finished_manifest, raise_if_refused
from cli.errors import out, reporting_errors
from cli.job_ids import find_job
from cli.output import ForceOption
from pipeline.delivery.delivery import Delivery
from pipeline.delivery.job_files import Content, copy_artifact
from pipeline.errors import OptionError
from pipeline.jobs.jobs import Jobs

if TYPE_CHECKING:
    from pipeline.delivery.feed import Channel, Episode


def feed(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB…", help="Job IDs, or their first characters.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder that a web server publishes.")],
    base_url: Annotated[
        str, typer.Option("--base-url", help="Address at which the folder is published.", metavar="URL")
    ],
    title: Annotated[str, typer.Option(help="Title; by default the first job's series or title.")] = "",
    description: Annotated[str, typer.Option(help="Description of the feed.")] = "",
    author: Annotated[str, typer.Option(help="Author; by default the first job's.")] = "",
    language: Annotated[str, typer.Option(help="Language tag; by default the first job's, or `en`.")] = "",
    category: Annotated[str, typer.Option(help="Category of Apple Podcasts.")] = "Arts/Books",
    explicit: Annotated[bool, typer.Option("--explicit", help="Mark the feed as explicit.")] = False,
    force: ForceOption = False,
) -> None:
    """Write a podcast feed of finished jobs into a folder: `feed.xml`, audio, chapters, covers, transcripts.

    Run it again with all jobs to add one; files of jobs that are no longer named are removed.
    """
    from pipeline.delivery.feed import FEED, Channel

    with reporting_errors():
        _check_base_url(base_url)
        found = context.jobs(context.settings())
        made = [_finished(found, name) for name in dict.fromkeys(find_job(found, job) for job in jobs)]
        first = made[0][0]
        channel = Channel(
            base_url,
            title or first.series or first.title,
            description,
            author or first.author,
            language or first.language or "en",
            category,
            explicit,
        )
        contents = _contents(found, channel, made)
        delivery = Delivery(
            found.store,
            {output / name: "a file of the feed" for name in contents},
            folder=output,
            mixes=lambda name: False,
            force=force,
        )
        delivery.check()
        delivery.write({output / name: content for name, content in contents.items()})
        out.print(f"{output / FEED}: {channel.url(FEED)}", highlight=False, soft_wrap=True)


def _check_base_url(text: str) -> None:
    """
    Raises:
        OptionError: no name of a file can be appended to it.
    """
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets that are no IPv6 address
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise OptionError("base-url", f"{text!r} is no http or https address")
    if parts.query or parts.fragment or not text.isprintable() or " " in text:
        reason = f"{text!r} is not that of a folder; take out spaces (%20), the query and the fragment"
        raise OptionError("base-url", reason)


def _finished(jobs: Jobs, job: str) -> tuple["Episode", dict[str, Any]]:
    """Episode and manifest of a job.

    Raises:
        JobFailed: it is not finished.
        OptionError: its format is none of an episode.
    """
    from pipeline.delivery.feed import ENCLOSURES, episode

    raise_if_refused(jobs, job)
    manifest = finished_manifest(jobs, job)
    if manifest["file_format"] not in ENCLOSURES:
        known = ", ".join(ENCLOSURES)
        raise OptionError("job", f"job {job} has format {manifest['file_format']}, not one of {known}")
    return episode(jobs, jobs.plans.need(job), manifest), manifest


def _contents(
    jobs: Jobs, channel: "Channel", made: Sequence[tuple["Episode", dict[str, Any]]]
) -> dict[str, Content]:
    """Files of a feed by their names; the document is the last one, so that it names what is there."""
    from pipeline.delivery.feed import FEED, chapters_json
    from pipeline.delivery.feed import feed as document

    contents: dict[str, Content] = {}
    for each, manifest in made:
        contents[each.audio] = partial(copy_artifact, jobs, manifest, manifest["audio"])
        contents[each.transcript] = partial(copy_artifact, jobs, manifest, manifest["subtitles"]["vtt"])
        if each.chapters:
            contents[each.chapter_list] = partial(_write, chapters_json(each))
        if each.cover_type:
            contents[each.cover] = partial(_write_cover, jobs, each.job)
    contents[FEED] = partial(_write, document(channel, [each for each, _ in made]))
    return contents


def _write_cover(jobs: Jobs, job: str, path: Path) -> None:
    work, _ = jobs.plans.book(job)
    path.write_bytes(work.cover)


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)
