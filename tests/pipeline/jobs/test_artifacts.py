"""Tests of a segment's artifacts: samples, and the record beside them."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import MissingArtifactError
from pipeline.jobs.artifacts import put_audio, read_samples, stage_name
from pipeline.planning.records import SegmentAudio, Span
from pipeline.store.artifacts import Store

KEY = "ab" * 16


def take(level: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float32]], SegmentAudio]:
    samples = np.full(8, level, np.float32)
    return samples, SegmentAudio(8_000, 8, (Span(0, 8, 0, 1, "words", None, level),))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def test_first_take_remains_with_its_own_spans(store: Store) -> None:
    first = put_audio(store, KEY, *take(0.25))
    assert put_audio(store, KEY, *take(0.5)) == first
    assert first.spans[0].true_peak == 0.25
    assert read_samples(store, KEY).max() == 0.25


def test_differing_record_is_corrected_and_reported(store: Store) -> None:
    put_audio(store, KEY, *take(0.25))
    store.overwrite(stage_name(KEY, "spans"), b"{}")
    with pytest.raises(MissingArtifactError, match="spans"):
        read_samples(store, KEY)
    assert read_samples(store, KEY).max() == 0.25


def test_record_without_samples_is_removed(store: Store) -> None:
    put_audio(store, KEY, *take(0.25))
    store.objects.delete(stage_name(KEY, "audio"))
    with pytest.raises(MissingArtifactError, match="audio"):
        read_samples(store, KEY)
    assert not store.has(stage_name(KEY, "spans"))
