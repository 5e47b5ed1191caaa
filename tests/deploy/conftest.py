"""Fixtures: a service with Flower, and the services of Compose."""

from collections.abc import Iterator

import pytest

from tests.console import Console
from tests.console import running as running_console
from tests.deploy.stack import Stack, running


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Services of Compose, started natively, after some jobs."""
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Real service with Flower, shared by the tests of this folder."""
    with running_console(tmp_path_factory.mktemp("console")) as console:
        yield console
