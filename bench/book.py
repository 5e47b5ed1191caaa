"""Cost of a book and of an edit of it: `python -m bench.book [--hours 10]`. The last line is JSON.

An EPUB of forty chapters becomes an M4B, through the reader, the planner, the stages and the stitch, in one
process and without Celery; the engine makes speech-like sound at once. Then one word of a chapter is changed,
and the book is made again: only the segment of the word is decoded again, and only its run is encoded; the
container is written whole. The additional memory is the peak of a fresh process that makes the long book,
over that of one that makes a book of half an hour. The store takes 2 GB.

`--whole` also measures, from the same segments, each file that is encoded whole: its time, and its additional
memory. An edit of such a file takes as long.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from typing import Any

import bench.harness.threads  # noqa: F401 - before numpy
from bench.harness.speech_like import WORDS_PER_S, SpeechLike
from bench.stitch import peak_bytes
from pipeline import finalize, stages
from pipeline.books.reader import read
from pipeline.engines.protocol import Uncontrolled
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import read as read_script
from pipeline.script.turns import Script
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

CHAPTERS = 40
WHOLE: Mapping[str, Mapping[str, Any]] = {
    **{name: {"format": name} for name in ("flac", "wav", "m4b.zip", "mp3.zip", "opus.zip", "flac.zip")},
    "m4b.zip, split": {"format": "m4b.zip", "split_hours": 5.0},
    "m4b, audiobook": {"format": "m4b", "loudness": "audiobook"},
    "m4b, podcast": {"format": "m4b", "loudness": "podcast"},
    "m4b, timed": {"format": "m4b"},
}
"""Files that are encoded whole, by the options of their job; those with a loudness in two passes."""
TIMED = "m4b, timed"
_M4B: Mapping[str, Any] = {"format": "m4b"}
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


def timed(hours: float) -> bytes:
    """Subtitles of that length, whose cues begin at their times."""
    cue_s = 2 * _SENTENCE_WORDS / WORDS_PER_S
    cues = [
        f"{number + 1}\n{_cue_time(number * cue_s)} --> {_cue_time((number + 0.5) * cue_s)}\n"
        f"{_SENTENCE.format(number, number)}\n"
        for number in range(max(1, round(hours * 3600 / cue_s)))
    ]
    return "\n".join(cues).encode()


def _cue_time(time_s: float) -> str:
    seconds, milliseconds = divmod(round(time_s * 1000), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{milliseconds:03d}"


def make(jobs: Jobs, script: Script, options: Mapping[str, Any] = _M4B) -> dict[str, Any]:
    """Make a file; segments that exist are not decoded again."""
    wall, cpu = time.perf_counter(), time.process_time()
    own, rest = split_options({"engine": "speech-like", **options}, engine="speech-like")
    engine = SpeechLike()
    request = checked(script, {}, own, rest, engine=engine, registered=Voices(jobs.store))
    plan = jobs.plans.create(request, engine.profile)
    missing = jobs.artifacts.missing(plan)
    for index in missing:
        work = SegmentWork(jobs.store, plan, jobs.plans.segment(plan.job, index), engine)
        stages.prepare(work)
        stages.diffusion(work, Uncontrolled())
    decoded_s, joined_cpu = time.perf_counter() - wall, time.process_time()
    manifest = finalize.finish(jobs, plan, engine.profile, Uncontrolled())
    return {
        "audio_s": manifest["duration_s"],
        "bytes": manifest["audio"]["bytes"],
        "audio": manifest["audio"]["name"],
        "segments": plan.segments,
        "decoded": len(missing),
        "decoded_wall_s": decoded_s,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "joined_cpu_s": time.process_time() - joined_cpu,
    }


def in_this_process(hours: float, folder: str) -> dict[str, Any]:
    """Make a book and its edit; returns figures of both, and the peak memory."""
    jobs = Jobs(Store(folder))
    books = epub(hours), epub(hours, "Nevertheless")
    first, again = (make(jobs, read(book)) for book in books)
    return {"first": first, "again": again, "peak_bytes": peak_bytes()}


def whole_in_this_process(hours: float, folder: str, name: str) -> dict[str, Any]:
    """Write one of the files that are encoded whole, which is removed again."""
    jobs = Jobs(Store(folder))
    script = read_script(timed(hours), timed=True) if name == TIMED else read(epub(hours))
    figures = make(jobs, script, WHOLE[name])
    jobs.store.objects.delete(figures["audio"])
    return {**figures, "peak_bytes": peak_bytes()}


def in_a_fresh_process(hours: float, folder: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.book", "--make", folder, "--hours", str(hours), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def whole(hours: float, long: str, short: str) -> dict[str, dict[str, float]]:
    """Time of each file that is encoded whole, from finished segments, and its additional memory.

    Args:
        long, short: stores in which the books were made.
    """
    found = {}
    for name in WHOLE:
        if name == TIMED:  # its segments are those of no book
            in_a_fresh_process(hours, long, "--only", name)
            in_a_fresh_process(_SHORT_HOURS, short, "--only", name)
        made = in_a_fresh_process(hours, long, "--only", name)
        small = in_a_fresh_process(_SHORT_HOURS, short, "--only", name)
        found[name] = {
            "wall_s": round(made["wall_s"] - made["decoded_wall_s"], 1),
            "cpu_s": round(made["joined_cpu_s"], 1),
            "bytes": made["bytes"],
            "rss_growth_bytes": made["peak_bytes"] - small["peak_bytes"],
        }
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--whole", action="store_true", help="measure the files that are encoded whole, too")
    parser.add_argument("--make", metavar="FOLDER", help="make a book in this process")
    parser.add_argument("--only", choices=WHOLE, help="make this file in this process")
    given = parser.parse_args()
    if given.make:
        made = (
            whole_in_this_process(given.hours, given.make, given.only)
            if given.only
            else in_this_process(given.hours, given.make)
        )
        print(json.dumps(made))
        return
    with tempfile.TemporaryDirectory(prefix="voxchord-bench-") as folder:
        _measure(given.hours, f"{folder}/long", f"{folder}/short", and_whole=given.whole)


def _measure(hours: float, long_store: str, short_store: str, *, and_whole: bool) -> None:
    """Print the figures as JSON."""
    long = in_a_fresh_process(hours, long_store)
    short = in_a_fresh_process(_SHORT_HOURS, short_store)
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
                **({"whole": whole(hours, long_store, short_store)} if and_whole else {}),
            }
        )
    )


if __name__ == "__main__":
    main()
