"""Kills and disturbs every part in turn while jobs run; each job must give the bytes of an undisturbed run.

    python -m bench.faults [--short]

Several fleets of workers run at the same time, each with its broker, store and history: two with short
timeouts (listed in the output), one with default settings, whose workers are killed as a whole. Two jobs are
sent before each fault. The fault occurs at a random time, or while its target stage runs; a supervisor
restarts what broke, and both jobs must finish. `longest_recovery_s` is the time from a fault to the end of
the last job, including its remaining work. Lost and repeated segments are computed from the store (the turns
of the file against those of the undisturbed run), repeated decodes from `task_run`.

About eight minutes on two cores; `--short` two.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import bench.harness.threads  # noqa: F401 - before numpy
from bench.harness import disturbances
from bench.harness.disturbances import Disturbance
from bench.harness.fleet import QUICK, Fleet
from bench.harness.services import Postgres
from bench.harness.waiting import until
from bench.pipeline import _render
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store

_LIMIT_S = 180.0
"""Seconds after a fault at which an unfinished job counts as lost."""
_AWAY_S = 30.0
_DISTURBED_S = 6.0
TURNS = 12
_SENTENCES = (
    "The tide had turned before we reached the quay. Nobody spoke of it. We tied the boat, we carried the "
    "nets up to the loft, and we counted what was left of the day. There were nine of us in the spring. "
)
STAGES = {
    "text": "cpu",
    "semantic": "cpu",
    "speaker": "gpu",
    "diffusion": "gpu",
    "verify": "cpu",
    "stitch": "cpu",
}


def script(number: int, turns: int) -> str:
    return "\n".join(
        f"{'Anna' if i % 2 else 'Bela'}: Script {number}, entry {i}. {_SENTENCES}" for i in range(turns)
    )


@dataclass
class Line:
    """Record of one fault in the output."""

    fault: str
    fleet: str
    settings: dict[str, str]
    at_s: float
    """Seconds since the start of the bench."""
    recovery_s: float | None = None
    finished: int = 0
    extra_decodes: int = 0
    lost: int = 0
    twice: int = 0
    identical: bool = False
    note: str = ""
    injected: bool = True


@dataclass
class Quiet:
    """Results of an undisturbed run."""

    sha256: str
    turns: list[Any]


@dataclass
class Bench:
    """One fleet and its faults."""

    name: str
    fleet: Fleet
    quiet: Mapping[int, Quiet]
    turns: int
    settings: dict[str, str]
    began: float
    database: Postgres | None = None
    lines: list[Line] = field(default_factory=list)
    hit: float = 0.0
    roots: dict[int, str] = field(default_factory=dict)
    note: str = ""

    def run(self, faults: list[tuple[str, Callable[["Bench"], None]]]) -> None:
        for label, fault in faults:
            self.lines.append(line := Line(label, self.name, self.settings, 0.0))
            try:
                self._one(line, fault)
            except Exception as error:  # noqa: BLE001 - recorded in the output; the next fault follows
                line.note += f" {type(error).__name__}: {error}"
            print(json.dumps(asdict(line)), flush=True)
            self._mend()

    def _one(self, line: Line, fault: Callable[["Bench"], None]) -> None:
        numbers = random.sample(sorted(self.quiet), 2)
        for number in numbers:
            self._forget(number)
        sent = {number: self.fleet.send(script(number, self.turns)) for number in numbers}
        self.roots = {number: str(result.id) for number, result in sent.items()}
        moment = time.monotonic()
        line.at_s = round(moment - self.began, 1)
        try:
            fault(self)
        except TimeoutError:
            line.injected, line.note = False, "not injected: what it was meant for did not come"
        line.note, self.note = line.note or self.note, ""
        self.hit = self.hit or moment
        try:
            for number, result in sent.items():
                self._judge(line, number, result)
        except Exception:
            line.lost += self.turns * (2 - line.finished)
            raise
        finally:
            line.recovery_s = round(time.monotonic() - self.hit, 1)
            self.hit = 0.0

    def _judge(self, line: Line, number: int, result: Any) -> None:
        until(lambda: self._supervised(result), _LIMIT_S, every_s=0.5)
        manifest = result.get(timeout=_LIMIT_S)
        store, quiet = self.fleet.jobs.store, self.quiet[number]
        turns = json.loads(store.objects.read(manifest["turns"]["name"]) or b"[]")
        have, want = Counter(turn["turn"] for turn in turns), Counter(turn["turn"] for turn in quiet.turns)
        line.lost += (want - have).total()
        line.twice += (have - want).total()
        same = manifest["audio"]["sha256"] == quiet.sha256 and self._sha256(manifest) == quiet.sha256
        line.identical = same and (line.identical or not line.finished)
        line.finished += 1
        line.extra_decodes += self._decoded_again(str(result.id))

    def _supervised(self, result: Any) -> bool:
        """True if there is an answer; workers that ended by themselves are started again meanwhile."""
        for name, process in self.fleet.workers.items():
            if process.poll() is not None:
                self.fleet.start(name)
        return bool(result.ready())

    def _sha256(self, manifest: dict[str, Any]) -> str:
        import hashlib

        data = self.fleet.jobs.store.objects.read(manifest["audio"]["name"]) or b""
        return hashlib.sha256(data).hexdigest()

    def _decoded_again(self, root: str) -> int:
        """Number of repeated decodes, from the history."""
        from sqlalchemy import create_engine, text
        from sqlalchemy.exc import SQLAlchemyError

        url = self.settings_url
        query = text(
            "SELECT segment, count(*) FROM task_run WHERE root_id = :root"
            " AND task_name = 'voxchord.diffusion' AND audio_s IS NOT NULL GROUP BY segment"
        )
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                return sum(count - 1 for _, count in connection.execute(query, {"root": root}))
        except SQLAlchemyError:
            return 0
        finally:
            engine.dispose()

    @property
    def settings_url(self) -> str:
        if self.database:
            return self.database.url().replace("postgresql://", "postgresql+psycopg://")
        return f"sqlite:///file:{disturbances.history_file(self.fleet)}?mode=ro&uri=true"

    def _forget(self, number: int) -> None:
        """Remove a script's job from the store, so that it is rendered again."""
        objects = self.fleet.jobs.store.objects
        folder = Path(self.fleet.store)
        for job in [path.name for path in (folder / "jobs").glob("*")]:
            plan = self.fleet.jobs.plans.get(job)
            if plan and self.fleet.jobs.plans.segment(job, 0).lines[0].text.startswith(f"Script {number},"):
                for segment in self.fleet.jobs.plans.segments(plan):
                    shutil.rmtree(folder / "segments" / segment.key[:2] / segment.key, ignore_errors=True)
                shutil.rmtree(folder / "jobs" / job, ignore_errors=True)
                objects.delete(f"open/{job}")

    def _mend(self) -> None:
        for name, process in self.fleet.workers.items():
            if process.poll() is not None:
                self.fleet.start(name)
        self.fleet.ready()

    def struck(self) -> None:
        """Record the fault."""
        self.hit = time.monotonic()

    def worker_of(self, stage: str, pid: int) -> str:
        """Worker whose child runs the attempt."""
        for name in self.fleet.workers:
            if self.fleet.workers[name].poll() is None and any(
                child.pid == pid for child in self.fleet.children(name)
            ):
                return name
        return "cpu" if STAGES[stage] == "cpu" else "gpu0"

    def caught(self, stage: str, timeout_s: float = 2.5) -> int:
        """A process that runs the stage, or one that may run it if the stage is too short to observe."""
        try:
            return until(lambda: self.fleet.trying(stage), timeout_s, every_s=0.001)[0][1]
        except TimeoutError:
            self.note = "the stage was too short to be met: at a random moment"
            return int(self.fleet.children("cpu" if STAGES[stage] == "cpu" else "gpu0")[0].pid)


Fault = Callable[[Bench], None]
Plan = tuple[str, Mapping[str, str], list[tuple[str, Fault]]]
"""A fleet's name, settings and faults."""


def child(stage: str) -> Fault:
    def strike(bench: Bench) -> None:
        pid = bench.caught(stage)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        bench.struck()

    return strike


def whole(stage: str, restart_s: float = 2.0) -> Fault:
    """Kill a worker with all its processes; a supervisor restarts it."""

    def strike(bench: Bench) -> None:
        name = bench.worker_of(stage, bench.caught(stage))
        bench.fleet.kill(name)
        bench.struck()
        time.sleep(restart_s)
        bench.fleet.start(name)

    return strike


def intake(how: str) -> Fault:
    """Kill an intake worker while it plans and publishes, just after the jobs were sent."""

    def strike(bench: Bench) -> None:
        time.sleep(random.uniform(0.0, 0.4))
        if how == "child":
            for process in bench.fleet.children("intake"):
                process.kill()
            bench.struck()
            return
        bench.fleet.kill("intake")
        bench.struck()
        time.sleep(2)
        bench.fleet.start("intake")

    return strike


def main_only(bench: Bench) -> None:
    """Kill the main process only; its child notices and exits."""
    time.sleep(random.uniform(0.5, 3))
    name = random.choice(["gpu0", "gpu1", "cpu"])
    bench.fleet.workers[name].kill()
    bench.struck()
    bench.fleet.workers[name].wait()
    bench.fleet.start(name)


def terminate(name: str) -> Fault:
    def strike(bench: Bench) -> None:
        time.sleep(random.uniform(0.2, 2))
        bench.fleet.workers[name].terminate()
        bench.struck()
        bench.fleet.workers[name].wait(60)
        bench.fleet.start(name)

    return strike


def paused(bench: Bench) -> None:
    """Stop a worker beyond the visibility timeout, then continue it: it finishes its copy."""
    name = bench.worker_of("diffusion", bench.caught("diffusion"))
    group = bench.fleet.workers[name].pid
    os.killpg(group, signal.SIGSTOP)
    bench.struck()
    time.sleep(10)
    os.killpg(group, signal.SIGCONT)


def broker_killed(bench: Bench) -> None:
    time.sleep(random.uniform(0.2, 2.5))
    bench.fleet.kill_broker()
    bench.struck()
    bench.fleet.start_broker()


def broker_away(bench: Bench) -> None:
    time.sleep(random.uniform(0.5, 1.5))
    bench.fleet.kill_broker()
    bench.struck()
    time.sleep(_AWAY_S)
    bench.fleet.start_broker()


def broker_empty(bench: Bench) -> None:
    """Erase the broker's memory, before either job is answered: it would forget an answer, too.

    Raises:
        TimeoutError: one was answered already.
    """
    until(lambda: len(bench.fleet.planned()) == 2, 20)
    time.sleep(random.uniform(0.1, 0.8))
    if any(bench.fleet.app.AsyncResult(root).ready() for root in bench.roots.values()):
        raise TimeoutError
    bench.fleet.client.flushall()
    bench.struck()


def database_away(bench: Bench) -> None:
    time.sleep(random.uniform(0.2, 1.0))
    if bench.database:
        bench.database.stop()
        bench.struck()
        time.sleep(8)
        bench.database.start()


def store_refuses(bench: Bench) -> None:
    """Make the store refuse writes: a file replaces its folder of new files."""
    time.sleep(random.uniform(0.3, 2))
    scratch = Path(bench.fleet.store) / ".scratch"
    moved = scratch.with_name(".scratch-away")
    scratch.rename(moved)
    scratch.write_bytes(b"")
    bench.struck()
    time.sleep(8)
    scratch.unlink()
    moved.rename(scratch)


def disk_full(bench: Bench) -> None:
    """Fill the store's disk, a small one of its own."""
    time.sleep(random.uniform(0.3, 2))
    filler = Path(bench.fleet.store) / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    bench.struck()
    time.sleep(8)
    filler.unlink()


def damaged(kind: str, stage: str) -> Fault:
    """Truncate an artifact of a running job, or flip one of its bits."""

    def strike(bench: Bench) -> None:
        folder = Path(bench.fleet.store) / "segments"
        keys: set[str] = set()
        for plan in until(lambda: list(bench.fleet.jobs.plans.open_jobs()), 20):
            keys |= {segment.key for segment in bench.fleet.jobs.plans.segments(plan)}
        found = until(
            lambda: [path for path in folder.glob(f"*/*/{stage}") if path.parent.name in keys],
            20,
            every_s=0.005,
        )
        path = random.choice(found)
        data = bytearray(path.read_bytes())
        if kind == "truncated":
            data = data[: len(data) // 2]
        else:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        path.write_bytes(data)
        bench.struck()

    return strike


def duplicated(task: str) -> Fault:
    """Deliver a message of that task twice."""

    def strike(bench: Bench) -> None:
        if task == "render":  # it leaves its queue before it can be copied
            for number, root in bench.roots.items():
                bench.fleet.send(script(number, bench.turns), task_id=root)
            bench.struck()
            return
        deadline = time.monotonic() + 10
        client = bench.fleet.client
        while time.monotonic() < deadline:
            for key, payload in list(bench.fleet.payloads()):
                if f'"task": "voxchord.{task}"'.encode() in payload:
                    client.lpush(key, payload)
                    bench.struck()
                    return
            for payload in client.hvals("voxchord.unacked"):
                if f'"task": "voxchord.{task}"'.encode() in payload:
                    message, _, key = json.loads(payload)
                    client.lpush(key, json.dumps(message))
                    bench.struck()
                    return
        raise TimeoutError

    return strike


def disturbed(disturbance: Disturbance) -> Fault:
    """Disturb the fleet for a while, from a random moment."""

    def strike(bench: Bench) -> None:
        disturbances.at_random()
        with disturbance(bench.fleet, bench.database):
            bench.struck()
            time.sleep(_DISTURBED_S)

    return strike


def quick_disturbances() -> list[tuple[str, Fault]]:
    """Disturbances of fleets with a history in PostgreSQL."""
    messages = [
        (f"malformed messages in {queue}", disturbed(disturbances.malformed(queue)))
        for queue in ("voxchord", "cpu.text", "gpu.diffusion", "cpu.stitch")
    ]
    clocks = [
        (f"the clock of {worker} is {ahead_s:+.0f} s off", disturbed(disturbances.skewed(worker, ahead_s)))
        for worker, ahead_s in (("intake", 3600.0), ("cpu", -3600.0), ("gpu0", 3600.0), ("gpu1", -600.0))
    ]
    others: list[tuple[str, Fault]] = [
        ("the broker is a read-only replica", disturbed(disturbances.read_only)),
        ("the broker's memory is full", disturbed(disturbances.full)),
        ("the broker kills its clients", disturbed(disturbances.clients_killed)),
        ("the queues of the stages are purged", disturbed(disturbances.purged)),
        ("the pools are shrunk", disturbed(disturbances.pools_shrunk)),
        ("the history is locked", disturbed(disturbances.history_locked)),
        ("the history is of a later release", disturbed(disturbances.history_newer)),
    ]
    return [*messages, *clocks, *others]


def shipped_disturbances() -> list[tuple[str, Fault]]:
    """Disturbances of a fleet with a history in SQLite."""
    return [
        ("the history is locked", disturbed(disturbances.history_locked)),
        ("the history is of a later release", disturbed(disturbances.history_newer)),
        ("the history's file is deleted", disturbed(disturbances.history_lost)),
        ("the history's file is replaced", disturbed(disturbances.history_replaced)),
        ("the clock of gpu0 is +3600 s off", disturbed(disturbances.skewed("gpu0", 3600.0))),
    ]


def quick_faults(short: bool) -> list[tuple[str, Fault]]:
    kills = [(f"SIGKILL of a child in {stage}", child(stage)) for stage in STAGES]
    kills += [(f"SIGKILL of a worker in {stage}", whole(stage)) for stage in STAGES]
    others: list[tuple[str, Fault]] = [
        ("SIGKILL of a child in render", intake("child")),
        ("SIGKILL of a worker in render", intake("whole")),
        ("SIGKILL of a main process alone", main_only),
        ("SIGTERM of the GPU worker", terminate("gpu0")),
        ("SIGTERM of the CPU worker", terminate("cpu")),
        ("SIGSTOP beyond the visibility timeout, then SIGCONT", paused),
        ("SIGKILL of the broker, restarted", broker_killed),
        ("the broker lost all its memory", broker_empty),
        (f"the broker gone for {_AWAY_S:.0f} s", broker_away),
        ("the database stopped", database_away),
        ("the store refuses writes", store_refuses),
        ("the disk is full", disk_full),
    ]
    damage = [
        (f"{kind} {stage}", damaged(kind, stage))
        for kind in ("truncated", "bit-flipped")
        for stage in ("text", "semantic", "audio", "spans")
    ]
    duplicates = [
        (f"{task} delivered twice", duplicated(task))
        for task in ("render", "text", "semantic", "speaker", "diffusion", "verify", "stitch")
    ]
    if short:
        return [kills[3], kills[9], others[7], others[11], damage[2], duplicates[4]]
    return [*kills, *others, *damage, *duplicates, *quick_disturbances()]


def shipped_faults(short: bool) -> list[tuple[str, Fault]]:
    """Plan of ten kills of a whole worker with default settings, and of what may become of its history."""
    faults: list[tuple[str, Fault]] = [
        ("SIGKILL of a worker in diffusion", whole("diffusion")),
        ("SIGKILL of a worker in stitch", whole("stitch")),
        ("SIGKILL of a worker in render", intake("whole")),
        ("SIGKILL of a worker in semantic", whole("semantic")),
        ("SIGKILL of a worker in diffusion", whole("diffusion", restart_s=20)),
        ("SIGKILL of a worker in text", whole("text")),
        ("SIGKILL of a worker in diffusion", whole("diffusion")),
        ("SIGKILL of a worker in render", intake("whole")),
        ("SIGKILL of a worker in stitch", whole("stitch")),
        ("SIGKILL of a worker in diffusion", whole("diffusion", restart_s=20)),
    ]
    return faults[:1] if short else [*shipped_disturbances(), *faults]


def quiet_runs(folder: Path, numbers: range, turns: int) -> dict[int, Quiet]:
    """Render the same scripts in this process, without Celery."""
    runs = {}
    for number in numbers:
        jobs = Jobs(Store(str(folder / f"quiet-{number}")))
        manifest = _render(script(number, turns), jobs)
        heard = json.loads(jobs.store.objects.read(manifest["turns"]["name"]) or b"[]")
        runs[number] = Quiet(manifest["audio"]["sha256"], heard)
    return runs


@contextlib.contextmanager
def fleets(
    folder: Path, quiet: Mapping[int, Quiet], plans: Sequence[Plan], began: float
) -> Iterator[list[Bench]]:
    """Start the fleets of the plans, each with its store on its own small disk."""
    with contextlib.ExitStack() as stack:
        benches = []
        for name, settings, _ in plans:
            disk = folder / name / "disk"
            disk.mkdir(parents=True)
            mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(disk)]
            if subprocess.run(mount, check=False).returncode == 0:
                stack.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
            environment, database = dict(settings), None
            if settings:
                database = Postgres()
                stack.callback(database.close)
                environment["VOXCHORD_DATABASE_URL"] = database.url()
            fleet = stack.enter_context(Fleet(folder / name, settings=environment, store=disk / "store"))
            benches.append(
                Bench(name, fleet, quiet, TURNS, dict(settings) or {"all": "as shipped"}, began, database)
            )
        for bench in benches:
            bench.fleet.start()
        for bench in benches:
            bench.fleet.ready()
        yield benches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults whose name matches this regular expression")
    given = parser.parse_args()
    random.seed(given.seed)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="voxchord-faults-"))
    wanted = re.compile(given.only)
    quick, shipped = (
        [(label, fault) for label, fault in faults if wanted.search(label)]
        for faults in (quick_faults(given.short), shipped_faults(given.short))
    )
    random.shuffle(quick)
    halves = [quick] if given.short else [quick[::2] + quick[1::4], quick[1::2] + quick[::4]]
    plans: list[Plan] = [(f"quick{i}", QUICK, half) for i, half in enumerate(halves)]
    plans.append(("shipped", {}, shipped))
    try:
        quiet = quiet_runs(folder, range(4), TURNS)
        with fleets(folder, quiet, plans, began) as benches:
            threads = [
                threading.Thread(target=bench.run, args=(faults,))
                for bench, (_, _, faults) in zip(benches, plans, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(json.dumps(summary([line for bench in benches for line in bench.lines], began)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def summary(lines: list[Line], began: float) -> dict[str, Any]:
    return {
        "faults": sum(line.injected for line in lines),
        "faults_as_shipped": sum(line.injected and line.fleet == "shipped" for line in lines),
        "jobs": 2 * len(lines),
        "jobs_finished": sum(line.finished for line in lines),
        "jobs_identical": sum(2 * line.identical for line in lines),
        "segments_lost": sum(line.lost for line in lines),
        "segments_twice": sum(line.twice for line in lines),
        "extra_decodes": sum(line.extra_decodes for line in lines),
        "longest_recovery_s": max((line.recovery_s or 0.0 for line in lines), default=None),
        "wall_s": round(time.monotonic() - began),
        "log": [asdict(line) for line in lines],
    }


if __name__ == "__main__":
    main()
