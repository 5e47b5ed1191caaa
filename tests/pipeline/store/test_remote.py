"""Tests of remote stores, on a real S3 server."""

import os
import threading
import time
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from bench.harness.services import S3
from pipeline.errors import OptionError, StoreError
from pipeline.store.artifacts import Store
from pipeline.store.objects import Objects


def test_writes_of_others_are_visible_at_once(bucket: str) -> None:
    ours, others = Store(bucket).objects, Store(bucket).objects
    ours.replace("jobs/a/plan", b"1")
    assert [name for name, _, _ in ours.names("jobs/a")] == ["jobs/a/plan"]
    assert ours.size("jobs/a/cancelled") is None
    others.replace("jobs/a/cancelled", b"")
    others.replace("jobs/a/plan", b"12345")
    assert ours.size("jobs/a/cancelled") == 0
    assert (ours.size("jobs/a/plan"), ours.read("jobs/a/plan")) == (5, b"12345")
    assert len(list(ours.names("jobs/a"))) == 2


def test_checks_take_one_request(server: S3, bucket: str) -> None:
    objects = Store(bucket).objects
    objects.replace("a", b"1")
    server.asked.clear()
    objects.read("a")
    objects.read("none")
    objects.size("a")
    objects.size("none")
    list(objects.names("none"))
    objects.create("a", b"2")
    assert server.asked == {"GET": 3, "HEAD": 2, "PUT": 1}


def test_listings_of_several_pages_are_complete(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    objects = Store(bucket).objects
    for number in range(20):
        objects.replace(f"many/{number:02d}", b"")
    assert [name for name, _, _ in objects.names("many")] == [f"many/{number:02d}" for number in range(20)]


def test_forked_children_can_use_the_store_of_their_parent(bucket: str) -> None:
    store = Store(bucket)
    store.put("parents", b"1")
    child = os.fork()
    if child == 0:  # as in a prefork pool: the loop's thread stayed with the parent
        os._exit(0 if store.get("parents") == b"1" and store.put("childs", b"2") else 1)
    deadline = time.monotonic() + 20
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, 9)
        time.sleep(0.02)
    assert ended[1] == 0
    assert store.get("childs") == b"2"


def test_threads_share_a_store(bucket: str) -> None:
    store, seen = Store(bucket), set()

    def work(number: int) -> None:
        store.put(f"t/{number}", str(number).encode())
        seen.add(store.get(f"t/{number}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {str(number).encode() for number in range(24)}


def everything(objects: Objects, tmp_path: Path) -> list[str]:
    """Errors of each operation on an unreachable store."""
    (tmp_path / "file").write_bytes(b"1")
    said = []
    for access in (
        lambda: objects.create("a", b"1"),
        lambda: objects.replace("a", b"1"),
        lambda: objects.read("a"),
        lambda: objects.read_range("a", 0, 1),
        lambda: list(objects.names("a")),
        lambda: objects.delete("a"),
        lambda: objects.put_file(tmp_path / "file", "a"),
        lambda: objects.get_file("a", tmp_path / "back"),
    ):
        with pytest.raises(StoreError) as refused:
            access()
        said.append(str(refused.value))
    return said


def test_missing_buckets_are_named(bucket: str, tmp_path: Path) -> None:
    for said in everything(Store("s3://no-such-bucket-here/x").objects, tmp_path):
        assert "in s3://no-such-bucket-here/x: NoSuchBucket: no such bucket" in said


def test_unreachable_services_raise(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreError, match="cannot read a in s3://elsewhere: Could not connect"):
        Store("s3://elsewhere").objects.read("a")


def test_missing_credentials_are_reported(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreError, match=f"in {bucket}/unnamed: .*credentials"):
        Store(f"{bucket}/unnamed").objects.read("a")


def test_unsupported_urls_are_refused_without_their_password() -> None:
    with pytest.raises(OptionError, match="store") as refused:
        Store("nosuch://me:secretword@host/x")
    assert "secretword" not in str(refused.value)
