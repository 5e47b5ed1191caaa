"""`chapters`: the chapters of a book, and which of them are read."""

from typing import Any

from rich.markup import escape

from cli import context
from cli.errors import JsonOption, err, out, print_json, reporting_errors
from cli.scripts import ChaptersOption, EncodingOption, FormOption, ScriptArgument, chapter_table, read_source
from pipeline.books.chapter_list import ListedChapter, book_record
from pipeline.books.reader import read_book
from pipeline.engines.registry import Engines
from pipeline.planning.request import ReadingOptions


def chapters(
    book: ScriptArgument,
    chosen: ChaptersOption = None,
    form: FormOption = None,
    encoding: EncodingOption = None,
    json: JsonOption = False,
) -> None:
    """Show the chapters of a book with their numbers, words and minutes, and which of them are read.

    Front and back matter is left out unless `--chapters` names it.
    """
    with reporting_errors():
        found = context.settings()
        document = read_book(read_source(book, ReadingOptions()).data, form, encoding=encoding)
        engine = Engines(found.engines).load(found.engine, found.checkpoint(found.model or None))
        record = book_record(document, chosen, engine.profile.words_per_s)
        if json:
            print_json(record)
        else:
            _show(record)


def _show(record: dict[str, Any]) -> None:
    series = f", {record['series']} {record['series_position']}".rstrip() if record["series"] else ""
    by = f" by {', '.join(record['authors'])}" if record["authors"] else ""
    out.print(f"{escape(record['title'] or 'Untitled')}{escape(by)}{escape(series)}", highlight=False)
    out.print(chapter_table(ListedChapter(**chapter) for chapter in record["chapters"]))
    if record["left_out"]:
        counts = ", ".join(f"{count:,} x {kind}" for kind, count in sorted(record["left_out"].items()))
        out.print(f"left out within chapters: {counts}", highlight=False)
    for notice in record["notices"]:
        err.print(f"[yellow]notice:[/] {escape(notice)}", highlight=False)
