"""Tests of metrics against the history."""

import time
import urllib.request
from collections import Counter
from typing import Any

import pytest
import redis
from celery import Celery
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Table, select

from bench.harness.malformed import MALFORMED
from bench.harness.waiting import until
from db.database import open_database
from db.schema import BUCKETS_S, STATES, job, task_run
from tasks.metering.prometheus import BYTES, RATIO, Attempts
from tests.console import Console

LABELS = {"task", "queue", "state", "engine", "device", "stage", "mode", "source", "scope"}
LABELS |= {"direction", "finding"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(console: Console) -> Samples:
    """Sum of all workers' samples."""
    found: Samples = Counter()  # type: ignore[assignment]  # a counter of floats
    for port in (console.metrics_port, console.metrics_port + 1):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            for family in text_string_to_metric_families(answer.read().decode()):
                for sample in family.samples:
                    found[sample.name, frozenset(sample.labels.items())] += sample.value
    return found


def total(samples: Samples, name: str, **labels: str) -> float:
    return sum(
        value
        for (found, own), value in samples.items()
        if found == name and labels.items() <= dict(own).items()
    )


def rows(console: Console, table: Table = task_run) -> list[dict[str, Any]]:
    engine = open_database(console.settings.history_url)
    with engine.connect() as connection:
        found = [dict(row) for row in connection.execute(select(table)).mappings()]
    engine.dispose()
    return found


def counted(samples: Samples) -> dict[tuple[str, str], float]:
    """Attempts by task and state, from the metrics."""
    found: dict[tuple[str, str], float] = Counter()  # type: ignore[assignment]  # a counter of floats
    for (name, labels), value in samples.items():
        if name == "tts_task_attempts_total":
            own = dict(labels)
            found[own["task"], own["state"]] += value
    return dict(found)


def stored(written: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """Attempts by task and state, from the history."""
    return dict(Counter((row["task_name"], row["state"]) for row in written))


def settled(console: Console, *, within_s: float = 30) -> tuple[Samples, list[dict[str, Any]]]:
    """Wait until metrics and rows agree; returns both, also after a timeout, since tasks run all the time."""
    deadline = time.monotonic() + within_s
    while True:
        samples, written = scraped(console), rows(console)
        if counted(samples) == stored(written) or time.monotonic() > deadline:
            return samples, written
        time.sleep(0.05)


def test_counters_match_the_history(console: Console) -> None:
    app = Celery(broker=console.broker, backend=console.broker)
    kwargs = {"script": "Alice: Count the herons.\nBob: Nine of them, at the weir.", "options": {"seed": 11}}
    manifest = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get(timeout=60)
    app.close()
    until(
        lambda: any(row["job"] == manifest["job"] and "stitch" in row["task_name"] for row in rows(console))
    )
    samples, written = settled(console)
    assert counted(samples) == stored(written)
    made = [row for row in written if row["task_name"] == "voxchord.diffusion" and not row["cache_hit"]]
    for name, column in {
        "tts_audio_seconds_total": "audio_s",
        "tts_task_run_seconds_sum": "run_s",
        "tts_task_rtf_ratio_sum": "rtf",
        "tts_task_rss_peak_bytes_sum": "rss_peak_bytes",
    }.items():
        counted_rows = written if column in ("run_s", "rss_peak_bytes") else made
        diffusions = (row for row in counted_rows if row["task_name"] == "voxchord.diffusion")
        expected = sum(row[column] or 0 for row in diffusions)
        assert total(samples, name, task="voxchord.diffusion") == pytest.approx(expected), name
    ratios = [row["rtf"] for row in made if row["rtf"] is not None]  # attempts that failed have none
    for bound in (1.0, float("inf")):
        le = "+Inf" if bound == float("inf") else str(bound)
        within = sum(ratio <= bound for ratio in ratios)
        assert total(samples, "tts_task_rtf_ratio_bucket", le=le, task="voxchord.diffusion") == within
    assert ratios
    assert total(samples, "tts_build_info", version="0.1.0") == 2
    row = next(row for row in rows(console, job) if row["id"] == manifest["job"])
    assert int(row["created_at"].timestamp()) == row["created_epoch"]
    assert row["created_at"] < row["finished_at"]
    assert int(row["finished_at"].timestamp()) == row["finished_epoch"]


def test_gauges_show_current_values_only(console: Console) -> None:
    until(lambda: total(scraped(console), "tts_tasks_running") == 0)
    samples = scraped(console)
    assert 0 <= total(samples, "cpu_usage") <= 2, "a share for each of two workers"
    queues = {dict(labels)["queue"] for name, labels in samples if name == "tts_queue_messages"}
    assert queues == {
        "voxchord",
        "cpu.text",
        "cpu.semantic",
        "cpu.verify",
        "cpu.stitch",
        "gpu.speaker",
        "gpu.diffusion",
    }
    assert total(samples, "tts_stats_rows_dropped_total") == 0


def test_queues_have_length_and_age(console: Console) -> None:
    """Send messages to a queue that no worker serves for a while."""
    app = Celery(broker=console.broker, backend=console.broker)
    worker = _worker(app)
    app.control.cancel_consumer("cpu.stitch", reply=True, destination=worker)
    try:
        headers = {"voxchord_published": time.time()}  # as our own messages say
        for priority in (0, 9):
            app.send_task(
                "voxchord.stitch", ({"job": "none"},), queue="cpu.stitch", headers=headers, priority=priority
            )
        until(lambda: total(scraped(console), "tts_queue_messages", queue="cpu.stitch") == 2)
        until(lambda: total(scraped(console), "tts_queue_oldest_seconds", queue="cpu.stitch") > 1)
    finally:
        with redis.Redis.from_url(console.broker) as client:
            for key in list(client.scan_iter("cpu.stitch*", _type="list")):
                client.delete(key)
        app.control.add_consumer("cpu.stitch", reply=True, destination=worker)
        app.close()


def test_dead_letters_are_counted_by_part(console: Console) -> None:
    before = scraped(console)
    held = total(before, "tts_dead_letters_held")
    with redis.Redis.from_url(console.broker) as client:
        for name in ("body a number", "time limits text", "not JSON"):
            client.lpush("voxchord", MALFORMED[name]("voxchord"))
    until(lambda: total(scraped(console), "tts_dead_letters_held") == held + 3)
    after = scraped(console)
    for part in ("body", "headers", "envelope"):
        already = total(before, "tts_dead_letters_total", part=part)
        assert total(after, "tts_dead_letters_total", part=part) == already + 1
    assert total(after, "tts_jobs_not_resumed_total") == 0


def _worker(app: Celery) -> list[str]:
    return [name for name in app.control.inspect().ping() or {} if name.startswith("work@")]


def test_unmeasured_figures_are_not_counted() -> None:
    registry = CollectorRegistry()
    attempts = Attempts(registry)
    for state in STATES:
        attempts.count({"task_name": "voxchord.text", "state": state})
    read = registry.get_sample_value
    assert read("tts_task_attempts_total", {"task": "voxchord.text", "queue": "", "state": "LOST"}) == 1
    assert read("tts_task_run_seconds_count", {"task": "voxchord.text", "engine": ""}) == 0
    assert read("tts_task_retries_total", {"task": "voxchord.text"}) == 1


def test_verdicts_and_takes_are_counted() -> None:
    registry = CollectorRegistry()
    attempts = Attempts(registry)

    def made(take: int, findings: str | None = None, **more: Any) -> None:
        task = "voxchord.diffusion" if findings is None else "voxchord.verify"
        row = {"task_name": task, "engine": "e", "state": "SUCCESS", "take": take, "findings": findings}
        attempts.count({**row, **more})

    made(0)
    made(0, "silence,noise")
    made(1)
    made(1, "noise")
    made(2)
    made(2, "")
    made(100)  # asked for by hand
    made(100, "")
    made(3, state="FAILURE")
    made(1, "noise", cache_hit=1)
    read = registry.get_sample_value
    found = {
        name: read("tts_verdicts_total", {"engine": "e", "finding": name})
        for name in ("silence", "noise", "passed")
    }
    assert found == {"silence": 1, "noise": 2, "passed": 2}
    assert read("tts_takes_repeated_total", {"engine": "e"}) == 2
    assert read("tts_takes_replaced_total", {"engine": "e"}) == 1


def test_labels_are_few_and_buckets_reach_15_minutes() -> None:
    registry = CollectorRegistry()
    Attempts(registry).count({"task_name": "voxchord.diffusion", "state": "SUCCESS", "run_s": 1.0})
    for family in registry.collect():
        for sample in family.samples:
            assert sample.labels.keys() <= LABELS | {"le"}
    assert (BUCKETS_S[0], BUCKETS_S[-1]) == (0.05, 900)
    assert 1 in RATIO, "real time is a boundary"
    assert (BYTES[0], BYTES[-1]) == (2**26, 2**36)
