"""Artifacts of a job: audio of its segments, and names of the stages' products."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pipeline.arrays import Arrays, Samples
from pipeline.canonical_json import canonical_json
from pipeline.errors import MissingArtifactError
from pipeline.jobs.plans import PAGE, Plan, Plans
from pipeline.planning.casting import Speaker
from pipeline.planning.records import PlannedSegment, SegmentAudio, Span
from pipeline.store.artifacts import Store
from pipeline.stored_records import SEGMENT_VERSION, check_version, columns, from_rows, row

_ASKED_AT_ONCE = 32
_SPANS = "spans"
_FIRST_COLUMNS = ("start", "samples", "line", "lines", "text", "lufs", "true_peak")
"""Columns of spans of release 0.1.0, which names none. Later ones append theirs, so that it reads these."""


class Artifacts:
    """Segments of the jobs of one store."""

    def __init__(self, store: Store, plans: Plans) -> None:
        self.store, self.plans = store, plans

    def audio(self, segment: PlannedSegment) -> SegmentAudio | None:
        """Metadata of a finished segment; None if it is missing."""
        name = stage_name(segment.key, _SPANS)
        found = self.store.get_json(name)
        return None if found is None else _segment_audio(name, found)

    def missing(self, plan: Plan) -> list[int]:
        """Indices of the segments without audio, in order."""
        return [segment.index for segment, audio in self.audios(plan) if audio is None]

    def audios(self, plan: Plan) -> Iterator[tuple[PlannedSegment, SegmentAudio | None]]:
        """Yield every segment and its metadata, in order; a remote store is asked many at a time."""
        if self.store.local:
            yield from ((segment, self.audio(segment)) for segment in self.plans.segments(plan))
            return
        with ThreadPoolExecutor(_ASKED_AT_ONCE, "jobs-list") as pool:
            for start in range(0, plan.segments, PAGE):
                page = [
                    self.plans.segment(plan.job, i) for i in range(start, min(start + PAGE, plan.segments))
                ]
                yield from zip(page, pool.map(self.audio, page), strict=True)


def put_audio(store: Store, key: str, samples: Samples, audio: SegmentAudio) -> SegmentAudio:
    """Store a segment's samples and spans unless it has some; returns the spans of the stored samples.

    Two workers may make two takes. The artifact `audio` contains its own spans, and the small record beside
    it is always made from these.
    """
    record = {
        "version": SEGMENT_VERSION,
        "sample_rate_hz": audio.sample_rate_hz,
        "samples": audio.samples,
        "columns": columns(Span),
        "spans": [row(span) for span in audio.spans],
    }
    name = stage_name(key, "audio")
    meta = {_SPANS: canonical_json(record).decode()}
    if not store.put_arrays(name, Arrays({"samples": samples}, meta)):
        record = json.loads(store.need_arrays(name).meta[_SPANS])
    store.overwrite(stage_name(key, _SPANS), canonical_json(record))
    return _segment_audio(name, record)


def read_samples(store: Store, key: str) -> Samples:
    """Read a finished segment's samples.

    Raises:
        MissingArtifactError: they are missing or damaged, or differ from the record beside them, which is
            then corrected.
    """
    name, record = stage_name(key, "audio"), stage_name(key, _SPANS)
    found = store.get_arrays(name)
    if found is None:
        store.objects.delete(record)
        raise MissingArtifactError(name)
    if store.get(record) != found.meta[_SPANS].encode():
        store.overwrite(record, found.meta[_SPANS].encode())
        raise MissingArtifactError(record)
    samples: Samples = found.arrays["samples"]  # type: ignore[assignment]
    return samples


def stage_name(key: str, stage: str) -> str:
    """Name of a stage's product of one segment."""
    return f"segments/{key[:2]}/{key}/{stage}"


def speaker_name(plan: Plan, speaker: Speaker) -> str:
    """Name of a speaker's embedding, one per voice, engine, weights and options."""
    content = [plan.options.engine, plan.revision, dict(plan.engine_options), speaker.hash]
    key = hashlib.sha256(canonical_json(content)).hexdigest()[:32]
    return f"speakers/{key[:2]}/{key}"


def _segment_audio(name: str, record: Mapping[str, Any]) -> SegmentAudio:
    check_version(name, record, SEGMENT_VERSION)
    stored = from_rows(Span, record.get("columns", _FIRST_COLUMNS), record["spans"])
    spans = tuple(replace(span, words=tuple((a, b) for a, b in span.words)) for span in stored)
    return SegmentAudio(record["sample_rate_hz"], record["samples"], spans)
