import threading
import time

import pytest

from pipeline.engines.load_timing import Load, add, loading, measured
from pipeline.errors import EngineError


def test_timers_report_the_sum_after_every_load() -> None:
    told: list[float] = []
    with measured(told.append):
        with loading():
            time.sleep(0.02)
        add(1.0)
    assert 0.02 <= told[0] < 1
    assert told[1:] == [told[0] + 1]


def test_nested_loads_are_part_of_the_outer_load() -> None:
    told: list[float] = []
    with measured(told.append), loading(), loading():
        add(60.0)
        time.sleep(0.02)
    assert len(told) == 1
    assert 0.02 <= told[0] < 60


def test_failed_loads_count_as_waiting() -> None:
    told: list[float] = []
    with measured(told.append):
        with pytest.raises(EngineError), loading():
            raise EngineError("no checkpoint")
        with loading():
            pass
    assert len(told) == 2


def test_loads_outside_a_timer_are_not_reported() -> None:
    def load() -> None:
        with loading():
            pass
        add(1.0)

    told: list[float] = []
    with measured(told.append):
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
    load()
    assert told == []


def test_zero_waits_are_not_reported() -> None:
    told: list[float] = []
    with measured(told.append):
        add(0.0)
    assert told == []


def test_threads_that_join_a_load_wait_for_its_rest() -> None:
    load = Load(began=10, ended=14)
    assert [load.since(came) for came in (8, 11, 14, 20)] == [4, 3, 0, 0]
