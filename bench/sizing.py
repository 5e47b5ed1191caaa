"""Cost of a segment for broker, database, store and intake, and the next bottleneck.

    python -m bench.sizing [--segments 300]

A job of silent segments goes through workers with default settings, so that only the service is counted: once
with a folder as store, for rows and for the broker's commands and CPU time (a Valkey on this machine); once
with an S3 server, for requests to the store. Then rows are written to PostgreSQL by the history's writer. A
broker uses one core, so `broker_segments_per_s` is per core; other load makes it smaller. About a minute on
two cores.
"""

import argparse
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.harness.fleet import Fleet
from bench.harness.rows import history
from bench.harness.services import postgres, s3
from bench.harness.silence import SETTING
from bench.harness.waiting import until
from bench.scale import script
from db.database import open_database
from db.ingest import spool
from db.ingest.spool import Spool
from db.ingest.writer import Writer
from db.schema import task_run

_LAYOUT = {
    "intake": "voxchord",
    "work0": "gpu.diffusion,gpu.speaker,cpu.stitch,cpu.verify,cpu.semantic,cpu.text",
    "work1": "gpu.diffusion,gpu.speaker,cpu.stitch,cpu.verify,cpu.semantic,cpu.text",
}
_ROWS = 10_000
_LIMIT_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=int, default=300)
    segments = parser.parse_args().segments
    result: dict[str, Any] = {"segments": segments, **through_folder(segments)}
    print(json.dumps(result), flush=True)
    result |= through_s3(max(20, segments // 5))
    print(json.dumps(result), flush=True)
    result |= through_postgresql()
    print(json.dumps(result))


def warm(fleet: Fleet, segments: int) -> int:
    """Warm up all workers; returns the broker's memory per waiting segment, in bytes."""
    fleet.start("intake")
    fleet.ready("intake")
    before = fleet.client.info("memory")["used_memory"]
    sent = fleet.send(script("first", segments), {"engine": "silence"})
    until(lambda: sum(1 for _ in fleet.payloads()) >= min(segments, 50), _LIMIT_S)
    until(lambda: any(fleet.roots.sent(job) for job in fleet.jobs.coordination.opened()), _LIMIT_S)
    waiting = int(fleet.client.info("memory")["used_memory"] - before)
    fleet.start("work0", "work1")
    fleet.ready("work0", "work1")
    sent.get(timeout=_LIMIT_S)
    return round(waiting / segments)


def through_folder(segments: int) -> dict[str, Any]:
    """Measure broker and history, per segment."""
    with tempfile.TemporaryDirectory() as folder:
        with Fleet(Path(folder), settings={"VOXCHORD_ENGINES": SETTING}, layout=_LAYOUT) as fleet:
            waiting = warm(fleet, segments)
            before, began = _broker(fleet), time.monotonic()
            manifest = fleet.send(script("sizing", segments), {"engine": "silence"}).get(timeout=_LIMIT_S)
            took_s, after = time.monotonic() - began, _broker(fleet)
            assert manifest["segments"] == segments
            time.sleep(2)  # for the writers' last rows
            database = f"sqlite:///{folder}/state/history.db"
        engine = open_database(database)
        rows = select(func.count()).select_from(task_run).where(task_run.c.job == manifest["job"])
        intake = select(task_run.c.run_s).where(
            task_run.c.job == manifest["job"], task_run.c.task_name == "voxchord.render"
        )
        with engine.connect() as connection:
            attempts, planned_s = (
                connection.execute(rows).scalar_one(),
                connection.execute(intake).scalar_one(),
            )
        engine.dispose()
    cpu_ms = 1000 * (after["cpu_s"] - before["cpu_s"]) / segments
    return {
        "segments_per_s": round(segments / took_s, 1),
        "broker_commands_per_segment": round((after["commands"] - before["commands"]) / segments, 1),
        "broker_bytes_in_per_segment": round((after["bytes"] - before["bytes"]) / segments),
        "broker_bytes_per_waiting_segment": waiting,
        "broker_cpu_ms_per_segment": round(cpu_ms, 3),
        "broker_segments_per_s": round(1000 / cpu_ms),
        "rows_per_segment": round(attempts / segments, 2),
        "intake_ms_per_segment": round(1000 * planned_s / segments, 2),
    }


def _broker(fleet: Fleet) -> dict[str, float]:
    with fleet.client as client:
        cpu, stats = client.info("cpu"), client.info("stats")
    return {
        "cpu_s": cpu["used_cpu_sys"] + cpu["used_cpu_user"],
        "commands": stats["total_commands_processed"],
        "bytes": stats["total_net_input_bytes"],
    }


def through_s3(segments: int) -> dict[str, Any]:
    """Count requests to the store per segment, by method."""
    with ExitStack() as stack:
        server = stack.enter_context(s3())
        os.environ.update(server.environment)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        fleet = stack.enter_context(
            Fleet(
                Path(folder),
                settings={"VOXCHORD_ENGINES": SETTING},
                store_url=server.new_bucket(),
                layout=_LAYOUT,
            )
        )
        warm(fleet, 20)
        server.asked.clear()
        fleet.send(script("sizing", segments), {"engine": "silence"}).get(timeout=_LIMIT_S)
        asked = {method: round(count / segments, 1) for method, count in sorted(server.asked.items())}
    return {"store_requests_per_segment": asked}


def through_postgresql() -> dict[str, int]:
    """Rows per second of one writer, from spooled lines to table and indexes."""
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        left = Spool(Path(folder))
        for row in history(_ROWS):
            left.append("task_run", row)
        left.close()
        url = server.new_database()
        engine = open_database(url)
        writer = Writer(url, Path(folder))
        began = time.perf_counter()
        writer.start()
        while spool.pending_bytes(Path(folder)):
            time.sleep(0.02)
        taken = time.perf_counter() - began
        writer.stop()
        with engine.connect() as connection:
            size = connection.execute(select(func.pg_total_relation_size("task_run"))).scalar_one()
        engine.dispose()
    return {"database_rows_per_s": round(_ROWS / taken), "database_bytes_per_row": round(size / _ROWS)}


if __name__ == "__main__":
    main()
