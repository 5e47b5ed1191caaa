"""Tests of aggregates that follow `task_run` by its id, against the attempts themselves."""

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, text, update

from bench.harness.rows import attempt, history
from bench.harness.services import Postgres
from bench.harness.waiting import until
from db import rollups
from db.database import open_database, writing
from db.ingest import rows
from db.queries import catalog
from db.retention import DAY_S, HOUR_S, trim
from db.schema import http_request, rollup_mark, rollup_outcome, rollup_process, rollup_request, task_run

NEWEST = 1_800_000_000
_BY_DAYS = (
    *("bound", "clients", "cold_start", "energy", "failures", "gpu_packing", "leaks", "memory", "requests"),
    *("sizing", "takes"),
)
QUESTIONS = {**{name: {"days": 1} for name in _BY_DAYS}, "busy": {"hours": 2}}
"""Queries that read aggregates, with parameters other than the defaults."""


def store(engine: Engine, *attempts: dict[str, Any]) -> None:
    store_parsed(engine, list(map(parsed, attempts)))


def store_parsed(engine: Engine, attempts: list[dict[str, Any]]) -> None:
    with writing(engine) as connection:
        rows.insert(connection, "task_run", attempts)


def parsed(row: dict[str, Any]) -> dict[str, Any]:
    return rows.parse(json.dumps({"t": "task_run", "r": row}).encode())[1]


def mark(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(rollup_mark.c.through_id)).scalar_one())


def included(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(rollup_outcome.c.n), 0))).scalar_one())


def same(one: catalog.Answer, other: catalog.Answer) -> None:
    assert one.columns == other.columns
    assert len(one.rows) == len(other.rows)
    for row, expected in zip(one.rows, other.rows, strict=True):
        for value, wanted in zip(row, expected, strict=True):
            assert value == (pytest.approx(wanted, rel=1e-9) if isinstance(wanted, float) else wanted)


def odd(number: int) -> list[dict[str, Any]]:
    """Attempts with unknown values."""
    at = {"started_epoch": NEWEST - number * HOUR_S, "finished_epoch": NEWEST - number * HOUR_S + 2}
    return [
        attempt(**at, engine="e", device=None, audio_s=None, cold_start=None, run_s=None),
        attempt(**at, engine="e", gpu_active_s=None, cpu_children_s=0.1, audio_s=3.0, energy_scope=None),
        attempt(**at, state="LOST", cpu_user_s=None, share_s=None),
        attempt(**at | {"finished_epoch": None}, engine="e", state="LOST"),
        attempt(state="REVOKED", started_epoch=None, started_at=None),
    ]


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_from_aggregates_equal_those_from_attempts(name: str, both_ways: Any) -> None:
    before, engine = both_ways
    assert before[name].rows
    same(catalog.run(engine, name), before[name])
    same(catalog.run(engine, name, **QUESTIONS[name]), before[name, "other"])


_REQUEST = ("task_id", "client", "requested_epoch")


@cache
def month() -> list[dict[str, Any]]:
    """Parsed rows of a month; those of earlier hours, and those of a take, arrive late."""
    found = [*history(3_000, newest=NEWEST), *(row for number in range(4) for row in odd(number))]
    random.Random(1).shuffle(found)
    return list(map(parsed, found))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def both_ways(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Answers from attempts alone, and the history with aggregates of most of them."""
    url = f"sqlite:///{tmp_path_factory.mktemp('rollups')}/history.db"
    if request.param == "postgresql":
        template = request.getfixturevalue("migrated_database")
        url = request.getfixturevalue("postgres_server").new_database(template)
    engine = open_database(url)
    store_parsed(engine, month())
    requests = [
        (f"root-{number}", f"client-{number % 3}", NEWEST - 90 * DAY_S * (number == 1)) for number in range(6)
    ]
    with writing(engine) as connection:
        connection.execute(
            insert(http_request), [dict(zip(_REQUEST, each, strict=True)) for each in requests]
        )
    before: dict[Any, catalog.Answer] = {name: catalog.run(engine, name) for name in QUESTIONS}
    before |= {
        (name, "other"): catalog.run(engine, name, **parameters) for name, parameters in QUESTIONS.items()
    }
    assert rollups.advance_once(engine, step=900) == 900
    assert rollups.advance_once(engine, step=1_500) == 1_500
    yield before, engine
    engine.dispose()


def test_answers_without_the_attempts_before_the_mark_come_from_aggregates(engine: Engine) -> None:
    store(engine, *history(500, newest=NEWEST))
    before = catalog.run(engine, "bound")
    rollups.advance(engine)
    with writing(engine) as connection:
        newest = select(func.max(task_run.c.started_epoch)).scalar_subquery()
        connection.execute(task_run.delete().where(task_run.c.started_epoch < newest))
    same(catalog.run(engine, "bound"), before)


def test_aggregating_is_idempotent_and_includes_late_attempts_once(engine: Engine) -> None:
    store(engine, attempt(), attempt())
    assert rollups.advance(engine) == 2
    assert rollups.advance(engine) == 0
    store(engine, attempt(started_epoch=NEWEST - 40 * HOUR_S))
    assert rollups.advance_once(engine, at_least=2) == 0
    assert rollups.advance(engine) >= 1
    assert included(engine) == 3


def test_concurrent_writers_and_aggregations_lose_no_attempt(engine: Engine, url: str) -> None:
    def write(number: int) -> None:
        own = open_database(url)
        for _ in range(10):
            store(own, *(attempt(task_id=str(number)) for _ in range(5)))
            rollups.advance_once(own, step=7)
        own.dispose()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rollups.advance(engine)
    assert included(engine) == 150


def test_lower_ids_of_an_open_transaction_are_waited_for(postgres_server: Postgres) -> None:
    url = postgres_server.new_database()
    engine, own = open_database(url), open_database(url)
    waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
    with ThreadPoolExecutor() as pool:
        with writing(own) as earlier:
            rows.insert(earlier, "task_run", [parsed(attempt())])
            store(engine, attempt())
            aggregated = pool.submit(rollups.advance, engine)
            with engine.connect() as connection:
                until(lambda: aggregated.done() or connection.execute(waiting).scalar_one())
        assert aggregated.result() == 2
    assert included(engine) == 2
    own.dispose()
    engine.dispose()


def test_ids_that_are_assigned_again_are_included(engine: Engine) -> None:
    """SQLite assigns the ids of deleted last rows again."""
    store(engine, attempt(), attempt())
    trim(engine, days=1, now=NEWEST + 90 * 24 * HOUR_S)
    store(engine, attempt(started_epoch=NEWEST + 90 * 24 * HOUR_S))
    rollups.advance(engine)
    assert included(engine) == 3


def test_aggregates_by_process_and_request_age_with_their_attempts(engine: Engine) -> None:
    old = {"root_id": "r", "worker": "w", "worker_pid": 1, "child_seq": 1, "rss_start_bytes": 1}
    store(engine, attempt(**old), attempt(**old, started_epoch=NEWEST + 99 * 24 * HOUR_S))
    trim(engine, days=90, now=NEWEST + 100 * 24 * HOUR_S)
    with engine.connect() as connection:
        for table in (rollup_process, rollup_request):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 1
        assert connection.execute(text("SELECT SUM(n) FROM rollup_outcome")).scalar_one() == 2


def test_mark_never_passes_the_newest_attempt(engine: Engine) -> None:
    store(engine, *(attempt() for _ in range(5)))
    assert rollups.advance_once(engine, step=3) == 3
    assert rollups.advance_once(engine, step=3) == 2
    with engine.connect() as connection:
        assert mark(engine) == connection.execute(select(func.max(task_run.c.id))).scalar_one()


def test_takes_that_get_a_next_one_later_are_counted_again(engine: Engine) -> None:
    def made(take: int, findings: str, run_s: float) -> list[dict[str, Any]]:
        common = {"job": "j", "segment": 1, "take": take, "engine": "e"}
        verify = {"task_name": "voxchord.verify", "findings": findings, "score": 0.5, "run_s": 0.25}
        return [attempt(**common, run_s=run_s), attempt(**common | verify)]

    def answers() -> list[tuple[Any, ...]]:
        return [row[:2] + row[2:3] + row[4:7] for row in catalog.run(engine, "takes").rows]

    store(engine, *made(0, "noise", 2.0))
    assert rollups.advance(engine) == 2
    assert answers() == [("e", "noise", 1, 0, 0, None)]
    decoded, verified = made(1, "silence", 4.0)
    store(engine, decoded)
    assert rollups.advance(engine) >= 1
    store(engine, verified)
    assert answers() == [("e", "noise", 1, 1, 0, 4.25), ("e", "silence", 1, 0, 0, None)]
    rollups.advance(engine)
    again = {"job": "j", "segment": 1, "take": 1, "engine": "e", "task_name": "voxchord.verify"}
    store(engine, attempt(**again, findings="silence", score=0.5, run_s=0.25))
    rollups.advance(engine)
    assert answers() == [("e", "noise", 1, 1, 0, 4.5), ("e", "silence", 1, 0, 0, None)]


def test_aggregates_of_a_later_release_catch_up_with_those_of_an_earlier(engine: Engine) -> None:
    store(engine, *history(50, newest=NEWEST))
    before = {name: catalog.run(engine, name) for name in ("bound", "memory")}
    rollups.advance_once(engine, step=20)
    with writing(engine) as connection:  # as the migration leaves a history that was aggregated before
        connection.execute(text("DELETE FROM rollup_memory"))
        connection.execute(update(rollup_mark).values(figures_through_id=0))
    assert [rollups.advance_once(engine, step=30) for _ in range(3)] == [20, 30, 0]
    for name, answer in before.items():
        same(catalog.run(engine, name), answer)


def test_an_earlier_release_that_aggregates_leaves_the_aggregates_of_a_later_one(engine: Engine) -> None:
    store(engine, *history(50, newest=NEWEST))
    before = catalog.run(engine, "memory")
    assert before.rows
    with engine.connect() as connection:
        newest = connection.execute(select(func.max(task_run.c.id))).scalar_one()
    with writing(engine) as connection:  # as the releases before 0014 do
        connection.execute(text("UPDATE rollup_mark SET through_id = :last"), {"last": newest})
    same(catalog.run(engine, "memory"), before)
    assert rollups.advance(engine) == newest
    same(catalog.run(engine, "memory"), before)
