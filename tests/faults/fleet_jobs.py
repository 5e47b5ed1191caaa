"""Jobs of a fleet: their results, decodes and messages, and commands about them."""

from pathlib import Path
from typing import Any

import pytest

from bench.harness import forked
from bench.harness.fleet import Fleet
from tests.faults.mischief import deeds

LIMIT_S = 60


def done(result: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = result.get(timeout=LIMIT_S)
    return manifest


def failed(result: Any) -> str:
    with pytest.raises(Exception) as found:  # noqa: PT011 - its class is the sender's business; the words are ours
        result.get(timeout=LIMIT_S)
    return f"{type(found.value).__name__} {found.value}"


def state(fleet: Fleet) -> Path:
    return fleet.folder / "state"


def queued(fleet: Fleet) -> int:
    return sum(1 for _ in fleet.payloads()) + int(fleet.client.hlen("voxchord.unacked"))


def decodes(fleet: Fleet, job: str) -> list[int]:
    """Number of decodes of each of a job's segments."""
    seen = deeds(state(fleet))
    plan = fleet.jobs.plans.need(job)
    return [seen.count(f"decode {segment.seed}") for segment in fleet.jobs.plans.segments(plan)]


def command(fleet: Fleet, *words: str) -> str:
    """Run a command of the project; returns what it printed."""
    done = forked.run(words, {**fleet.environment, "COLUMNS": "300"}, fleet.folder)
    return done.stdout + done.stderr
