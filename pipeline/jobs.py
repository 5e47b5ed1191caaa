"""A job in the store: its plan in pages, its flags and guards, its failures and its finished files.

jobs/<job>/plan               the whole but for the words; written last, so that its presence means planned
jobs/<job>/plan.<page>        256 segments with their words
jobs/<job>/published          the task id of the root that sent the segments (exclusive create)
jobs/<job>/sent               they have all been sent
jobs/<job>/cancelled          a flag that every stage looks at
jobs/<job>/failed/<segment>   why a segment can't be made
jobs/<job>/waiting/<task>     other roots that asked for the same job and wait for its manifest
jobs/<job>/manifest           the result; its presence means finished
segments/<..>/<key>/<stage>   what the stages made, shared by all jobs
speakers/<..>/<key>           speaker embeddings, one per voice and engine
"""

import functools
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.engines.protocol import Options, Profile
from pipeline.errors import CancelledError, MissingArtifactError
from pipeline.plan import PlannedLine, PlannedSegment, SegmentAudio, Span
from pipeline.request import JobOptions, Request, Speaker
from pipeline.segments import plan as plan_segments
from pipeline.store import Store, canonical_json

PAGE = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """What every stage may want to know of a job, without its words."""

    job: str
    options: JobOptions
    engine_options: Options
    revision: str
    speakers: tuple[Speaker, ...]
    segments: int
    turns: int
    words: int
    characters: int
    created_s: float
    """Seconds since the epoch."""

    def voice(self, name: str) -> Speaker:
        return next(speaker for speaker in self.speakers if speaker.name == name)


class Jobs:
    """The jobs of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def create(self, request: Request, profile: Profile) -> Plan:
        """Plan a job and write it down, once: a second call adopts what stands."""
        job = request.job
        standing = self.plan(job)
        if standing:
            return standing
        identity = {
            "engine": request.options.engine,
            "revision": request.revision,
            "options": dict(request.engine_options),
            "seed": request.options.seed,
        }
        voices = {speaker.name: speaker.hash for speaker in request.speakers}
        segments = list(plan_segments(request.script.turns, profile, speakers=voices, identity=identity))
        for start in range(0, len(segments), PAGE):
            page = [_packed_segment(segment) for segment in segments[start : start + PAGE]]
            self.store.put_json(f"jobs/{job}/plan.{start // PAGE:05d}", page)
        plan = Plan(
            job=job,
            options=request.options,
            engine_options=request.engine_options,
            revision=request.revision,
            speakers=request.speakers,
            segments=len(segments),
            turns=len(request.script.turns),
            words=request.script.words,
            characters=request.script.characters,
            created_s=round(time.time(), 3),
        )
        self.store.put_json(f"jobs/{job}/plan", asdict(plan))
        return self.need(job)

    def plan(self, job: str) -> Plan | None:
        return _plan(self.store, job)

    def need(self, job: str) -> Plan:
        """The plan.

        Raises:
            MissingArtifactError: there is no such job.
        """
        plan = self.plan(job)
        if plan is None:
            raise MissingArtifactError(f"jobs/{job}/plan")
        return plan

    def segment(self, job: str, index: int) -> PlannedSegment:
        return _page(self.store, job, index // PAGE)[index % PAGE]

    def segments(self, plan: Plan) -> Iterator[PlannedSegment]:
        for index in range(plan.segments):
            yield self.segment(plan.job, index)

    def ids(self) -> Iterator[str]:
        """Every job that has a plan."""
        for name, _, _ in self.store.objects.names("jobs"):
            if name.endswith("/plan"):
                yield name.split("/")[1]

    # -- guards and flags ------------------------------------------------------------------------------

    def publish(self, job: str, root: str) -> str:
        """Claim the right to send this job's segments; returns the root that has it, perhaps another."""
        self.store.put(f"jobs/{job}/published", root.encode())
        return self.store.need(f"jobs/{job}/published").decode()

    def root(self, job: str) -> str | None:
        root = self.store.get(f"jobs/{job}/published")
        return root.decode() if root else None

    def sent(self, job: str) -> bool:
        """Whether the root got all its segments out, and not just the right to send them."""
        return self.store.has(f"jobs/{job}/sent")

    def mark_sent(self, job: str) -> None:
        self.store.put(f"jobs/{job}/sent", b"")

    def reopen(self, job: str) -> None:
        """Forget that a job failed, was cancelled or was sent, and keep every segment it has."""
        for name, _, _ in list(self.store.objects.names(f"jobs/{job}/failed")):
            self.store.objects.delete(name)
        for flag in ("cancelled", "failure", "sent", "published"):
            self.store.objects.delete(f"jobs/{job}/{flag}")

    def cancel(self, job: str) -> None:
        self.store.put(f"jobs/{job}/cancelled", b"")

    def cancelled(self, job: str) -> bool:
        return self.store.objects.size(f"jobs/{job}/cancelled") is not None

    def look(self, job: str) -> None:
        """
        Raises:
            CancelledError: somebody cancelled the job.
        """
        if self.cancelled(job):
            raise CancelledError(job)

    def wait(self, job: str, task: str) -> None:
        """Note a root that waits for the manifest of a job that another root has sent."""
        self.store.put(f"jobs/{job}/waiting/{task}", b"")

    def waiting(self, job: str) -> list[str]:
        return [name.rsplit("/", 1)[1] for name, _, _ in self.store.objects.names(f"jobs/{job}/waiting")]

    def closed(self, job: str) -> bool:
        """Whether nothing more will happen to it unless somebody asks again."""
        return self.failure(job) is not None or self.store.has(f"jobs/{job}/manifest")

    def stands_still(self, job: str, missing: int, *, now: float, after_s: float) -> bool:
        """Whether nothing has been made for so long; the first look only notes what is missing."""
        seen = self.store.get_json(f"jobs/{job}/watch")
        if seen and seen["missing"] == missing and now - seen["since"] < after_s:
            return False
        self.store.overwrite(f"jobs/{job}/watch", canonical_json({"missing": missing, "since": now}))
        return seen is not None and seen["missing"] == missing

    # -- outcomes --------------------------------------------------------------------------------------

    def fail(self, job: str, segment: int, error: str) -> None:
        """Set one segment aside for good; the rest of the job is kept."""
        self.store.overwrite(f"jobs/{job}/failed/{segment:06d}", error.encode())

    def failures(self, job: str) -> dict[int, str]:
        """Why segments can't be made, by index."""
        return {
            int(name.rsplit("/", 1)[1]): self.store.need(name).decode()
            for name, _, _ in self.store.objects.names(f"jobs/{job}/failed")
        }

    def manifest(self, job: str) -> dict[str, Any] | None:
        return self.store.get_json(f"jobs/{job}/manifest")

    def finish(self, job: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest, once; returns the one that stands."""
        self.store.put_json(f"jobs/{job}/manifest", manifest)
        standing: dict[str, Any] = self.store.get_json(f"jobs/{job}/manifest") or dict(manifest)
        return standing

    def failure(self, job: str) -> str | None:
        """Why the whole job failed."""
        failure = self.store.get(f"jobs/{job}/failure")
        return None if failure is None else failure.decode()

    def give_up(self, job: str, error: str) -> None:
        self.store.overwrite(f"jobs/{job}/failure", error.encode())

    def audio(self, segment: PlannedSegment) -> SegmentAudio | None:
        """What is known of a finished segment; None while it is missing."""
        found = self.store.get_json(stage_name(segment.key, "spans"))
        if found is None:
            return None
        spans = tuple(Span(*span) for span in found["spans"])
        return SegmentAudio(found["sample_rate_hz"], found["samples"], spans)

    def missing(self, plan: Plan) -> list[int]:
        """The segments without audio, in order."""
        return [segment.index for segment in self.segments(plan) if self.audio(segment) is None]


def stage_name(key: str, stage: str) -> str:
    """Where a stage's product of one segment lies."""
    return f"segments/{key[:2]}/{key}/{stage}"


def speaker_name(plan: Plan, speaker: Speaker) -> str:
    """Where a speaker's embedding lies: one per voice, engine, weights and options."""
    content = [plan.options.engine, plan.revision, dict(plan.engine_options), speaker.hash]
    key = hashlib.sha256(canonical_json(content)).hexdigest()[:32]
    return f"speakers/{key[:2]}/{key}"


def _packed_segment(segment: PlannedSegment) -> list[Any]:
    lines = [[getattr(line, name) for name in PlannedLine.__slots__] for line in segment.lines]
    return [segment.index, segment.key, segment.seed, lines, list(segment.speakers), segment.words]


def _unpacked_segment(packed: list[Any]) -> PlannedSegment:
    index, key, seed, lines, speakers, words = packed
    return PlannedSegment(
        index, key, seed, tuple(PlannedLine(*line) for line in lines), tuple(speakers), words
    )


_plans: dict[tuple[str, str], Plan] = {}


def _plan(store: Store, job: str) -> Plan | None:
    """Plans don't change once written, so a process keeps those it has read (a few kB each)."""
    key = (store.url, job)
    if key not in _plans:
        found = store.get_json(f"jobs/{job}/plan")
        if found is None:
            return None
        found["options"] = JobOptions(**found["options"])
        found["speakers"] = tuple(Speaker(**speaker) for speaker in found["speakers"])
        if len(_plans) >= 64:
            _plans.clear()
        _plans[key] = Plan(**found)
    return _plans[key]


@functools.lru_cache(maxsize=8)
def _page(store: Store, job: str, page: int) -> list[PlannedSegment]:
    name = f"jobs/{job}/plan.{page:05d}"
    found = store.get_json(name)
    if found is None:
        raise MissingArtifactError(name)
    return [_unpacked_segment(packed) for packed in found]
