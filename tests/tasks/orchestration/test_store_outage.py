"""Tests of the rules for a store that is full or unreachable."""

from pathlib import Path

from pipeline.store.artifacts import Store
from tasks.orchestration.store_outage import writable


def test_probe_of_a_writable_store_leaves_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert writable(store)
    assert list(store.objects.names("probe")) == []


def test_store_whose_folder_is_a_file_is_not_writable(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    (tmp_path / "store").mkdir(exist_ok=True)
    (tmp_path / "store" / "probe").write_bytes(b"")
    assert not writable(store)
