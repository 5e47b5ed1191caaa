"""The four stages of one segment. Each skips what exists, so that running one twice costs a look.

A stage returns facts of what it did (`Facts`), for whoever keeps account; `cache_hit` says that there was
nothing to do. Their products lie in the store under the segment's key; nothing passes from one to the next
by any other way, so any stage may run on another machine.
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
class Work:
    """One segment and all that its stages need."""

    store: Store
    plan: Plan
    segment: PlannedSegment
    engine: Engine

    def name(self, stage: str) -> str:
        return stage_name(self.segment.key, stage)

    @property
    def finished(self) -> bool:
        return self.store.has(self.name("spans"))


def text(work: Work) -> Facts:
    """The segment's words to the engine's tokens."""
    facts: Facts = {"chars_in": sum(len(line.text) for line in work.segment.lines)}
    if work.finished or work.store.has(work.name("text")):
        return {**facts, "cache_hit": True}
    tokens = work.engine.text(text_of(work.segment), work.plan.engine_options)
    work.store.put_arrays(work.name("text"), tokens)
    return {**facts, "cache_hit": False, "tokens_in": _count(tokens)}


def semantic(work: Work) -> Facts:
    """Tokens to what conditions the model, and the frame plan."""
    if work.finished or work.store.has(work.name("semantic")):
        return {"cache_hit": True}
    tokens = work.store.need_arrays(work.name("text"))
    conditions = work.engine.semantic(tokens, work.plan.engine_options)
    work.store.put_arrays(work.name("semantic"), conditions)
    return {"cache_hit": False, "tokens_in": _count(conditions)}


def speaker(work: Work, control: Control | None = None) -> Facts:
    """Reference recordings to speaker embeddings, for the segment's speakers that have none yet.

    Args:
        control: looked at before every voice.
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


def diffusion(work: Work, control: Control) -> Facts:
    """Decode the segment, measure how loud it is, and store samples and spans; the spans last."""
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


def _embedding(work: Work, speaker: str, reference: Reference) -> Arrays:
    try:
        return work.engine.speaker(reference, work.plan.engine_options)
    except VoiceError as error:
        raise VoiceError(speaker, error.reason) from error


def _reference(store: Store, voice_hash: str) -> Reference:
    kind, _, name = voice_hash.partition(":")
    return Reference(preset=name) if kind == "preset" else Voices(store).load(voice_hash)
