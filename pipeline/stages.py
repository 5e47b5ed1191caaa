"""The stages of one segment. Each skips what exists, so that running one twice costs a check.

A stage returns facts about its work (`Facts`), for metering; `cache_hit` means that its product existed.
Products are in the store under the segment's key. Stages share nothing else, so each may run on another
machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.arrays import Arrays, Samples
from pipeline.checking.checkers import Checker
from pipeline.checking.light import planned_s
from pipeline.checking.measures import Measures, measure
from pipeline.checking.records import DECODING, Checked, Finding, Material
from pipeline.engines.protocol import (
    PARTS,
    Control,
    Engine,
    Line,
    OffsetControl,
    Profile,
    Reference,
    SegmentText,
    Uncontrolled,
    Utterance,
)
from pipeline.errors import MissingArtifactError, PipelineError, VoiceError
from pipeline.jobs.artifacts import (
    put_audio,
    read_audio,
    read_record,
    read_samples,
    speaker_name,
    stage_name,
)
from pipeline.jobs.plans import Plan
from pipeline.jobs.takes import TakeRequest, Takes, facts_of
from pipeline.planning.parts import parts
from pipeline.planning.records import PlannedSegment, SegmentAudio
from pipeline.planning.segmenter import text_of
from pipeline.stitching import loudness
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices

Facts = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class SegmentWork:
    """One segment and the resources of its stages."""

    store: Store
    plan: Plan
    segment: PlannedSegment
    engine: Engine

    take: int | None = None
    """Take that was asked for by hand; None leaves it to the verdicts."""

    def name(self, stage: str) -> str:
        """Name of a stage's product."""
        return stage_name(self.segment.key, stage)

    @property
    def takes(self) -> Takes:
        return Takes(self.store, self.plan, self.segment)

    def next_take(self) -> int | None:
        """Take to be made or checked next; None if the segment is finished. Records a choice that is due."""
        takes = self.takes
        if self.take is None:
            return takes.next_take(self.engine.profile)
        checked = not self.plan.checker or takes.verdict(self.take) is not None
        return None if checked and takes.has_audio(self.take) else self.take

    @property
    def finished(self) -> bool:
        """True if a take is chosen and has audio. Writes nothing: a choice that is due does not count."""
        if self.take is not None:
            return self.next_take() is None
        choice = self.takes.choice()
        return choice is not None and self.takes.has_audio(choice.take)


def text(work: SegmentWork) -> Facts:
    """Convert the segment's words to the engine's tokens."""
    facts: Facts = {"chars_in": sum(len(line.text) for line in work.segment.lines)}
    if work.finished or work.store.has(work.name("text")):
        return {**facts, "cache_hit": True}
    tokens = work.engine.text(text_of(work.segment), work.plan.engine_options)
    work.store.put_arrays(work.name("text"), tokens)
    return {**facts, "cache_hit": False, "tokens_in": _count(tokens)}


def semantic(work: SegmentWork) -> Facts:
    """Convert tokens to the model's conditioning, and plan the frames."""
    if work.finished or work.store.has(work.name("semantic")):
        return {"cache_hit": True}
    tokens = work.store.need_arrays(work.name("text"))
    conditions = work.engine.semantic(tokens, work.plan.engine_options)
    work.store.put_arrays(work.name("semantic"), conditions)
    return {"cache_hit": False, "tokens_in": _count(conditions)}


def speaker(work: SegmentWork, control: Control | None = None) -> Facts:
    """Make the missing speaker embeddings of the segment from reference recordings.

    Args:
        control: checked before every voice.
    """
    if work.finished:
        return {"cache_hit": True}
    made = 0
    for name in work.segment.speakers:
        voice = work.plan.voice(name)
        where = speaker_name(work.plan, voice)
        if not work.store.has(where):
            if control is not None:
                control.check()
            reference = _reference(work.store, voice.hash)
            work.store.put_arrays(where, _embedding(work, name, reference))
            made += 1
    return {"cache_hit": made == 0}


def prepare(work: SegmentWork) -> None:
    """Run the stages before `diffusion`, which needs their products."""
    text(work)
    semantic(work)
    speaker(work)


def diffusion(work: SegmentWork, control: Control) -> Facts:
    """Decode a take of the segment, measure it and its loudness, and store samples and then spans."""
    take, takes = work.next_take(), work.takes
    if take is None or takes.has_audio(take):
        return {"cache_hit": True}
    conditions = work.store.need_arrays(work.name("semantic"))
    speakers = [
        work.store.need_arrays(speaker_name(work.plan, work.plan.voice(name)))
        for name in work.segment.speakers
    ]
    profile, request = work.engine.profile, takes.request(take, work.engine.profile)
    utterances = _utterances(work, request, conditions, speakers, control)
    rate = profile.sample_rate_hz
    samples, spans = loudness.spans(utterances, rate)
    audio = put_audio(
        work.store,
        work.segment.key,
        samples,
        SegmentAudio(rate, len(samples), tuple(spans)),
        take,
        {"expected_s": expected_s(conditions, profile), "measures": measure(samples, rate).record()},
    )
    return {
        "cache_hit": False,
        "audio_s": audio.samples / rate,
        "sample_rate": rate,
        "bytes_out": samples.nbytes,
        "take": take,
    }


def _utterances(
    work: SegmentWork,
    request: TakeRequest,
    conditions: Arrays,
    speakers: Sequence[Arrays],
    control: Control,
) -> Sequence[Utterance]:
    """Decode a take, whole or in parts."""
    engine, changed = work.engine, dict(request.options)
    count = int(changed.pop(PARTS, 1))
    options = engine.options({**work.plan.engine_options, **changed}) if changed else work.plan.engine_options
    if count == 1:
        return engine.diffusion(conditions, speakers, request.seed, options, control)
    found: list[Utterance] = []
    frames = 0
    for part in parts(replace(text_of(work.segment), seed=request.seed), count):
        prepared = engine.semantic(engine.text(part.text, options), options)
        voices = [speakers[slot] for slot in part.slots]
        utterances = engine.diffusion(
            prepared, voices, part.text.seed, options, OffsetControl(control, frames)
        )
        found += [replace(each, line=each.line + part.first_line) for each in utterances]
        seconds = sum(len(each.samples) for each in utterances) / engine.profile.sample_rate_hz
        frames += round(seconds * engine.profile.frame_rate_hz)
    return found


def verify(work: SegmentWork, checker: Checker) -> Facts:
    """Check the next take and store the verdict; does nothing if its audio is not made yet."""
    take, takes = work.next_take(), work.takes
    record = None if take is None else read_record(work.store, work.segment.key, take)
    if take is None or record is None:
        return {"cache_hit": True}
    checked = _checked(work, checker, take, record)
    if checker.identity() != work.plan.checker:
        checked = replace(checked, facts={**checked.facts, "checker": checker.identity()})
    return {"cache_hit": False, **facts_of(take, takes.record(take, checked))}


def give_up_take(work: SegmentWork, error: PipelineError) -> bool:
    """Record that a later take cannot be decoded, so that another is used; False if there is no other.

    The first take, the chosen one, and one that was asked for by hand have no other.
    """
    take, takes = work.next_take(), work.takes
    if not take or work.take is not None or takes.has_audio(take) or takes.verdict(take) is not None:
        return False
    found = Finding(DECODING, None, None, None, 1.0, 0.0, fails=True)
    takes.record(take, Checked((found,), -1.0, "", facts={"error": type(error).__name__}))
    return True


def expected_s(conditions: Arrays, profile: Profile) -> float:
    """Duration by the frame plan, in seconds."""
    return round(int(conditions.meta["frames"]) / profile.frame_rate_hz, 3)


def _checked(work: SegmentWork, checker: Checker, take: int, record: Mapping[str, Any]) -> Checked:
    """Check a take by the measurements of its decoder, if they suffice, or by its samples."""
    profile, segment = work.engine.profile, work.segment
    measures, frames_expected_s = Measures.of(record.get("measures")), record.get("expected_s")
    if measures is not None:
        checked = checker.judge(measures, segment, planned_s(frames_expected_s, segment, profile))
        if checked is not None:
            return checked
    audio = read_audio(work.store, segment.key, take)
    if audio is None:
        raise MissingArtifactError(work.name("spans"))
    return checker.check(
        Material(
            segment=segment,
            audio=audio,
            samples=read_samples(work.store, segment.key, take),
            frames_expected_s=frames_expected_s,
            language=profile.languages[0],
            profile=profile,
            voice=lambda name: speaker_name(work.plan, work.plan.voice(name)),
            reference=lambda name: _reference(work.store, work.plan.voice(name).hash),
            speak=None if profile.reference_needed else lambda name, text: _spoken(work, name, text),
        )
    )


def _spoken(work: SegmentWork, speaker: str, text: str) -> Samples:
    """Speak a text with a speaker's embedding, as the engine imitates no recording."""
    engine, options, voice = work.engine, work.plan.engine_options, work.plan.voice(speaker)
    embedding = work.store.get_arrays(speaker_name(work.plan, voice))
    if embedding is None:
        embedding = _embedding(work, speaker, _reference(work.store, voice.hash))
    tokens = engine.text(SegmentText((Line(0, text),), 1, 0), options)
    utterances = engine.diffusion(engine.semantic(tokens, options), [embedding], 0, options, Uncontrolled())
    return np.concatenate([utterance.samples for utterance in utterances])


def _count(arrays: Arrays) -> int | None:
    ids = arrays.arrays.get("ids")
    return None if ids is None else int(ids.size)


def _embedding(work: SegmentWork, speaker: str, reference: Reference) -> Arrays:
    try:
        return work.engine.speaker(reference, work.plan.engine_options)
    except VoiceError as error:
        raise VoiceError(speaker, error.reason) from error


def _reference(store: Store, voice_hash: str) -> Reference:
    kind, _, name = voice_hash.partition(":")
    return Reference(preset=name) if kind == "preset" else Voices(store).load(voice_hash)
