"""Fixtures: stores of every kind, a folder, memory, and a bucket of a shared S3 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from bench.harness.services import S3, s3
from pipeline.store.artifacts import Store


@pytest.fixture(scope="package")
def server() -> Iterator[S3]:
    with s3() as server:
        yield server


@pytest.fixture
def bucket(server: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty bucket, with its credentials in the environment."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # a test may have asked with other credentials
    return server.new_bucket()


@pytest.fixture(params=["local", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return Store(request.getfixturevalue("bucket") + "/below/it")
    return Store(str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path.name}")
