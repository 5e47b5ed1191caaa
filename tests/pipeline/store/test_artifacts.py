import os
import resource
import stat
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.arrays import Arrays
from pipeline.errors import MissingArtifactError, StoreError
from pipeline.store.artifacts import Store, packed, unpacked


def test_stored_artifacts_can_be_read(store: Store) -> None:
    assert store.get("a/b") is None
    assert store.put("a/b", b"words")
    assert store.get("a/b") == b"words"
    assert store.put("ab", b"other")
    assert [name for name, _, _ in store.objects.names("a")] == ["a/b"]
    assert [name for name, _, _ in store.objects.names("a/")] == ["a/b"]
    assert {name for name, _, _ in store.objects.names() if not name.startswith(".")} == {"a/b", "ab"}
    assert list(store.objects.names("none")) == []
    ((_, modified, size),) = store.objects.names("a")
    assert abs(modified - time.time()) < 60
    assert size == store.objects.size("a/b")
    store.objects.delete("a/b")
    store.objects.delete("a/b")
    assert store.objects.size("a/b") is None


def test_the_first_writer_wins(store: Store) -> None:
    assert store.put("a/b", b"first")
    assert not store.put("a/b", b"second")
    assert store.get("a/b") == b"first"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + b"?", lambda data: b""])
def test_damaged_artifacts_count_as_missing_and_are_rewritten(store: Store, damage: object) -> None:
    store.put("a/b", b"words")
    whole = store.objects.read("a/b")
    store.objects.replace("a/b", damage(whole))  # type: ignore[operator]
    assert store.get("a/b") is None
    with pytest.raises(MissingArtifactError, match="a/b"):
        store.need("a/b")
    assert store.put("a/b", b"words")
    assert store.get("a/b") == b"words"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_names_outside_the_store_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="invalid name"):
        store.get(name)


def test_one_of_many_concurrent_writers_wins(store: Store) -> None:
    won = []
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        if store.put("guard", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(number).encode() for number in won] == [store.get("guard")]
    assert [name for name, _, _ in store.objects.names()] == ["guard"], "nothing else is left"


def test_files_are_private_to_the_user(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    store.put("a/b", b"words")
    modes = {
        stat.S_IMODE(os.stat(path).st_mode) for path in (tmp_path / "store" / "a", tmp_path / "store/a/b")
    }
    assert modes == {0o700, 0o600}


def test_unwritable_folders_raise_store_errors(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot write a/b"):
        Store(str(tmp_path / "store")).put("a/b", b"words")


def test_unlistable_folders_are_not_empty(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    assert list(store.objects.names()) == [], "what isn't there is empty"
    store.put("open/job", b"")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(StoreError, match="cannot list open: Too many open files"):
            list(store.objects.names("open"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_empty_folders_are_removed_during_writes(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    ended = threading.Event()

    def tidy() -> None:
        while not ended.is_set():
            store.objects.tidy()

    thread = threading.Thread(target=tidy)
    thread.start()
    for number in range(300):
        store.put(f"segments/{number % 7}/{number}/audio", b"words")
        store.objects.delete(f"segments/{number % 7}/{number}/audio")
    ended.set()
    thread.join()
    store.put("jobs/a/plan", b"words")
    store.objects.tidy()
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".scratch", "a", "jobs", "plan"]


def test_uncheckable_names_raise_store_errors(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot check"):
        Store(str(tmp_path)).objects.create("a" * 300, b"words")


def test_failed_writes_leave_no_files(tmp_path: Path) -> None:
    store, file = Store(str(tmp_path)), tmp_path / "file"
    store.overwrite("a", b"words")
    file.write_bytes(b"audio")
    for refused in (
        lambda: store.overwrite("a/b", b"words"),
        lambda: store.objects.create("a/b", b"words"),
        lambda: store.objects.put_file(file, "a/b"),
    ):
        with pytest.raises(StoreError):
            refused()
    assert list((tmp_path / ".scratch").iterdir()) == []


def test_equal_arrays_have_equal_bytes_and_come_back() -> None:
    value = Arrays({"b": np.arange(3, dtype=np.int16), "a": np.eye(2, dtype=np.float32)}, {"x": "é"})
    again = Arrays({"a": np.eye(2, dtype=np.float32), "b": np.arange(3, dtype=np.int16)}, {"x": "é"})
    assert packed(value) == packed(again)
    back = unpacked(packed(value))
    assert back.meta == {"x": "é"}
    assert (back.arrays["a"] == np.eye(2)).all()


def test_ranges_are_read_without_the_rest(store: Store) -> None:
    store.objects.replace("jobs/a/audio.flac", b"0123456789")
    assert store.objects.read_range("jobs/a/audio.flac", 2, 5) == b"234"
    assert store.objects.read_range("jobs/a/audio.flac", 8, 50) == b"89"
    assert store.objects.read_range("jobs/none", 0, 5) is None


def test_files_are_stored_and_copied_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"audio" * 1000)
    store.objects.put_file(tmp_path / "made", "jobs/a/audio.flac")
    store.objects.get_file("jobs/a/audio.flac", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"audio" * 1000
    with pytest.raises(StoreError, match="cannot read jobs/none"):
        store.objects.get_file("jobs/none", tmp_path / "none")
