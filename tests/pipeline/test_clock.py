import time
from collections.abc import Iterator

import pytest

from pipeline import clock


@pytest.fixture(autouse=True)
def own_clock() -> Iterator[None]:
    yield
    clock.adopt(None)


def test_a_process_that_asked_nobody_has_its_machines_time() -> None:
    assert abs(clock.now() - time.time()) < 0.1
    assert clock.offset() is None


def test_a_synchronised_process_has_the_servers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time()
    monkeypatch.setattr(time, "time", lambda: right - 600)
    clock.adopt(right - clock.since_boot())
    assert abs(clock.now() - right) < 0.1
    offset_s = clock.offset()
    clock.adopt(None)
    assert clock.now() == right - 600
    clock.adopt(offset_s)
    assert abs(clock.now() - right) < 0.2
