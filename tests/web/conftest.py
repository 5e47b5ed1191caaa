"""A running HTTP service, shared by the tests of its folder."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from bench.harness import forked
from bench.harness.http_service import HttpService, http_service


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpService]:
    """A service without keys."""
    with http_service(tmp_path_factory.mktemp("http") / "state", spawn=forked.spawn) as running:
        yield running


@pytest.fixture(scope="package")
def service_with_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpService]:
    """Another service, which asks for keys."""
    with http_service(tmp_path_factory.mktemp("keyed") / "state", spawn=forked.spawn) as running:
        running.key("operator")
        yield running


@pytest.fixture
def keyed(service_with_keys: HttpService) -> HttpService:
    """The service that asks for keys, with names of clients of each test's own."""
    return replace(service_with_keys, client_suffix=f".{uuid4().hex[:8]}")
