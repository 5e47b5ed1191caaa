"""The four stages of one segment. Each skips what exists, so that running one twice costs a check.

A stage returns facts about its work (`Facts`), for metering; `cache_hit` means that its product existed.
Products are in the store under the segment's key. Stages share nothing else, so each may run on another
machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.arrays import Arrays
from pipeline.engines.protocol import Control, Engine, Reference
from pipeline.errors import VoiceError
from pipeline.jobs.artifacts import put_audio, speaker_name, stage_name
from pipeline.jobs.plans import Plan
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

    def name(self, stage: str) -> str:
        """Name of a stage's product."""
        return stage_name(self.segment.key, stage)

    @property
    def finished(self) -> bool:
        """True if the segment's audio exists."""
        return self.store.has(self.name("spans"))


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


def diffusion(work: SegmentWork, control: Control) -> Facts:
    """Decode the segment, measure its loudness, and store samples and then spans."""
    if work.finished:
        return {"cache_hit": True}
    conditions = work.store.need_arrays(work.name("semantic"))
    speakers = [
        work.store.need_arrays(speaker_name(work.plan, work.plan.voice(name)))
        for name in work.segment.speakers
    ]
    utterances = work.engine.diffusion(
        conditions, speakers, work.segment.seed, work.plan.engine_options, control
    )
    rate = work.engine.profile.sample_rate_hz
    samples, spans = loudness.spans(utterances, rate)
    audio = put_audio(work.store, work.segment.key, samples, SegmentAudio(rate, len(samples), tuple(spans)))
    return {
        "cache_hit": False,
        "audio_s": audio.samples / rate,
        "sample_rate": rate,
        "bytes_out": samples.nbytes,
    }


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
