"""Two releases side by side: records and messages of a later one are read, or left to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import Arrays
from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Uncontrolled
from pipeline.errors import NewerRecordError, PipelineError, SegmentError, StoreError
from pipeline.finalize import finish
from pipeline.jobs.artifacts import put_audio, read_samples, stage_name
from pipeline.jobs.jobs import Jobs
from pipeline.planning.records import SegmentAudio, Span
from pipeline.store.artifacts import Store
from pipeline.stored_records import (
    FAILURE_VERSION,
    MANIFEST_VERSION,
    PLAN_VERSION,
    PLAN_VERSION_RATES,
    SEGMENT_VERSION,
)
from tests.golden.ten_segments import JOB, PROFILE, REQUEST, segments

SAMPLES = (0.1 * np.sin(np.arange(400) * 0.3)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store of a planned job, as this release writes it."""
    written = Store(str(tmp_path / "written"))
    Jobs(written).plans.create(REQUEST, PROFILE)
    store = Store(str(tmp_path / "read"))  # plans and pages that were read are held by the store's URL
    for name, _, _ in list(written.objects.names()):
        store.objects.replace(name, written.objects.read(name) or b"")
    return store


def changed(store: Store, name: str, change: Callable[[Any], None]) -> None:
    record = json.loads(store.need(name))
    change(record)
    store.overwrite(name, canonical_json(record))


def audio_of(text: str) -> SegmentAudio:
    span = Span(start=0, samples=400, line=0, lines=1, text=text, lufs=-20.5, true_peak=0.1)
    return SegmentAudio(8000, 400, (span,))


def test_records_name_their_version(store: Store) -> None:
    jobs = Jobs(store)
    segment = jobs.plans.segment(JOB, 0)
    put_audio(store, segment.key, SAMPLES, audio_of("hi"))
    jobs.outcomes.give_up(JOB, PipelineError("no"))
    names = {
        f"jobs/{JOB}/plan": PLAN_VERSION,
        f"jobs/{JOB}/plan.00000": PLAN_VERSION,
        f"jobs/{JOB}/failure": FAILURE_VERSION,
        stage_name(segment.key, "spans"): SEGMENT_VERSION,
    }
    assert {name: json.loads(store.need(name))["version"] for name in names} == names


def test_a_plan_with_one_more_option_and_field(store: Store) -> None:
    def later(plan: Any) -> None:
        plan["options"]["mood"] = "glad"
        plan["speakers"][0]["language"] = "de"
        plan["moods"] = 3

    changed(store, f"jobs/{JOB}/plan", later)
    plan = Jobs(store).plans.need(JOB)
    assert (plan.options, plan.speakers, plan.segments) == (REQUEST.options, REQUEST.speakers, 12)


def test_a_page_with_one_more_column_per_segment_and_line(store: Store) -> None:
    def later(page: Any) -> None:
        page["columns"].insert(2, "take")
        page["line_columns"].insert(0, "mood")
        lines = page["columns"].index("lines")
        for segment in page["segments"]:
            segment.insert(2, 0)
            for line in segment[lines]:
                line.insert(0, "glad")

    changed(store, f"jobs/{JOB}/plan.00000", later)
    jobs = Jobs(store)
    assert list(jobs.plans.segments(jobs.plans.need(JOB))) == segments()


def test_a_page_with_a_column_less_takes_its_default(store: Store) -> None:
    def earlier(page: Any) -> None:
        pause = page["line_columns"].index("pause_ms")
        page["line_columns"].remove("pause_ms")
        for segment in page["segments"]:
            for line in segment[page["columns"].index("lines")]:
                del line[pause]

    changed(store, f"jobs/{JOB}/plan.00000", earlier)
    index, place = next(
        (segment.index, place)
        for segment in segments()
        for place, line in enumerate(segment.lines)
        if line.pause_ms == 1200
    )
    line = Jobs(store).plans.segment(JOB, index).lines[place]
    assert (line.speaker, line.pause_ms) == ("Bo Lund", 0)


def with_later_metadata(store: Store, key: str) -> None:
    """A segment whose metadata has one more field, and one more column per span."""
    put_audio(store, key, SAMPLES, audio_of("hi"))
    record = json.loads(store.need(stage_name(key, "spans")))
    record["noise_floor"] = -80.0
    record["columns"].append("pitch_hz")
    for span in record["spans"]:
        span.append(220.0)
    payload = canonical_json(record)
    store.objects.delete(stage_name(key, "audio"))
    store.put_arrays(stage_name(key, "audio"), Arrays({"samples": SAMPLES}, {"spans": payload.decode()}))
    store.overwrite(stage_name(key, "spans"), payload)


def test_segment_metadata_with_more_fields(store: Store) -> None:
    jobs = Jobs(store)
    segment = jobs.plans.segment(JOB, 0)
    with_later_metadata(store, segment.key)
    assert jobs.artifacts.audio(segment) == audio_of("hi")
    assert np.array_equal(read_samples(store, segment.key), SAMPLES)
    before = store.need(stage_name(segment.key, "spans"))
    assert put_audio(store, segment.key, SAMPLES / 2, audio_of("another take")) == audio_of("hi")
    assert store.need(stage_name(segment.key, "spans")) == before, "stored with the fields unknown here"


def test_a_manifest_with_more_fields(store: Store) -> None:
    jobs = Jobs(store)
    plan = jobs.plans.need(JOB)
    for segment in jobs.plans.segments(plan):
        put_audio(store, segment.key, SAMPLES, audio_of(segment.lines[0].text))
    written = finish(jobs, plan, PROFILE, Uncontrolled())
    assert written["version"] == MANIFEST_VERSION
    changed(store, f"jobs/{JOB}/manifest", lambda manifest: manifest.update(revision=2))
    assert jobs.outcomes.manifest(JOB) == {**written, "revision": 2}
    assert finish(jobs, plan, PROFILE, Uncontrolled()) == {**written, "revision": 2}


@pytest.mark.parametrize(
    ("kind", "args", "expected"),
    [
        ("SegmentError", [3, 7, "no"], SegmentError),
        ("SegmentError", [3, 7, "no", "a take"], PipelineError),
        ("TakeError", [3], PipelineError),
    ],
)
def test_a_failure_of_a_kind_unknown_here_keeps_its_words(
    store: Store, kind: str, args: list[Any], expected: type
) -> None:
    words = "segment 3 (script line 7): no"
    store.put_json(f"jobs/{JOB}/failure", {"version": 1, "kind": kind, "args": args, "message": words})
    error = Jobs(store).outcomes.error(JOB)
    assert (type(error), str(error)) == (expected, words)


def _read_all(jobs: Jobs) -> None:
    for read in (jobs.plans.need, jobs.outcomes.manifest, jobs.outcomes.error):
        read(JOB)
        jobs.plans.segment(JOB, 0)


@pytest.mark.parametrize("name", ["plan", "plan.00000", "manifest", "failure"])
def test_a_higher_version_is_left_to_a_later_release(store: Store, name: str) -> None:
    record = json.loads(store.get(f"jobs/{JOB}/{name}") or b"{}")
    store.overwrite(f"jobs/{JOB}/{name}", canonical_json({**record, "version": 9}))
    newest = PLAN_VERSION_RATES if name.startswith("plan") else 1
    expected = f"jobs/{JOB}/{name} has version 9; this release reads up to {newest}"
    with pytest.raises(NewerRecordError, match=expected):
        _read_all(Jobs(store))
    assert issubclass(NewerRecordError, StoreError), "so the message goes back to its queue"
