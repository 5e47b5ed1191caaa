"""Finalisation of a job: its files in the store, and the manifest that names them."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import Any

from pipeline import clock
from pipeline.checking.records import FULL
from pipeline.encoded_runs import StoredRuns
from pipeline.engines.protocol import Control, Profile
from pipeline.file_formats import SUBTITLE_FORMATS
from pipeline.jobs.artifacts import ChosenTake, read_samples
from pipeline.jobs.jobs import Jobs
from pipeline.jobs.plans import Plan
from pipeline.jobs.takes import Takes
from pipeline.normalization.normalizer import normalized
from pipeline.read_along import finished_file, sound_format
from pipeline.script.turns import Work
from pipeline.stitching import manifest as manifests
from pipeline.stitching.manifest import Artifact
from pipeline.stitching.marks.chapters import ChapterTime
from pipeline.stitching.marks.cue_times import CueTime
from pipeline.stitching.mixer import Stitched, stitch
from pipeline.stitching.remux.encoded_run import EncodedRuns
from pipeline.stitching.spoken_words import Read
from pipeline.stitching.tags import Tags
from pipeline.stitching.timeline import WordTimes
from pipeline.verification import verification


def finish(
    jobs: Jobs,
    plan: Plan,
    profile: Profile,
    control: Control,
    *,
    watched: AbstractContextManager[object] | None = None,
) -> dict[str, Any]:
    """Join the segments, store the files and write the manifest; returns the stored manifest.

    Args:
        watched: context of the joining, in which the control is checked; storing may take longer.

    Raises:
        MissingArtifactError: samples of a segment are missing or damaged; it counts as missing from now on.
        CancelledError, DeadlineError: raised by the control.
    """
    manifest = _join(jobs, plan, profile, control, watched=watched)
    return jobs.outcomes.finish(plan.job, manifest.record())


def revise(
    jobs: Jobs,
    plan: Plan,
    profile: Profile,
    control: Control,
    revision: int,
    *,
    watched: AbstractContextManager[object] | None = None,
) -> dict[str, Any]:
    """Join the segments of a revision, from 1, as `finish` does; its files are beside the older ones."""
    manifest = _join(jobs, plan, profile, control, revision, watched=watched)
    return jobs.revisions.finish(plan.job, revision, manifest.record())


def join_so_far(jobs: Jobs, plan: Plan, control: Control, out: Path) -> Stitched | None:
    """Join the finished start of a job to a file; None if its first segment is not finished.

    Levels are those of what is there, so they may differ from the finished file's.
    """
    start = list(takewhile(lambda each: each.audio is not None, jobs.artifacts.chosen(plan)))
    if not start or start[0].audio is None:
        return None
    sound = out.with_name(f"{out.name}.sound")
    stitched = _stitched(
        jobs,
        plan,
        start,
        control,
        sound,
        sample_rate_hz=start[0].audio.sample_rate_hz,
        words_per_s=1.0,  # there are no gaps
    )
    return finished_file(jobs, plan, stitched, sound, out)


def _join(
    jobs: Jobs,
    plan: Plan,
    profile: Profile,
    control: Control,
    revision: int = 0,
    *,
    watched: AbstractContextManager[object] | None = None,
) -> manifests.Manifest:
    folder_name = f"jobs/{plan.job}" + (f"/revisions/{revision:03d}" if revision else "")
    inherits = revision or plan.options.base_job
    picks = jobs.revisions.picks(plan.job, revision) if inherits else {}
    chosen = list(jobs.artifacts.chosen(plan, picks))

    def written(sound: Path) -> Stitched:
        return _stitched(
            jobs,
            plan,
            chosen,
            control,
            sound,
            sample_rate_hz=profile.sample_rate_hz,
            words_per_s=profile.words_per_s,
            heard=_heard(jobs, plan, chosen),
            read=str if profile.normalizes else normalized,
            encoded_runs=StoredRuns(jobs.store, _takes(chosen)),
        )

    stitched, audio = _placed_file(jobs, plan, folder_name, written, watched)
    begun_s = jobs.coordination.begun_s(plan.job) or plan.created_s
    turns = json.dumps([asdict(turn) for turn in stitched.turns], ensure_ascii=False)
    words = json.dumps([asdict(word) for word in stitched.words], ensure_ascii=False)
    return manifests.manifest(
        plan.job,
        stitched,
        engine=plan.options.engine,
        audio=audio,
        file_format=plan.options.format,
        subtitles={
            kind: _placed(jobs, f"{folder_name}/subtitles.{kind}", getattr(stitched, kind))
            for kind in SUBTITLE_FORMATS
        },
        turns=_placed(jobs, f"{folder_name}/turns.json", turns),
        segments=plan.segments,
        speakers=tuple(speaker.name for speaker in plan.speakers),
        wall_s=max(0.0, clock.now() - begun_s),  # another machine's clock may be behind
        script=jobs.plans.summary(plan.job),
        words=_placed(jobs, f"{folder_name}/words.json", words),
        verify=verification(plan, chosen),
        revision=revision,
        chapters=_listed(jobs, f"{folder_name}/chapters.json", stitched.chapters),
        cues=_listed(jobs, f"{folder_name}/cues.json", stitched.cues),
    )


def _placed_file(
    jobs: Jobs,
    plan: Plan,
    folder_name: str,
    written: Callable[[Path], Stitched],
    watched: AbstractContextManager[object] | None,
) -> tuple[Stitched, Artifact]:
    """Write the file of a job and put it into the store.

    It is named by its content, so that two concurrent stitches do not change each other's file.
    """
    with tempfile.TemporaryDirectory(dir=jobs.store.scratch(), prefix="stitch-") as folder:
        sound, out = Path(folder) / "sound", Path(folder) / f"audio.{plan.options.format}"
        with watched or nullcontext():
            stitched = written(sound)
        stitched = finished_file(jobs, plan, stitched, sound, out)
        name = f"{folder_name}/audio.{stitched.sha256[:12]}.{plan.options.format}"
        audio = Artifact(name, stitched.sha256, stitched.bytes)
        jobs.store.objects.put_file(out, audio.name)
    return stitched, audio


def _stitched(
    jobs: Jobs,
    plan: Plan,
    chosen: Sequence[ChosenTake],
    control: Control,
    out: Path,
    *,
    sample_rate_hz: int,
    words_per_s: float,
    heard: Mapping[int, WordTimes] | None = None,
    read: Read = str,
    encoded_runs: EncodedRuns | None = None,
) -> Stitched:
    """Join chosen takes by the options of their job; see `pipeline.stitching.mixer.stitch`."""
    takes = _takes(chosen)
    work, chapters = jobs.plans.book(plan.job)
    return stitch(
        ((each.segment, each.audio) for each in chosen),
        lambda segment: read_samples(jobs.store, segment.key, takes[segment.index]),
        out=out,
        file_format=sound_format(plan),
        sample_rate_hz=sample_rate_hz,
        words_per_s=words_per_s,
        control=control,
        tags=tags_of(plan, work),
        chapters=chapters,
        written=jobs.plans.written(plan.job),
        starts_ms=jobs.plans.starts_ms(plan.job),
        split_hours=plan.options.split_hours,
        voice_gains_db={speaker.name: speaker.gain_db for speaker in plan.speakers},
        heard=heard,
        read=read,
        preset=plan.options.loudness,
        encoded_runs=encoded_runs,
    )


def _takes(chosen: Sequence[ChosenTake]) -> dict[int, int]:
    """Numbers of takes by the index of their segment."""
    return {each.segment.index: each.take or 0 for each in chosen}


def tags_of(plan: Plan, work: Work) -> Tags:
    """Tags of a job's file, without chapters; the job's title is before the book's."""
    position = f" #{work.series_position}" if work.series_position else ""
    return Tags(
        title=plan.options.title or work.title,
        authors=work.authors,
        series=f"{work.series}{position}" if work.series else "",
        language=work.language,
        cover=work.cover,
        cover_type=work.cover_type,
    )


def _listed(jobs: Jobs, place: str, times: Sequence[ChapterTime | CueTime]) -> Artifact | None:
    """Store a list of times; None if it is empty."""
    if not times:
        return None
    return _placed(jobs, place, json.dumps([asdict(each) for each in times], ensure_ascii=False))


def _heard(jobs: Jobs, plan: Plan, chosen: Sequence[ChosenTake]) -> dict[int, WordTimes]:
    """Word times by the verdicts on the chosen takes, by position, where the engine has given none."""
    if plan.options.verify != FULL:  # other checks hear no words
        return {}

    def words_of(position: int) -> tuple[int, WordTimes]:
        each = chosen[position]
        verdict = Takes(jobs.store, plan, each.segment).verdict(each.take or 0)
        words = verdict.words if verdict else ()
        return position, {
            (word.line, word.word): (word.start_s, word.end_s, word.confidence) for word in words
        }

    untimed = [
        position
        for position, each in enumerate(chosen)
        if each.audio is not None and not all(span.words for span in each.audio.spans)
    ]
    return {position: words for position, words in jobs.artifacts.ask(words_of, untimed) if words}


def _placed(jobs: Jobs, place: str, text: str) -> Artifact:
    """Store a file without our header, since clients read it directly; its checksum is in the manifest."""
    data = text.encode()
    jobs.store.objects.replace(place, data)
    return Artifact(place, hashlib.sha256(data).hexdigest(), len(data))
