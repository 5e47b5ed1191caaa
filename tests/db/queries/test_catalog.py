import csv
import json
import shutil
import subprocess
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from bench.harness.rows import attempt, history
from bench.harness.services import Postgres
from db.database import open_database, writing
from db.ingest import rows
from db.queries import catalog
from db.queries.catalog import QueryError
from db.reports.comparison_page import page
from db.retention import sum_hours
from db.schema import http_request

FOLDER = Path(catalog.__file__).parent


def parsed(attempts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows.parse(json.dumps({"t": "task_run", "r": row}).encode())[1] for row in attempts]


def fill(engine: Engine, attempts: list[dict[str, Any]]) -> None:
    store(engine, parsed(attempts))


def store(engine: Engine, attempts: list[dict[str, Any]]) -> None:
    """Write parsed rows of attempts, and jobs, an action and requests with them."""
    with writing(engine) as connection:
        rows.insert(connection, "task_run", attempts)
        for number in range(10):
            job = {
                "id": f"job-{number}",
                "state": "SUCCEEDED",
                "created_epoch": number,
                "updated_epoch_ms": 1,
            }
            rows.insert(connection, "job", [job])
        action = {"action_uid": "1", "job": "job-3", "action": "retry", "actor": "a@b", "acted_epoch": 9}
        lines = [json.dumps({"t": "job_action", "r": action}).encode()]
        rows.insert(connection, "job_action", [rows.parse(line)[1] for line in lines])
        asked = {"client": "blog", "chars_in": 40, "requested_epoch": 9, "ended_epoch": 10}
        roots = sorted({row["root_id"] for row in attempts if row.get("root_id")})[:2] or ["1", "2"]
        connection.execute(insert(http_request), [{"task_id": root, **asked} for root in roots])


def numbers(row: tuple[Any, ...]) -> list[float]:
    return [value for value in row if isinstance(value, int | float)]


def plain(row: Any) -> tuple[Any, ...]:
    return tuple(float(value) if isinstance(value, Decimal) else value for value in row)


def words(row: tuple[Any, ...]) -> list[Any]:
    return [value for value in row if not isinstance(value, int | float)]


@pytest.fixture(scope="module")
def both(postgres_server: Postgres, migrated_database: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Write the same month to both databases."""
    sqlite = open_database(f"sqlite:///{tmp_path_factory.mktemp('both')}/history.db")
    postgresql = open_database(postgres_server.new_database(migrated_database))
    month = parsed(history(4_000))
    store(sqlite, month)
    store(postgresql, month)
    yield sqlite, postgresql
    sqlite.dispose()
    postgresql.dispose()


@pytest.mark.parametrize("name", catalog.names())
def test_both_databases_give_the_same_answer(name: str, both: tuple[Engine, Engine]) -> None:
    sqlite, postgresql = (catalog.run(engine, name) for engine in both)
    assert sqlite.rows
    assert sqlite.columns == postgresql.columns
    assert len(sqlite.rows) == len(postgresql.rows)
    for one, other in zip(sqlite.rows, postgresql.rows, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-6)
        assert words(one) == words(other)


@pytest.mark.parametrize("name", catalog.names())
def test_every_file_runs_in_psql_and_sqlite3(
    name: str, both: tuple[Engine, Engine], postgres_server: Postgres
) -> None:
    sqlite, postgresql = both
    answer = catalog.run(sqlite, name)
    url = postgresql.url.set(drivername="postgresql").render_as_string(hide_password=False)
    psql = [postgres_server.psql, "--csv", "-v", "ON_ERROR_STOP=1", "-f", str(FOLDER / f"{name}.sql"), url]
    outputs = [subprocess.run(psql, capture_output=True, text=True, check=True).stdout]
    if shutil.which("sqlite3"):
        command = ["sqlite3", "-csv", "-header", str(sqlite.url.database)]
        text = catalog.source(name)
        outputs.append(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout)
    for output in outputs:
        header, *lines = csv.reader(output.splitlines())
        assert header == answer.columns
        assert len(lines) == len(answer.rows)


@pytest.mark.parametrize("name", sorted(path.stem for path in (FOLDER / "postgresql").glob("*.sql")))
def test_queries_for_postgresql_give_the_answers_of_the_common_ones(
    name: str, postgres_server: Postgres, migrated_database: str
) -> None:
    engine = open_database(postgres_server.new_database(migrated_database))
    unknown = [
        {
            **row,
            "engine": row["engine"] if number % 3 else None,
            "device": row["device"] if number % 5 else None,
        }
        for number, row in enumerate(history(1_500))
    ]
    fill(engine, unknown)
    answer = catalog.run(engine, name)
    with engine.connect() as connection:
        common = connection.exec_driver_sql(catalog.source(name).replace("%", "%%")).all()
    assert answer.rows
    assert [words(row) for row in answer.rows] == [words(plain(row)) for row in common]
    for one, other in zip(answer.rows, common, strict=True):
        assert numbers(one) == pytest.approx(numbers(plain(other)), rel=1e-9)
    engine.dispose()


def test_every_query_runs_on_an_empty_history(engine: Engine) -> None:
    for name in catalog.names():
        answer = catalog.run(engine, name)
        assert all(value in (None, 0) for row in answer.rows for value in row), name


@pytest.mark.parametrize("name", catalog.names())
def test_every_query_describes_itself_and_its_parameters(name: str) -> None:
    about = catalog.about(name)
    assert "?" in about
    for parameter in catalog.parameters(name):
        assert f":{parameter} " in about


def test_parameters_are_bound(both: tuple[Engine, Engine]) -> None:
    for engine in both:
        assert catalog.run(engine, "job", job="job-3").records()[0]["attempts"] > 0
        assert catalog.run(engine, "job", job="' OR 1=1 --").rows == []
        assert len(catalog.run(engine, "waiting", top="2", long_s=0.5).rows) == 2
        assert (
            catalog.run(engine, "releases", old="1.0.0", new="1.1.0").records()[0]["old_version"] == "1.0.0"
        )


def test_unknown_queries_and_parameters_are_named(both: tuple[Engine, Engine]) -> None:
    with pytest.raises(QueryError, match=r"unknown query 'sped'; available: .*speed"):
        catalog.run(both[0], "sped")
    with pytest.raises(QueryError, match="unknown parameter weeks; speed has days"):
        catalog.run(both[0], "speed", weeks=1)
    with pytest.raises(QueryError, match="parameter days must be a number, not 'few'"):
        catalog.run(both[0], "speed", days="few")


def test_newest_release_is_compared_with_the_previous_one(both: tuple[Engine, Engine]) -> None:
    found = {
        row["task_name"]: row for row in catalog.run(both[0], "releases").records() if row["device"] == "cpu"
    }
    decode = found["voxchord.diffusion"]
    assert (decode["old_version"], decode["new_version"]) == ("1.1.0", "1.2.0")
    assert decode["change_pct"] == pytest.approx(10, abs=8)  # the month was made with 10 %


def test_busy_divides_attempts_over_the_hours_they_overlap(engine: Engine) -> None:
    hour = 1_800_000_000
    long = attempt(
        started_epoch=hour - 900, finished_epoch=hour + 1800, run_s=2700.0, worker="w", concurrency=1
    )
    short = attempt(
        started_epoch=hour + 1800, finished_epoch=hour + 1801, run_s=0.5, worker="w", concurrency=1
    )
    fill(engine, [long, short])
    found = {row["hour_epoch"]: row["busy"] for row in catalog.run(engine, "busy").records()}
    assert found == {hour - 3600: pytest.approx(0.25), hour: pytest.approx(0.5 + 0.5 / 3600)}


def test_percentiles_are_values_that_occurred(engine: Engine) -> None:
    fill(engine, [attempt(engine="e", device="cpu", rtf=float(n)) for n in range(1, 101)])
    (row,) = catalog.run(engine, "speed").records()
    assert (row["n"], row["rtf_p50"], row["rtf_p95"], row["rtf_p99"]) == (100, 50.0, 95.0, 99.0)


def test_unmeasured_energy_stays_null(engine: Engine) -> None:
    fill(engine, [attempt(engine="e", audio_s=60.0)])
    (row,) = catalog.run(engine, "energy").records()
    assert row["wh_per_audio_h"] is None
    assert row["energy_measured_share"] == 0


def test_sizing_counts_a_device_once_for_overlapping_attempts(engine: Engine) -> None:
    hour = 1_800_000_000

    def decode(start_s: int, end_s: int, **more: Any) -> dict[str, Any]:
        return attempt(
            **{
                **{"engine": "e", "device": "cuda:0", "pool": "threads", "worker": "g", "audio_s": 1200.0},
                **{"started_epoch": hour + start_s, "finished_epoch": hour + end_s, "run_s": end_s - start_s},
                **more,
            }
        )

    one = {"pool": "prefork", "task_name": "voxchord.text", "device": "cpu", "worker": "c", "audio_s": None}
    fill(
        engine,
        [
            decode(0, 60),
            decode(20, 100),
            decode(30, 40, state="FAILURE", audio_s=None),
            decode(200, 300),
            decode(400, 401, **one),
            decode(400, 403, **one),
        ],
    )
    device, process = catalog.run(engine, "sizing", hours=240, use=0.5).records()
    assert (device["task_name"], device["audio_h"]) == ("voxchord.diffusion", pytest.approx(1))
    assert device["busy_s_per_audio_h"] == pytest.approx(200), "0 to 100 and 200 to 300, not 250"
    assert device["places"] == pytest.approx(200 / 3600 * 240 / 24 / 0.5)
    assert (process["busy_s_per_audio_h"], process["n"]) == (pytest.approx(4), 2)


def test_clients_are_charged_for_child_processes(engine: Engine) -> None:
    fill(engine, [attempt(root_id="1", job="j", cpu_children_s=0.5), attempt(root_id="2", job="k")])
    (blog,) = catalog.run(engine, "clients").records()
    assert (blog["client"], blog["requests"], blog["jobs_run"], blog["cpu_s"]) == ("blog", 2, 2, 4.0)


def test_takes_are_counted_by_what_was_wrong_with_them(engine: Engine) -> None:
    def made(segment: int, take: int, findings: str, score: float) -> list[dict[str, Any]]:
        decoded = attempt(job="j", segment=segment, take=take, engine="e", run_s=3.0)
        verify: dict[str, Any] = {"task_name": "voxchord.verify", "findings": findings, "score": score}
        return [decoded, {**attempt(job="j", segment=segment, take=take, engine="e", run_s=1.0), **verify}]

    takes = [
        *(made(0, 0, "", 1.0) + made(1, 0, "noise", 0.5) + made(1, 1, "", 1.0)),
        *(made(2, 0, "noise", 0.3) + made(2, 1, "silence", 0.4) + made(2, 2, "silence", 0.2)),
        *made(0, 100, "noise", 0.1),
    ]
    fill(engine, takes)
    found = {row["findings"]: row for row in catalog.run(engine, "takes").records()}
    passed, noise, silence = (found[name] for name in ("passed", "noise", "silence"))
    assert (passed["takes"], passed["next_run_s"]) == (2, None)
    assert (noise["takes"], noise["made_again"], noise["replaced"]) == (2, 2, 1)
    assert (noise["score"], noise["next_run_s"], noise["next_cpu_s"]) == (pytest.approx(0.4), 8.0, 7.0)
    assert (silence["takes"], silence["made_again"], silence["replaced"]) == (2, 1, 0)


@pytest.mark.parametrize(
    ("of_its_part", "bound"),
    [
        ({"gpu_active_s": 1.0}, "gpu"),
        ({"cpu_user_s": 0.9}, "cpu"),
        ({"cpu_user_s": 0.5, "cpu_wait_s": 0.3}, "starved"),
        ({"gpu_active_s": 0.1}, "waiting"),
    ],
)
def test_bottlenecks_are_judged_by_share_of_time(
    engine: Engine, of_its_part: dict[str, float], bound: str
) -> None:
    """Eight attempts in one process share a device or core: each has an eighth of its figures and time."""
    part = {"cpu_user_s": 0.05, "cpu_system_s": 0.0, "cpu_children_s": 0.0, **of_its_part}
    fill(engine, [attempt(run_s=8.0, share_s=1.0, cpu_scope="share", **part) for _ in range(8)])
    (row,) = catalog.run(engine, "bound").records()
    assert (row["bound_by"], row["n"]) == (bound, 8)


def test_attempt_view_compares_with_share_of_time(engine: Engine) -> None:
    shared = {"run_s": 8.0, "cpu_user_s": 0.5, "cpu_system_s": 0.25, "gpu_active_s": 0.125}
    fill(engine, [attempt(share_s=1.0, cpus_allowed=2, **shared), attempt(share_s=None, **shared)])
    with engine.connect() as connection:
        query = text("SELECT cpu_pct, cpu_efficiency, idle_s FROM v_task_run ORDER BY share_s NULLS LAST")
        known, unknown = connection.execute(query).all()
    assert tuple(known) == (75.0, 0.375, 0.125)
    assert tuple(unknown) == (None, None, None)


def test_compared_jobs_name_their_first_difference(engine: Engine) -> None:
    def of(job: str, task: str, **facts: Any) -> dict[str, Any]:
        return attempt(job=job, task_name=f"voxchord.{task}", app_version="1", device="cpu", **facts)

    both = [of(job, task, queue_wait_s=0.2) for job in ("a", "b") for task in ("stitch", "text", "semantic")]
    changed = [
        of("a", "diffusion", queue_wait_s=0.2, run_s=4.0, gpu_energy_j=10.0),
        of("b", "diffusion", queue_wait_s=3.0, run_s=6.0, gpu_energy_j=15.0),
        of("b", "verify", queue_wait_s=0.1),
    ]
    fill(engine, both + changed)
    found = catalog.run(engine, "compare", a="a", b="b").records()
    assert [row["task_name"].partition(".")[2] for row in found] == [
        *("text", "semantic", "diffusion", "verify", "stitch")
    ]
    assert [(row["differs"], row["first_difference"]) for row in found] == [
        *((None, 0), (None, 0), ("wait", 1), ("missing", 0), (None, 0))
    ]
    diffusion = found[2]
    assert (diffusion["run_s_a"], diffusion["run_s_b"], diffusion["run_change_pct"]) == (4.0, 6.0, 50.0)
    assert (diffusion["wait_s_a"], diffusion["wait_s_b"]) == (0.2, 3.0)
    assert (diffusion["energy_j_a"], diffusion["energy_j_b"]) == (10.0, 15.0)
    text_page = page(engine, "a", "b")
    assert text_page is not None
    assert "The first difference is in diffusion: wait; its run time changed by +50 %." in text_page
    assert "5.0 s" not in text_page
    assert page(engine, "x", "y") is None


def test_compared_releases_read_aggregates_and_later_rows(engine: Engine) -> None:
    def of(version: str, hour: int, run_s: float) -> dict[str, Any]:
        began = 1_800_000_000 - 1_800_000_000 % 3600 + hour * 3600
        return attempt(app_version=version, run_s=run_s, started_epoch=began, started_at=float(began))

    fill(engine, [of("1", 0, 2.0), of("1", 0, 4.0), of("2", 10, 6.0)])
    sum_hours(engine, now=1_800_000_000 + 3 * 3600)
    (row,) = catalog.run(engine, "compare_releases").records()
    assert (row["version_a"], row["version_b"], row["n_a"], row["n_b"]) == ("1", "2", 2, 1)
    assert (row["run_s_a"], row["run_s_b"], row["differs"]) == (3.0, 6.0, "run time")
    text_page = page(engine, "1", "2", releases=True)
    assert text_page is not None
    assert "its run time changed by +100 %" in text_page
