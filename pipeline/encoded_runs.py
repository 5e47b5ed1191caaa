"""Encoded runs in the store, by content, so that an edit of a book encodes its own run alone.

They are removed by age and size as segments are, and made again if they are missing.
"""

from collections.abc import Mapping

from pipeline.planning.records import PlannedSegment
from pipeline.stitching.remux.encoded_run import EncodedRun
from pipeline.store.artifacts import Store


class StoredRuns:
    """Runs of a job's file.

    Args:
        takes: chosen takes, by the segment's index.
    """

    def __init__(self, store: Store, takes: Mapping[int, int]) -> None:
        self._store, self._takes = store, takes

    def sound(self, segment: PlannedSegment) -> str:
        return f"{segment.key}.{self._takes.get(segment.index, 0)}"

    def get(self, key: str) -> EncodedRun | None:
        stored = self._store.get_arrays(run_name(key))
        return EncodedRun.of(stored) if stored else None

    def put(self, key: str, run: EncodedRun) -> None:
        self._store.put_arrays(run_name(key), run.arrays())


def run_name(key: str) -> str:
    """Name of an encoded run."""
    return f"encoded/{key[:2]}/{key}"
