import threading
import time

import pytest

from pipeline.engines.load_timing import Load, add, loading, measured
from pipeline.errors import EngineError


def test_timers_report_the_sum_after_every_load() -> None:
    reported: list[float] = []
    with measured(reported.append):
        with loading():
            time.sleep(0.02)
        add(1.0)
    assert 0.02 <= reported[0] < 1
    assert reported[1:] == [reported[0] + 1]


def test_nested_loads_are_part_of_the_outer_load() -> None:
    reported: list[float] = []
    with measured(reported.append), loading(), loading():
        add(60.0)
        time.sleep(0.02)
    assert len(reported) == 1
    assert 0.02 <= reported[0] < 60


def test_failed_loads_count_as_waiting() -> None:
    reported: list[float] = []
    with measured(reported.append):
        with pytest.raises(EngineError), loading():
            raise EngineError("no checkpoint")
        with loading():
            pass
    assert len(reported) == 2


def test_loads_outside_a_timer_are_not_reported() -> None:
    def load() -> None:
        with loading():
            pass
        add(1.0)

    reported: list[float] = []
    with measured(reported.append):
        thread = threading.Thread(target=load)
        thread.start()
        thread.join()
    load()
    assert reported == []


def test_zero_waits_are_not_reported() -> None:
    reported: list[float] = []
    with measured(reported.append):
        add(0.0)
    assert reported == []


def test_threads_that_join_a_load_wait_for_its_rest() -> None:
    load = Load(began=10, ended=14)
    assert [load.since(came) for came in (8, 11, 14, 20)] == [4, 3, 0, 0]
