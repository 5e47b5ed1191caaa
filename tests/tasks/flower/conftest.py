"""Fixtures: a real service with Flower."""

from collections.abc import Iterator

import pytest

from tests.console import Console, running


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Real service with Flower, shared by the tests of this folder."""
    with running(tmp_path_factory.mktemp("console")) as console:
        yield console
