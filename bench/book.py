"""Cost of a book and of an edit of it: `python -m bench.book [--hours 10]`. The last line is JSON.

An EPUB of forty chapters becomes an M4B, through the reader, the planner, the stages and the stitch, in one
process and without Celery; the engine makes speech-like sound at once. Then one word of a chapter is changed,
and the book is made again: only the segment of the word is decoded again, and only its run is encoded; the
container is written whole. The additional memory is the peak of a fresh process that makes the long book,
over that of one that makes a book of half an hour. The store takes 2 GB.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import Any

import bench.harness.threads  # noqa: F401 - before numpy
from bench.harness.speech_like import WORDS_PER_S, SpeechLike
from bench.stitch import peak_bytes
from pipeline import finalize, stages
from pipeline.books.reader import read
from pipeline.engines.protocol import Uncontrolled
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

CHAPTERS = 40
_SHORT_HOURS = 0.5
_SENTENCE = "The tide of day {} had gone out further than anybody could remember, past boat {}."
_SENTENCE_WORDS = 15
_SENTENCES = 8
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book.opf"/></rootfiles></container>'
)


def epub(hours: float, changed: str = "") -> bytes:
    """A book of that length.

    Args:
        changed: a word in the middle of the middle chapter.
    """
    paragraphs = max(1, round(hours * 3600 * WORDS_PER_S / CHAPTERS / _SENTENCE_WORDS / _SENTENCES))
    pages = {}
    for chapter in range(CHAPTERS):
        texts = [
            " ".join(_SENTENCE.format(chapter * paragraphs + number, each) for each in range(_SENTENCES))
            for number in range(paragraphs)
        ]
        if changed and chapter == CHAPTERS // 2:
            texts[paragraphs // 2] = f"{texts[paragraphs // 2]} {changed}."
        body = "".join(f"<p>{text}</p>" for text in texts)
        pages[f"c{chapter:02d}.xhtml"] = f"<html><body><h1>Chapter {chapter + 1}</h1>{body}</body></html>"
    items = "".join(f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in pages)
    spine = "".join(f'<itemref idref="{name}"/>' for name in pages)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A long book</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, text in {"META-INF/container.xml": _CONTAINER, "book.opf": package, **pages}.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def make(jobs: Jobs, book: bytes) -> dict[str, Any]:
    """Make a book; segments that exist are not decoded again."""
    wall, cpu = time.perf_counter(), time.process_time()
    options, rest = split_options({"engine": "speech-like", "format": "m4b"}, engine="speech-like")
    engine = SpeechLike()
    request = checked(read(book), {}, options, rest, engine=engine, registered=Voices(jobs.store))
    plan = jobs.plans.create(request, engine.profile)
    missing = jobs.artifacts.missing(plan)
    for index in missing:
        work = SegmentWork(jobs.store, plan, jobs.plans.segment(plan.job, index), engine)
        stages.text(work)
        stages.semantic(work)
        stages.speaker(work)
        stages.diffusion(work, Uncontrolled())
    decoded_s = time.perf_counter() - wall
    manifest = finalize.finish(jobs, plan, engine.profile, Uncontrolled())
    return {
        "audio_s": manifest["duration_s"],
        "bytes": manifest["audio"]["bytes"],
        "segments": plan.segments,
        "decoded": len(missing),
        "decoded_wall_s": decoded_s,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
    }


def in_this_process(hours: float, folder: str) -> dict[str, Any]:
    """Make a book and its edit; returns figures of both, and the peak memory."""
    jobs = Jobs(Store(folder))
    books = epub(hours), epub(hours, "Nevertheless")
    first, again = (make(jobs, book) for book in books)
    return {"first": first, "again": again, "peak_bytes": peak_bytes()}


def in_a_fresh_process(hours: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="voxchord-bench-") as folder:
        command = [sys.executable, "-m", "bench.book", "--make", folder, "--hours", str(hours)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--make", metavar="FOLDER", help="make a book in this process")
    given = parser.parse_args()
    if given.make:
        print(json.dumps(in_this_process(given.hours, given.make)))
        return
    long, short = in_a_fresh_process(given.hours), in_a_fresh_process(_SHORT_HOURS)
    first, again = long["first"], long["again"]
    print(
        json.dumps(
            {
                "audio_s": round(first["audio_s"], 1),
                "bytes": first["bytes"],
                "segments": first["segments"],
                "segments_decoded_again": again["decoded"],
                "first_wall_s": round(first["wall_s"], 1),
                "first_cpu_s": round(first["cpu_s"], 1),
                "again_wall_s": round(again["wall_s"], 1),
                "again_cpu_s": round(again["cpu_s"], 1),
                "again_plan_wall_s": round(again["decoded_wall_s"], 1),
                "rss_growth_bytes": long["peak_bytes"] - short["peak_bytes"],
            }
        )
    )


if __name__ == "__main__":
    main()
