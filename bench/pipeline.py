"""Cost of the pipeline: a script rendered directly in one process, and through Celery by two.

    python -m bench.pipeline --script FILE

Both sides in one run: one intra-op thread per decode, the same stitch, FLAC out, an empty store, models
loaded beforehand by a script of one line. About a minute on two cores for 45 minutes of audio.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

import bench.harness.threads  # noqa: F401 - before numpy
from pipeline import finalize, stages
from pipeline.engines.protocol import Uncontrolled
from pipeline.engines.registry import Engines
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import checked, split_options
from pipeline.script.parser import parse
from pipeline.stages import SegmentWork
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices
from tasks.local.service import LocalService
from tasks.make_app import make_app
from tasks.settings import Settings, load

_WARM_UP = "One line to load the voice."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--verify", choices=("off", "light"), default="light", help="through the workers")
    given = parser.parse_args()
    script = given.script.read_text()
    folder = Path(tempfile.mkdtemp(prefix="voxchord-bench-"))
    try:
        direct = in_one_process(script, folder / "direct")
        piped = through_workers(script, folder / "pipeline", given.workers, given.verify)
    finally:
        shutil.rmtree(folder)
    assert direct["sha256"] == piped["sha256"], "the two files differ"
    overhead_s = piped["cpu_s"] - direct["cpu_s"]
    print(
        json.dumps(
            {
                "audio_s": round(direct["audio_s"], 1),
                "segments": direct["segments"],
                "direct_wall_s": round(direct["wall_s"], 2),
                "pipeline_wall_s": round(piped["wall_s"], 2),
                "wall_ratio": round(piped["wall_s"] / direct["wall_s"], 3),
                "direct_cpu_s": round(direct["cpu_s"], 2),
                "pipeline_cpu_s": round(piped["cpu_s"], 2),
                "cpu_overhead_ms_per_segment": round(1000 * overhead_s / direct["segments"], 1),
                "speed": round(direct["audio_s"] / piped["wall_s"], 1),
            }
        )
    )


def in_one_process(script: str, folder: Path) -> dict[str, Any]:
    """Run the same stages and the same stitch in sequence, without Celery."""
    _render(_WARM_UP, Jobs(Store(str(folder / "warm"))))
    jobs = Jobs(Store(str(folder / "store")))
    wall, cpu = time.perf_counter(), time.process_time()
    manifest = _render(script, jobs)
    return _measured(manifest, time.perf_counter() - wall, time.process_time() - cpu)


def _render(script: str, jobs: Jobs) -> dict[str, Any]:
    options, rest = split_options({"format": "flac"}, engine="hibari")
    engine = Engines().load(options.engine)
    request = checked(parse(script), {}, options, rest, engine=engine, registered=Voices(jobs.store))
    plan = jobs.plans.create(request, engine.profile)
    for segment in jobs.plans.segments(plan):
        work = SegmentWork(jobs.store, plan, segment, engine)
        stages.prepare(work)
        stages.diffusion(work, Uncontrolled())
    return finalize.finish(jobs, plan, engine.profile, Uncontrolled())


def through_workers(script: str, folder: Path, workers: int, verify: str) -> dict[str, Any]:
    """Render through the broker and workers of a running local service."""
    settings = Settings(**{**_fields(load()), "state": folder, "broker_url": "", "store": ""})
    with LocalService(settings, concurrency=workers) as service:
        app = make_app(settings, service.broker_url)
        _send(app, _WARM_UP, verify)
        processes = [process.pid for process in service.processes]
        if service.broker.process:
            processes.append(service.broker.process.pid)
        before, wall = _cpu_s(processes), time.perf_counter()
        manifest = _send(app, script, verify)
        wall = time.perf_counter() - wall
        return _measured(manifest, wall, _cpu_s(processes) - before)


def _send(app: Any, script: str, verify: str) -> dict[str, Any]:
    kwargs = {"script": script, "voices": {}, "options": {"format": "flac", "verify": verify}}
    manifest: dict[str, Any] = app.send_task("voxchord.render", kwargs=kwargs, queue="voxchord").get()
    return manifest


def _fields(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in Settings.__slots__}


def _measured(manifest: dict[str, Any], wall_s: float, cpu_s: float) -> dict[str, Any]:
    return {
        "audio_s": manifest["duration_s"],
        "segments": manifest["segments"],
        "sha256": manifest["audio"]["sha256"],
        "wall_s": wall_s,
        "cpu_s": cpu_s,
    }


def _cpu_s(processes: list[int]) -> float:
    """CPU time of these processes with their descendants, and of this one."""
    own = psutil.Process()
    trees = [psutil.Process(pid) for pid in processes]
    everyone = {own, *trees, *(child for tree in trees for child in tree.children(recursive=True))}
    return sum(sum(process.cpu_times()[:2]) for process in everyone)


if __name__ == "__main__":
    main()
