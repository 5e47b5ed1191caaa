"""Plans of jobs, in pages, each with a copy beside it, since they cannot be made again."""

import functools
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeGuard

from pipeline.engines.protocol import Options, Profile
from pipeline.errors import MissingArtifactError, OptionError
from pipeline.jobs.coordination import Coordination
from pipeline.planning.casting import Speaker
from pipeline.planning.records import PlannedLine, PlannedSegment
from pipeline.planning.request import JobOptions, Request
from pipeline.planning.segmenter import plan as plan_segments
from pipeline.store.artifacts import Store

PAGE = 256
_JOB = re.compile(r"[0-9a-f]{20}")


def is_id(job: object) -> TypeGuard[str]:
    """True for a valid job ID."""
    return isinstance(job, str) and _JOB.fullmatch(job) is not None


def checked_id(job: object) -> str:
    """Validate a job ID, before it becomes part of a name in the store.

    Raises:
        OptionError: an invalid ID.
    """
    if not is_id(job):
        raise OptionError("job", "not a job ID, which has 20 hexadecimal digits")
    return job


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a job, without its words."""

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


class Plans:
    """Plans of the jobs of one store."""

    def __init__(self, store: Store, coordination: Coordination) -> None:
        self.store, self.coordination = store, coordination

    def create(self, request: Request, profile: Profile) -> Plan:
        """Plan a job and store the plan; a second call adopts the stored plan and repairs damaged pages."""
        job = request.job
        if self.store.objects.size(f"jobs/{job}/plan") is None:  # the garbage collector may have removed it
            _plans.pop((self.store.url, job), None)
            _page.cache_clear()
        standing = self.get(job)
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
        self.coordination.open(job)
        self.coordination.touch(job)
        if request.summary is not None:
            self.store.put_json(_summary_name(job), request.summary.stored())
        _put_twice(self.store, f"jobs/{job}/plan", asdict(plan))
        return self.need(job)

    def summary(self, job: str) -> dict[str, Any] | None:
        """Read what the script of a job was found to be; None for plans of older releases."""
        found: dict[str, Any] | None = self.store.get_json(_summary_name(job))
        return found

    def _whole(self, plan: Plan) -> bool:
        """True if every page of a plan, or its copy, can be read."""
        names = [_page_name(plan.job, page) for page in range(-(-plan.segments // PAGE))]
        return all(_get_either(self.store, name) is not None for name in names)

    def get(self, job: str) -> Plan | None:
        return _plan(self.store, job)

    def need(self, job: str) -> Plan:
        """Read a plan.

        Raises:
            MissingArtifactError: unknown job.
        """
        plan = self.get(job)
        if plan is None:
            raise MissingArtifactError(f"jobs/{job}/plan")
        return plan

    def open_jobs(self) -> Iterator[Plan]:
        """Plans of the open jobs.

        A job is opened before its plan is written, so that no plan lies there that nobody looks after. One
        that is open and not planned yet is left out.
        """
        return (plan for plan in map(self.get, self.coordination.opened()) if plan)

    def segment(self, job: str, index: int) -> PlannedSegment:
        return _page(self.store, job, index // PAGE)[index % PAGE]

    def segments(self, plan: Plan) -> Iterator[PlannedSegment]:
        for index in range(plan.segments):
            yield self.segment(plan.job, index)

    def ids(self) -> Iterator[str]:
        """IDs of all planned jobs."""
        for name, _, _ in self.store.objects.names("jobs"):
            if name.endswith("/plan"):
                yield name.split("/")[1]


def _summary_name(job: str) -> str:
    return f"jobs/{job}/summary"


def _page_name(job: str, page: int) -> str:
    return f"jobs/{job}/plan.{page:05d}"


def _put_twice(store: Store, name: str, value: Any) -> None:
    store.put_json(f"{name}~", value)
    store.put_json(name, value)


def _get_either(store: Store, name: str) -> Any | None:
    """Read a value, or its copy if the first is damaged."""
    found = store.get_json(name)
    if found is None and store.objects.size(name) is not None:
        found = store.get_json(f"{name}~")
    return found


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
    """Read a plan through a cache of this process; plans never change and take a few kB each."""
    key = (store.url, job)
    plan = _plans.get(key)  # a reference, since another thread may clear the cache
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
