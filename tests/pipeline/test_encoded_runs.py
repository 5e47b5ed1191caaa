"""Encoded runs in the store: shared by jobs, and removed as other artifacts are."""

from pathlib import Path

import pytest

from bench.book import CHAPTERS, epub, make
from pipeline.books.reader import read
from pipeline.jobs.garbage import collect
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store

HOURS = 0.1


def stored(jobs: Jobs) -> list[str]:
    return [name for name, _, _ in jobs.store.objects.names("encoded")]


@pytest.mark.slow
def test_an_edit_encodes_one_chapter_and_collected_runs_are_made_again(tmp_path: Path) -> None:
    jobs = Jobs(Store(str(tmp_path)))
    first = make(jobs, read(epub(HOURS)))
    names = stored(jobs)
    assert len(names) == CHAPTERS

    assert make(jobs, read(epub(HOURS, "Nevertheless")))["decoded"] == 1
    assert len(stored(jobs)) == CHAPTERS + 1

    swept = collect(jobs, older_than_s=-1)
    assert not stored(jobs)
    assert swept.freed_bytes > first["bytes"]
    assert make(jobs, read(epub(HOURS)))["bytes"] == first["bytes"]
    assert sorted(stored(jobs)) == sorted(names)
