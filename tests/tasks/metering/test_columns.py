from db.schema import STATES, task_run, worker_proc
from tasks.metering.attempt import WORK_FACTS
from tasks.metering.probes import linux_counters
from tests.tasks.metering.conftest import Bench


def test_every_fact_and_counter_has_a_column() -> None:
    columns = set(task_run.columns.keys())
    assert columns >= WORK_FACTS
    assert columns >= set(linux_counters.NAMES)


def test_every_field_has_a_column(bench: Bench) -> None:
    with bench.worker():
        bench.wait_for(bench.send("sleep", 0.3))
        spooled = bench.spooled()
    assert spooled["task_run"] <= set(task_run.columns.keys())
    assert spooled["worker_proc"] <= set(worker_proc.columns.keys())


def test_metering_states_match_the_schema(bench: Bench) -> None:
    with bench.worker():
        ids = [bench.send("fail", how) for how in ("error", "ignore", "reject", "cancelled", "hand back")]
        states = {row["state"] for task_id in ids for row in bench.wait_for(task_id)}
    assert states <= set(STATES)
    assert len(states) >= 5
