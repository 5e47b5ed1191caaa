"""Tests of the records of a check."""

import json

import pytest

from pipeline.canonical_json import canonical_json
from pipeline.checking.records import Checked, Finding, WordTime, checked_of
from pipeline.errors import NewerRecordError

LONG = Finding("length", None, None, None, value=3.0, limit=2.0, fails=True)
QUIET = Finding("silence", 1, 2.0, 5.5, value=3.5, limit=3.0, fails=False)


def test_a_stored_verdict_is_read_back_as_it_was() -> None:
    checked = Checked((LONG, QUIET), 0.25, "abc", (WordTime(0, 1, 0.5, 0.75, None),), {"wer": 0.02})
    assert checked_of("v", json.loads(canonical_json(checked.record()))) == checked


def test_fields_of_a_later_release_are_ignored() -> None:
    record = Checked((LONG,), 0.5).record()
    record["mood"] = "glad"
    record["findings"][0]["mood"] = "glad"
    record["word_columns"] = ["line", "word", "start_s", "end_s", "confidence", "mood"]
    record["words"] = [[0, 0, 0.0, 0.5, 0.9, "glad"]]
    assert checked_of("v", record) == Checked((LONG,), 0.5, "", (WordTime(0, 0, 0.0, 0.5, 0.9),))


def test_a_later_version_is_refused() -> None:
    with pytest.raises(NewerRecordError):
        checked_of("v", {**Checked().record(), "version": 2})


def test_a_finding_that_is_only_reported_does_not_fail_the_take() -> None:
    assert not Checked((QUIET,)).fails
    assert Checked((QUIET, LONG)).fails
