"""Memory of a decoding worker over hours of audio, for `bench.lean`."""

import threading
from pathlib import Path
from typing import Any

import psutil

from bench.batching import script
from bench.harness import tiny
from bench.harness.fleet import Fleet
from bench.harness.recordings import recording
from pipeline.voices.library import Voices
from tasks.worker.commands import WAITING

SLOTS = 8
FIVE_MINUTES_S = 300


def growth(folder: Path, minutes: float) -> dict[str, Any]:
    """Measure a decoding worker's peak memory in its first five minutes of audio, and overall."""
    settings = {
        "VOXCHORD_ENGINE": "vibevoice",
        "VOXCHORD_MODEL": "tiny",
        "VOXCHORD_MODELS": f"tiny={tiny.save(folder / 'tiny', talkative=True)}",
        "VOXCHORD_SLOTS": str(SLOTS),
        "VOXCHORD_LOG_LEVEL": "WARNING",
        "MALLOC_ARENA_MAX": "1",  # as in `tasks.worker.commands.environment`
    }
    layout = {
        "intake": "voxchord",
        "cpu": "cpu.stitch,cpu.verify,cpu.semantic,cpu.text",
        "gpu0": "gpu.diffusion,gpu.speaker",
    }
    pools = {"gpu0": ("-P", "threads", "-c", str(SLOTS + WAITING))}
    with Fleet(folder / "service", settings=settings, layout=layout, pools=pools) as fleet:
        for name, seed in (("a", 1), ("b", 2)):
            Voices(fleet.jobs.store).add(name, recording(seed, 3.0))
        fleet.start()
        sizes = Sizes(fleet.workers["gpu0"].pid)
        sizes.start()
        made_s, until_five, number = 0.0, 0, 0
        by_job: list[int] = []
        while made_s < 60 * minutes:
            number += 1
            kwargs = {"script": paused(number), "voices": {"A": "a", "B": "b"}}
            result = fleet.app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord")
            made_s += result.get(timeout=600)["duration_s"]
            by_job.append(sizes.largest)
            sizes.largest = 0
            if not until_five and made_s >= FIVE_MINUTES_S:
                until_five = max(by_job)
        sizes.ended.set()
        sizes.join()
    return {
        "audio_minutes": round(made_s / 60, 1),
        "jobs": number,
        "largest_in_5_minutes_bytes": until_five,
        "largest_bytes": max(by_job),
        "largest_by_job_mb": [round(size / 1e6) for size in by_job],
        "growth": round(max(by_job) / until_five, 3) if until_five else None,
    }


def paused(number: int) -> str:
    """Script with one segment of half a minute per slot."""
    return "\n[pause:1s]\n".join(script(100 * number + part, 60) for part in range(SLOTS))


class Sizes(threading.Thread):
    """Largest sampled memory of a process."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.ended, self.largest = psutil.Process(pid), threading.Event(), 0

    def run(self) -> None:
        while not self.ended.wait(0.1):
            self.largest = max(self.largest, self.process.memory_info().rss)
