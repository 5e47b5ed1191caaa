"""The script of a job, beside its plan: the book's metadata, cover and chapters, and how it was read.

jobs/<job>/book     metadata, chapters and the type of the cover
jobs/<job>/cover    the cover's bytes
jobs/<job>/source   the EPUB, where a read-along book is made of it
jobs/<job>/reading  words given by commands, and options that a changed script needs again
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.canonical_json import canonical_json
from pipeline.script.turns import Said, Script, ScriptChapter, Work
from pipeline.store.artifacts import Store
from pipeline.stored_records import BOOK_VERSION, READING_VERSION, check_version, known


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
        "is_book": script.work is not None,
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


def is_book(store: Store, job: str) -> bool:
    """True if a job's script is a book; of records of earlier releases, if it has a name.

    Raises:
        NewerRecordError: a later release wrote it.
    """
    found = store.get_json(_name(job))
    if found is None:
        return False
    check_version(_name(job), found, BOOK_VERSION)
    return bool(found["is_book"] if "is_book" in found else get_book(store, job)[0] != Work())


@dataclass(frozen=True, slots=True)
class Reading:
    """Record of the reading of a script."""

    said: Mapping[int, tuple[Said, ...]] = field(default_factory=dict)
    """Parts that are spoken in given words, by the turn's index."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that another version of the script needs, so that it is spoken in the same words."""


def put_reading(store: Store, job: str, script: Script, options: Mapping[str, Any]) -> None:
    """Store how a script was read; nothing where its words say all."""
    said = {
        str(index): [[each.start, each.end, each.kind, each.value] for each in turn.said]
        for index, turn in enumerate(script.turns)
        if turn.said
    }
    if said or options:
        store.put_json(
            _reading_name(job), {"version": READING_VERSION, "said": said, "options": dict(options)}
        )


def get_reading(store: Store, job: str) -> Reading:
    """Read how a job's script was read; nothing is known of jobs of earlier releases.

    Raises:
        NewerRecordError: a later release wrote it.
    """
    found = store.get_json(_reading_name(job))
    if found is None:
        return Reading()
    check_version(_reading_name(job), found, READING_VERSION)
    said = {int(turn): tuple(Said(*each) for each in parts) for turn, parts in found["said"].items()}
    return Reading(said, found["options"])


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


def _reading_name(job: str) -> str:
    return f"jobs/{job}/reading"


def _name(job: str) -> str:
    return f"jobs/{job}/book"


def _cover_name(job: str) -> str:
    return f"jobs/{job}/cover"
