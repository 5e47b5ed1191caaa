"""Rows of the history, as tasks spool them."""

import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4


def attempt(**facts: Any) -> dict[str, Any]:
    """Row of one attempt, successful by default."""
    return {
        "attempt_uid": str(uuid4()),
        "task_id": str(uuid4()),
        "task_name": "voxchord.diffusion",
        "state": "SUCCESS",
        "attempt": 0,
        "started_at": 1_800_000_000.25,
        "started_epoch": 1_800_000_000,
        "finished_at": 1_800_000_002.25,
        "finished_epoch": 1_800_000_002,
        "run_s": 2.0,
        "share_s": 2.0,
        "cpu_user_s": 1.5,
        "cpu_system_s": 0.25,
    } | facts


HOUR_S = 3600
_STAGES = {
    # task: (queue, mean run in seconds, peak in MiB)
    "voxchord.text": ("cpu.text", 0.004, 95),
    "voxchord.semantic": ("cpu.semantic", 0.02, 110),
    "voxchord.diffusion": ("gpu.diffusion", 1.2, 420),
    "voxchord.verify": ("cpu.verify", 0.01, 120),
    "voxchord.stitch": ("cpu.stitch", 0.9, 180),
}


def history(
    count: int, *, days: int = 30, seed: int = 1, newest: int = 1_800_000_000
) -> Iterator[dict[str, Any]]:
    """Attempts of a busy month: two engines, three versions, some failed, some killed."""
    chance = random.Random(seed)
    first = newest - days * 24 * HOUR_S
    for number in range(count):
        started = first + (newest - first) * number / max(1, count - 1)
        yield _one(chance, number, started, (started - first) / (newest - first))


def _one(chance: random.Random, number: int, started: float, age: float) -> dict[str, Any]:
    task_name = chance.choice(tuple(_STAGES))
    queue, mean_s, peak_mib = _STAGES[task_name]
    on_gpu = queue.startswith("gpu") and chance.random() < 0.5
    version = f"1.{int(age * 2.999)}.0"
    run_s = mean_s * chance.lognormvariate(0, 0.3) * (1.1 if version == "1.2.0" else 1.0)
    child = chance.randrange(8)
    wait_s = chance.expovariate(1 / 2.0)
    job = number // 400
    state = chance.choices(("SUCCESS", "FAILURE", "RETRY", "LOST"), (97, 1, 1.5, 0.5))[0]
    row = {
        "attempt_uid": f"{number:08x}-0000-7000-8000-{seed_of(number):012x}",
        "task_id": f"task-{number}",
        "root_id": f"root-{job}",
        "job": f"job-{job}",
        "segment": number % 100,
        "attempt": 0,
        "redelivered": 0,
        "task_name": task_name,
        "queue": queue,
        "priority": 5,
        "app_version": version,
        "stats_version": 1,
        "host": "host-1",
        "worker": f"{queue}@host-1",
        "worker_pid": 1000 + child + 10 * (number // 50_000),
        "pool": "threads" if on_gpu else "prefork",
        "concurrency": 8,
        "child_seq": number % 50_000 // 8,
        "overlap_max": 1,
        "state": state,
        "exc_type": None if state == "SUCCESS" else "StoreError",
        "published_at": started - wait_s,
        "first_published_at": started - wait_s,
        "received_at": started - 0.01,
        "started_at": started,
        "finished_at": started + run_s,
        "started_epoch": int(started),
        "finished_epoch": int(started + run_s),
        "broker_wait_s": wait_s,
        "prefetch_wait_s": 0.01,
        "queue_wait_s": wait_s + 0.01,
        "total_s": wait_s + run_s,
        "clock_skew": 0,
        "run_s": run_s,
        "share_s": run_s,
        "cpu_user_s": run_s * chance.uniform(0.5, 0.95),
        "cpu_system_s": run_s * 0.03,
        "cpu_children_s": 0.0,
        "cpu_scope": "process",
        "cpu_wait_s": run_s * chance.uniform(0, 0.3),
        "cpus_allowed": 8,
        "ctx_vol": chance.randrange(500),
        "ctx_invol": chance.randrange(50),
        "faults_minor": chance.randrange(50_000),
        "faults_major": 0,
        "rss_start_bytes": (peak_mib - 30) << 20,
        "rss_end_bytes": (peak_mib - 25) << 20,
        "rss_mean_bytes": (peak_mib - 20) << 20,
        "rss_peak_bytes": int(peak_mib * 2**20 * chance.uniform(0.9, 1.1)),
        "rss_peak_method": "hwm_reset",
        "mem_limit_bytes": 8 << 30,
        "io_rchar": 10_000,
        "io_wchar": 20_000,
        "io_read_calls": 12,
        "io_write_calls": 6,
        "engine": "vibevoice" if on_gpu else "hibari",
        "device": "cuda:0" if on_gpu else "cpu",
        "chars_in": 1200,
        "cache_hit": 0,
        "cold_start": int(number % 1000 == 0),
        "model_load_s": 2.5 if number % 1000 == 0 else None,
        "sample_count": 3,
        "stats_complete": int(state != "LOST"),
        "recorded_at": started + run_s,
    }
    if task_name in {"voxchord.diffusion", "voxchord.stitch"}:
        audio_s = chance.uniform(40, 90)
        row |= {"audio_s": audio_s, "rtf": run_s / audio_s, "sample_rate": 24_000, "bytes_out": 2_000_000}
    if task_name in {"voxchord.diffusion", "voxchord.verify"}:
        row["take"] = number // 100 % 2
    if task_name == "voxchord.verify" and state == "SUCCESS":
        row |= {"findings": "", "score": 1.0} if number % 3 else {"findings": "noise", "score": 0.4}
    if on_gpu:
        row |= {
            "gpu_active_s": run_s * 0.8,
            "gpu_mem_alloc_peak_bytes": 6 << 30,
            "gpu_mem_reserved_peak_bytes": 8 << 30,
            "gpu_mem_total_bytes": 80 << 30,
            "gpu_energy_j": run_s * 300,
            "energy_method": "nvml_counter",
            "energy_scope": "device_exclusive",
        }
    return row


def seed_of(number: int) -> int:
    """Pseudo-random digits, so that the key's index grows as in production."""
    return number * 0x9E3779B1 % 2**48
