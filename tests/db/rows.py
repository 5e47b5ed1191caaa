"""Rows as the tasks spool them."""

from typing import Any
from uuid import uuid4


def attempt(**facts: Any) -> dict[str, Any]:
    """One attempt that went well, unless told otherwise."""
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
        "cpu_user_s": 1.5,
        "cpu_system_s": 0.25,
    } | facts
