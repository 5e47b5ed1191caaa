"""Read-along books of jobs: the finished audio and its word times, put into the EPUB they were made from."""

import hashlib
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.books.read_along.book import write_read_along
from pipeline.books.read_along.timing import SpokenWord
from pipeline.file_formats import READ_ALONG, sound_of
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.stitching.mixer import Stitched


def sound_format(plan: Plan) -> str:
    """Format in which a job's audio is joined."""
    return sound_of(READ_ALONG) if plan.options.format == READ_ALONG else plan.options.format


def finished_file(jobs: Jobs, plan: Plan, stitched: Stitched, sound: Path, out: Path) -> Stitched:
    """Put the audio of a job into its file, which is the audio itself unless it is a read-along book.

    Args:
        sound: the audio.
        out: path of the file; may be that of the audio.

    Raises:
        MissingArtifactError: the source of the book is lost.
    """
    if plan.options.format != READ_ALONG:
        if sound != out:
            sound.replace(out)
        return stitched
    lines = {turn.turn: turn.source_line for turn in stitched.turns}
    spoken: dict[int, list[SpokenWord]] = defaultdict(list)
    for word in stitched.words:
        spoken[lines[word.turn]].append(SpokenWord(word.word, word.start_s, word.end_s))
    modified = datetime.fromtimestamp(int(plan.created_s), UTC)
    write_read_along(
        out,
        jobs.plans.source(plan.job),
        sound,
        spoken,
        duration_s=stitched.duration_s,
        modified=f"{modified:%Y-%m-%dT%H:%M:%SZ}",
    )
    sound.unlink()
    with out.open("rb") as finished:
        digest = hashlib.file_digest(finished, "sha256").hexdigest()
    return replace(stitched, sha256=digest, bytes=out.stat().st_size)
