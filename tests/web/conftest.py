"""A running HTTP service, shared by the tests of its folder."""

from collections.abc import Iterator

import pytest

from bench.harness.http_service import HttpService, http_service


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpService]:
    """A service without keys."""
    with http_service(tmp_path_factory.mktemp("http") / "state") as running:
        yield running


@pytest.fixture(scope="package")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpService]:
    """Another service, for tests that create keys."""
    with http_service(tmp_path_factory.mktemp("keyed") / "state") as running:
        running.command("keys", "create", "operator")
        yield running
