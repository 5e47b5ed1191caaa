"""A job in the store: its plan in pages, its flags and guards, its failures and its finished files.

jobs/<job>/plan               the whole but for the words; written last, so that its presence means planned
jobs/<job>/plan.<page>        256 segments with their words
jobs/<job>/published          the task id of the root that sent the segments (exclusive create)
jobs/<job>/sent               they have all been sent
jobs/<job>/run                how often it was begun, from the second time on
jobs/<job>/begun              when that was, the last time
jobs/<job>/roots/<…>          a root that waits for the outcome: its task id and the task that will answer it
jobs/<job>/pulse              when something was last done for it
jobs/<job>/cancelled          a flag that every stage looks at
jobs/<job>/tries/<segment>.<stage>.<…>  an attempt that began; gone when it has ended in good order
jobs/<job>/failed/<segment>   why a segment can't be made
jobs/<job>/failure            why the job has no file
jobs/<job>/manifest           the result; its presence means finished. Beside it lie the files that it names
open/<job>                    somebody still waits: the jobs that a reconciler has to look at
segments/<..>/<key>/<stage>   what the stages made, shared by all jobs
speakers/<..>/<key>           speaker embeddings, one per voice and engine

Plans have a copy beside them (`<name>~`): nothing else could make them again.
"""

import functools
import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass
from typing import Any, TypeGuard

from pipeline import errors
from pipeline.arrays import Arrays, Samples
from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Options, Profile
from pipeline.errors import CancelledError, MissingArtifactError, OptionError, PipelineError
from pipeline.planning.records import PlannedLine, PlannedSegment, SegmentAudio, Span
from pipeline.planning.request import JobOptions, Request, Speaker
from pipeline.planning.segmenter import plan as plan_segments
from pipeline.store.artifacts import Store

PAGE = 256
_ASKED_AT_ONCE = 32
_JOB = re.compile(r"[0-9a-f]{20}")
_SPANS = "spans"


def is_id(job: object) -> TypeGuard[str]:
    """Whether it can be a job's id."""
    return isinstance(job, str) and _JOB.fullmatch(job) is not None


def checked_id(job: object) -> str:
    """A job's id, before it becomes part of a name in the store.

    Raises:
        OptionError: it can't be one.
    """
    if not is_id(job):
        raise OptionError("job", "is not the id of a job: 20 hexadecimal digits")
    return job


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
        """Plan a job and write it down, once: a second call adopts what stands, and mends damaged pages."""
        job = request.job
        if self.store.objects.size(f"jobs/{job}/plan") is None:  # a collector may have taken it
            _plans.pop((self.store.url, job), None)
            _page.cache_clear()
        standing = self.plan(job)
        if standing and self._whole(standing):
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
            _put_twice(self.store, _page_name(job, start // PAGE), page)
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
        self.open(job)
        self.touch(job)
        _put_twice(self.store, f"jobs/{job}/plan", asdict(plan))
        return self.need(job)

    def _whole(self, plan: Plan) -> bool:
        """Whether every page of a plan can be read, or has a copy that can."""
        names = [_page_name(plan.job, page) for page in range(-(-plan.segments // PAGE))]
        return all(_get_either(self.store, name) is not None for name in names)

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

    def run_no(self, job: str) -> int:
        """How often the job was begun."""
        return int(self.store.get(f"jobs/{job}/run") or b"1")

    def begun_s(self, plan: Plan) -> float:
        """When it was asked for, or last begun again; seconds since the epoch."""
        begun = self.store.get(f"jobs/{plan.job}/begun")
        return float(begun) if begun else plan.created_s

    def reopen(self, job: str) -> None:
        """Forget that a job ended or was sent, and keep every segment it has."""
        for folder in ("failed", "tries"):
            for name, _, _ in list(self.store.objects.names(f"jobs/{job}/{folder}")):
                self.store.objects.delete(name)
        for flag in ("cancelled", "failure", "manifest", "sent", "published"):
            self.store.objects.delete(f"jobs/{job}/{flag}")
        self.store.overwrite(f"jobs/{job}/begun", repr(round(time.time(), 3)).encode())
        self.store.overwrite(f"jobs/{job}/run", str(self.run_no(job) + 1).encode())
        self.open(job)
        self.touch(job)

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

    def closed(self, job: str) -> bool:
        """Whether nothing more will happen to it unless somebody asks again."""
        return self.failure(job) is not None or self.store.has(f"jobs/{job}/manifest")

    # -- who waits ---------------------------------------------------------------------------------------

    def open(self, job: str) -> None:
        self.store.put(f"open/{job}", b"")

    def is_open(self, job: str) -> bool:
        return self.store.objects.size(f"open/{job}") is not None

    def opened(self) -> list[str]:
        """The jobs that somebody may still wait for."""
        return [name.removeprefix("open/") for name, _, _ in self.store.objects.names("open")]

    def join(self, job: str, root: str, answer: str) -> None:
        """Note a root that waits for the outcome, and the task that will answer it, in the caller's form."""
        self.store.overwrite(_root(job, root), canonical_json({"root": root, "answer": answer}))

    def waiting(self, job: str) -> dict[str, str]:
        """The answers to be sent, by root."""
        names = [name for name, _, _ in self.store.objects.names(f"jobs/{job}/roots")]
        found = [self.store.get_json(name) for name in names]
        return {entry["root"]: entry["answer"] for entry in found if entry}

    def answered(self, job: str, root: str) -> None:
        """Note that a root has its outcome; when all have, the job needs no more looking after."""
        self.store.objects.delete(_root(job, root))
        if not self.waiting(job):
            self.store.objects.delete(f"open/{job}")
            if not self.closed(job):  # asked for again in between
                self.open(job)

    # -- signs of life -----------------------------------------------------------------------------------

    def touch(self, job: str) -> None:
        """Note that something is being done for it."""
        self.store.overwrite(f"jobs/{job}/pulse", repr(time.time()).encode())

    def still_s(self, job: str) -> float:
        """How long nothing has been done for it."""
        pulse = self.store.get(f"jobs/{job}/pulse")
        return max(0.0, time.time() - float(pulse)) if pulse else float("inf")

    def begin(self, job: str, work: str, attempt: str, where: Mapping[str, Any]) -> None:
        """Note that an attempt at some work of a job begins, and in which process."""
        self.store.put_json(f"jobs/{job}/tries/{work}.{attempt}", where)

    def end(self, job: str, work: str, attempt: str) -> None:
        """The attempt has ended, well or not; what a dead process leaves stays."""
        self.store.objects.delete(f"jobs/{job}/tries/{work}.{attempt}")

    def unended(self, job: str, work: str) -> list[Mapping[str, Any]]:
        """Where attempts at this work run, or died."""
        folder = f"jobs/{job}/tries"
        names = [name for name, _, _ in self.store.objects.names(folder)]
        found = [self.store.get_json(name) for name in names if name.startswith(f"{folder}/{work}.")]
        return [entry for entry in found if entry]

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
        """Why the whole job failed, in words."""
        error = self.error(job)
        return None if error is None else str(error)

    def error(self, job: str) -> PipelineError | None:
        """Why the whole job failed."""
        found = self.store.get_json(f"jobs/{job}/failure")
        if found is None:
            return None
        kind = getattr(errors, found["kind"], PipelineError)
        error: PipelineError = kind(*found["args"])
        return error

    def give_up(self, job: str, error: PipelineError) -> None:
        known = type(error) is getattr(errors, type(error).__name__, None)
        record = (
            {"kind": type(error).__name__, "args": list(error.args)}
            if known
            else {"kind": "PipelineError", "args": [str(error)]}
        )
        self.store.overwrite(f"jobs/{job}/failure", canonical_json(record))

    def audio(self, segment: PlannedSegment) -> SegmentAudio | None:
        """What is known of a finished segment; None while it is missing."""
        found = self.store.get_json(stage_name(segment.key, _SPANS))
        return None if found is None else _segment_audio(found)

    def missing(self, plan: Plan) -> list[int]:
        """The segments without audio, in order."""
        return [segment.index for segment, audio in self.audios(plan) if audio is None]

    def audios(self, plan: Plan) -> Iterator[tuple[PlannedSegment, SegmentAudio | None]]:
        """Every segment and what is known of it, in order; a store over a network is asked many at a time."""
        if self.store.local:
            yield from ((segment, self.audio(segment)) for segment in self.segments(plan))
            return
        with ThreadPoolExecutor(_ASKED_AT_ONCE, "jobs-look") as pool:
            for start in range(0, plan.segments, PAGE):
                page = [self.segment(plan.job, i) for i in range(start, min(start + PAGE, plan.segments))]
                yield from zip(page, pool.map(self.audio, page), strict=True)


def put_audio(store: Store, key: str, samples: Samples, audio: SegmentAudio) -> SegmentAudio:
    """Keep a segment's samples and spans, unless it has some; returns the spans of the samples that stand.

    Two workers may have made two takes. What stands under `audio` carries its own spans, and the small
    record beside it is always made from these.
    """
    record = {
        "sample_rate_hz": audio.sample_rate_hz,
        "samples": audio.samples,
        "spans": [astuple(span) for span in audio.spans],
    }
    name = stage_name(key, "audio")
    meta = {_SPANS: canonical_json(record).decode()}
    if not store.put_arrays(name, Arrays({"samples": samples}, meta)):
        record = json.loads(store.need_arrays(name).meta[_SPANS])
    store.overwrite(stage_name(key, _SPANS), canonical_json(record))
    return _segment_audio(record)


def read_samples(store: Store, key: str) -> Samples:
    """A finished segment's samples.

    Raises:
        MissingArtifactError: they are gone, damaged, or others than the record beside them says; that record
            is put right, so that the next look finds what is true.
    """
    name, record = stage_name(key, "audio"), stage_name(key, _SPANS)
    found = store.get_arrays(name)
    if found is None:
        store.objects.delete(record)
        raise MissingArtifactError(name)
    if store.get(record) != found.meta[_SPANS].encode():
        store.overwrite(record, found.meta[_SPANS].encode())
        raise MissingArtifactError(record)
    samples: Samples = found.arrays["samples"]  # type: ignore[assignment]
    return samples


def _segment_audio(record: Mapping[str, Any]) -> SegmentAudio:
    spans = tuple(Span(*span) for span in record["spans"])
    return SegmentAudio(record["sample_rate_hz"], record["samples"], spans)


def _page_name(job: str, page: int) -> str:
    return f"jobs/{job}/plan.{page:05d}"


def _root(job: str, root: str) -> str:
    """Other programs choose the ids of their tasks, so the name is made from a hash."""
    return f"jobs/{job}/roots/{hashlib.sha256(root.encode()).hexdigest()[:32]}"


def _put_twice(store: Store, name: str, value: Any) -> None:
    store.put_json(f"{name}~", value)
    store.put_json(name, value)


def _get_either(store: Store, name: str) -> Any | None:
    """The value, or that of the copy where the first is damaged."""
    found = store.get_json(name)
    if found is None and store.objects.size(name) is not None:
        found = store.get_json(f"{name}~")
    return found


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
    plan = _plans.get(key)  # held on to: another thread may clear them at any moment
    if plan is None:
        found = _get_either(store, f"jobs/{job}/plan")
        if found is None:
            return None
        found["options"] = JobOptions(**found["options"])
        found["speakers"] = tuple(Speaker(**speaker) for speaker in found["speakers"])
        plan = Plan(**found)
        if len(_plans) >= 64:
            _plans.clear()
        _plans[key] = plan
    return plan


@functools.lru_cache(maxsize=8)
def _page(store: Store, job: str, page: int) -> list[PlannedSegment]:
    name = _page_name(job, page)
    found = _get_either(store, name)
    if found is None:
        raise MissingArtifactError(name)
    return [_unpacked_segment(packed) for packed in found]
