"""The book of a job: its metadata, cover and chapters, stored beside the plan.

jobs/<job>/book    metadata, chapters and the type of the cover
jobs/<job>/cover   the cover's bytes
jobs/<job>/source  the EPUB, where a read-along book is made of it
"""

from dataclasses import asdict
from typing import Any

from pipeline.canonical_json import canonical_json
from pipeline.script.turns import Script, ScriptChapter, Work
from pipeline.store.artifacts import Store
from pipeline.stored_records import BOOK_VERSION, check_version, known


def put_book(store: Store, job: str, script: Script) -> None:
    """Store the chapters of a script, and what is known of its book; nothing for a script without either."""
    if not script.chapters and script.work is None:
        return
    work = script.work or Work()
    if work.cover:
        store.put(_cover_name(job), work.cover)
    record: dict[str, Any] = {
        "version": BOOK_VERSION,
        "chapters": [asdict(chapter) for chapter in script.chapters],
        "work": work.record(),
    }
    store.put(_name(job), canonical_json(record))


def get_book(store: Store, job: str) -> tuple[Work, tuple[ScriptChapter, ...]]:
    """Read the book of a job; an empty one if it has none. A cover that is lost is left out.

    Raises:
        NewerRecordError: a later release wrote it.
    """
    found = store.get_json(_name(job))
    if found is None:
        return Work(), ()
    check_version(_name(job), found, BOOK_VERSION)
    cover = (store.get(_cover_name(job)) or b"") if found["work"]["cover"] else b""
    work = known(Work, {**found["work"], "authors": tuple(found["work"]["authors"]), "cover": cover})
    return work, tuple(known(ScriptChapter, chapter) for chapter in found["chapters"])


def put_source(store: Store, job: str, script: Script) -> None:
    """Store the EPUB of which a read-along book is made."""
    store.put(_source_name(job), script.source)


def need_source(store: Store, job: str) -> bytes:
    """Read the EPUB of a read-along book.

    Raises:
        MissingArtifactError: it is lost.
    """
    return store.need(_source_name(job))


def _source_name(job: str) -> str:
    return f"jobs/{job}/source"


def _name(job: str) -> str:
    return f"jobs/{job}/book"


def _cover_name(job: str) -> str:
    return f"jobs/{job}/cover"
