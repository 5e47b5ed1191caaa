"""Mixer: joins a job's segments to one file with subtitles and turn times.

It makes two passes. The first computes gains, positions and subtitles from plan and spans alone. The second
reads samples one segment at a time, the next one while one is encoded, so memory does not grow with the job.
With a preset the second is made again if the whole file misses the preset's aim.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.arrays import Samples
from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Control
from pipeline.errors import EngineError, MissingArtifactError
from pipeline.planning.records import PlannedSegment, SegmentAudio, Span
from pipeline.script.turns import ScriptChapter
from pipeline.stitching import encoders, limiter, subtitles
from pipeline.stitching.chapter_files import AudioWriter, file_ends
from pipeline.stitching.encoders import NO_TAGS
from pipeline.stitching.levels import Levels, SplitMeter, joined
from pipeline.stitching.loudness import LoudnessTargets, decibels, gains_db, integrated
from pipeline.stitching.marks.chapters import ChapterTime, chapter_times, tags_of
from pipeline.stitching.marks.cue_times import CueTime, cue_times
from pipeline.stitching.marks.parts import parts
from pipeline.stitching.presets import PRESETS, LoudnessReport, MeasuredFile, corrected, report
from pipeline.stitching.remux.encoded_run import PRE_ROLL, Codec, EncodedRuns, encoded
from pipeline.stitching.room_tone import RoomTone, room_tone
from pipeline.stitching.spoken_words import Read
from pipeline.stitching.tags import Tags
from pipeline.stitching.timeline import Pauses, Run, Timeline, TimelineItem, WordTimes, lay_out, line_times

FADE_S = 0.004
"""Length of the raised-cosine fade at both ends of a span; inaudible, since speech starts and ends in
silence.
"""

_RUN_VERSION = 1
"""To be raised if other samples are made from the same segments, levels and positions."""
_BLOCK = 1 << 18
"""Samples of a pause that are written at once."""
_EVERYONE = "*"
"""Name of the single voice of a job whose engine cannot tell speakers apart."""

TARGETS = LoudnessTargets()
PAUSES = Pauses()

ReadSamples = Callable[[PlannedSegment], Samples]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TurnTime:
    """Start and end of a turn, without its text, which is private."""

    turn: int
    source_line: int
    speaker: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence of the expected length in place of a missing segment."""

    segment: int
    source_line: int
    """Source line of the first missing line."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class VoiceLevel:
    """Level change of one speaker; the name is `*` if the engine cannot tell speakers apart."""

    speaker: str
    gain_db: float


@dataclass(frozen=True, slots=True)
class Loudness:
    lufs: float | None
    """Integrated loudness of the speech without pauses; None if it could not be measured."""
    true_peak_dbtp: float | None
    """Highest true peak, or an upper bound of it after limiting; None if all is silence."""
    voices: tuple[VoiceLevel, ...]
    spans_limited: int


@dataclass(frozen=True, slots=True)
class Stitched:
    """A finished file with its properties."""

    duration_s: float
    sample_rate_hz: int
    sha256: str
    """Hash of the file's bytes, in hex."""
    bytes: int
    turns: tuple[TurnTime, ...]
    gaps: tuple[Gap, ...]
    loudness: Loudness
    srt: str
    vtt: str
    words: tuple[subtitles.TimedWord, ...]
    chapters: tuple[ChapterTime, ...] = ()
    cues: tuple[CueTime, ...] = ()
    """Cues that were to begin at a time."""
    report: LoudnessReport | None = None
    """None if no preset was asked for."""


def stitch(
    segments: Iterable[tuple[PlannedSegment, SegmentAudio | None]],
    read_samples: ReadSamples,
    *,
    out: Path,
    file_format: str,
    sample_rate_hz: int,
    words_per_s: float,
    control: Control,
    tags: Tags = NO_TAGS,
    chapters: Sequence[ScriptChapter] = (),
    written: Mapping[int, str] | None = None,
    heard: Mapping[int, WordTimes] | None = None,
    targets: LoudnessTargets = TARGETS,
    pauses: Pauses = PAUSES,
    starts_ms: Mapping[int, int] | None = None,
    split_hours: float | None = None,
    voice_gains_db: Mapping[str, float] | None = None,
    preset: str | None = None,
    encoded_runs: EncodedRuns | None = None,
    progress: Progress = lambda done, of: None,
    read: Read = str,
) -> Stitched:
    """Join all segments of a job into one file.

    Args:
        segments: in script order; one whose audio is None becomes a gap of its expected length.
        read_samples: reads the samples of a segment with audio, (n,) float32. Called in another thread, once
            per segment, in order.
        out: path of the file, which is written under a temporary name and moved.
        file_format: one of `ENCODERS`.
        words_per_s: the engine's expected rate, for gaps in a job without any audio.
        control: checked before each segment.
        tags: metadata of the file, without chapters.
        chapters: chapters by their first turns.
        written: texts of turns that are spoken in other words, for subtitles; by the turn's index.
        heard: word times of segments whose engine does not know them, by position in `segments`.
        starts_ms: times at which turns are to begin, by the turn's index.
        voice_gains_db: changes of the levels of speakers, by name.
        split_hours: most hours of a file in an archive, in place of a file per chapter.
        preset: a name in `PRESETS`, in place of targets and pauses.
        encoded_runs: parts of files that were encoded before, for formats that are joined from such.
        progress: called with (finished segments, all segments).
        read: words that the engine's own reading makes of the text that it is given.

    Raises:
        OptionError: unknown format.
        MissingArtifactError: a segment's samples differ from its `SegmentAudio`.
        EngineError: segments with different sample rates.
        StoreError: the file cannot be written.
        Exception: errors of `control.check` and `read_samples`.
    """
    segments = list(segments)
    _check_rates(segments, sample_rate_hz)
    archive = file_format.endswith(".zip")
    wanted = PRESETS[preset] if preset else None
    if wanted:
        targets, pauses = wanted.targets, wanted.pauses(archive=archive)
    codec = None if starts_ms else encoders.codec_of(file_format, sample_rate_hz)
    timeline = lay_out(
        segments,
        pauses=pauses,
        sample_rate_hz=sample_rate_hz,
        words_per_s=words_per_s,
        heard=heard,
        frame=codec.frame(sample_rate_hz) if codec else 0,
        run_pause_frames=codec.pause_frames if codec else 0,
        chapter_turns={chapter.turn for chapter in chapters},
        starts_ms=starts_ms or {},
    )
    marks = chapter_times(timeline, chapters, wanted.head_ms if wanted and archive else 0)
    tags = replace(tags, chapters=tags_of(marks))
    if split_hours:
        tags = replace(tags, parts=parts(timeline, tags.chapters, split_hours, tags.title))
    file = OutputFile(out, file_format, tags)
    mix = Mix(timeline, targets, voice_gains_db)
    sound = Sound(segments, read_samples, mix, control, progress, codec)
    levels = _written(file, sound, encoded_runs, measured=bool(preset))
    if preset and (again := _corrected(preset, targets, file, mix, levels)):
        mix = Mix(timeline, again, voice_gains_db)
        levels = _written(file, replace(sound, mix=mix), encoded_runs, measured=True)
    cues = subtitles.cues(timeline, written)
    return Stitched(
        duration_s=timeline.samples / sample_rate_hz,
        sample_rate_hz=sample_rate_hz,
        sha256=_digest(out),
        bytes=out.stat().st_size,
        turns=turn_times(timeline),
        gaps=gaps(timeline, [planned for planned, _ in segments]),
        loudness=mix.loudness(),
        srt=subtitles.srt(cues),
        vtt=subtitles.vtt(cues),
        words=subtitles.timed_words(timeline, written, read=read),
        chapters=marks,
        cues=cue_times(timeline, starts_ms or {}),
        report=report(preset, measured_files(file, mix, levels)) if preset else None,
    )


def _check_rates(segments: Iterable[tuple[PlannedSegment, SegmentAudio | None]], sample_rate_hz: int) -> None:
    for planned, audio in segments:
        if audio is not None and audio.sample_rate_hz != sample_rate_hz:
            raise EngineError(
                f"segment {planned.index} has {audio.sample_rate_hz} Hz, not {sample_rate_hz} Hz"
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Mix:
    """Gain, limiting and fades of each item of the timeline."""

    def __init__(
        self,
        timeline: Timeline,
        targets: LoudnessTargets,
        voice_gains_db: Mapping[str, float] | None = None,
    ) -> None:
        self.timeline = timeline
        self.ceiling = 10 ** (targets.ceiling_dbtp / 20)
        self._speakers_separable = all(
            len({line.speaker for line in item.lines}) == 1 for item in timeline.items if item.span
        )
        voices: dict[str, list[Span]] = {}
        for item in timeline.items:
            if item.span:
                voices.setdefault(self._voice(item), []).append(item.span)
        changes = voice_gains_db or {}
        self.gains_db = {
            voice: gain_db + changes.get(voice, 0.0) for voice, gain_db in gains_db(voices, targets).items()
        }

    def _voice(self, item: TimelineItem) -> str:
        return item.lines[0].speaker if self._speakers_separable else _EVERYONE

    def gain(self, item: TimelineItem) -> float:
        """Linear gain of an item."""
        return float(10 ** (self.gains_db[self._voice(item)] / 20))

    def exceeds(self, item: TimelineItem) -> bool:
        """True if the gain would raise the item's true peak above the ceiling."""
        return item.span is not None and item.span.true_peak * self.gain(item) > self.ceiling

    def samples(
        self, item: TimelineItem, samples: Samples, tone: RoomTone | None = None, seed: int = 0
    ) -> Samples:
        """Processed samples of a span.

        Args:
            tone: floor that its fades lead from and to, in place of silence.
            seed: of the floor.
        """
        gain, fade = np.float32(self.gain(item)), round(FADE_S * self.timeline.sample_rate_hz)
        levelled = samples * gain
        _fade(levelled, fade, None if tone is None else tone.samples(2 * fade, seed) * gain)
        if self.exceeds(item):
            levelled = limiter.limit(levelled, self.timeline.sample_rate_hz, self.ceiling)
        return levelled

    def loudness(self) -> Loudness:
        spoken = [(item, item.span) for item in self.timeline.items if item.span]
        peaks = [min(self.ceiling, span.true_peak * self.gain(item)) for item, span in spoken]
        peak = max(peaks, default=0.0)
        return Loudness(
            lufs=integrated(
                (span.lufs + self.gains_db[self._voice(item)], span.samples)
                for item, span in spoken
                if span.lufs is not None
            ),
            true_peak_dbtp=round(decibels(peak), 3) if peak else None,
            voices=tuple(VoiceLevel(name, round(gain, 3)) for name, gain in self.gains_db.items()),
            spans_limited=sum(self.exceeds(item) for item, _ in spoken),
        )


def _fade(samples: Samples, length: int, floor: Samples | None = None) -> None:
    """Fade in and out in place, over at most half of the samples each.

    Args:
        floor: (2 * length,), fades in the opposite direction; None for silence.
    """
    length = min(length, len(samples) // 2)
    if not length:
        return
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    for part, rising in ((slice(None, length), ramp), (slice(-length, None), ramp[::-1])):
        samples[part] *= rising
        if floor is not None:
            samples[part] += floor[part] * (1 - rising)


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples of the file."""

    segments: Sequence[tuple[PlannedSegment, SegmentAudio | None]]
    read_samples: ReadSamples
    mix: Mix
    control: Control
    progress: Progress
    codec: Codec | None = None
    """Codec of a file that is joined from encoded runs; None for other files."""

    def blocks(self, run: Run, before: int = 0) -> Generator[Samples, None, None]:
        """Yield the samples of a run in order, one pause or span at a time.

        Args:
            before: samples of the pause that are added before it.
        """
        origin = position = run.start - before
        floor = _Floor()
        items = {index: list(group) for index, group in groupby(run.items, lambda item: item.segment)}
        ahead = _ahead([self.segments[index] for index in run.segments], self.read_samples, self.control)
        for index, samples in zip(run.segments, ahead, strict=True):
            tone = None if samples is None else room_tone(samples, self.mix.timeline.sample_rate_hz)
            for item in items[index]:
                if position == origin:
                    floor = _Floor(tone, self.mix.gain(item) if item.span else 1.0)
                yield from floor.pause(item.start - position, position - origin)
                if item.span is None or samples is None:
                    floor = _Floor()
                    yield from floor.pause(item.samples, item.start - origin)
                else:
                    floor = _Floor(tone, self.mix.gain(item))
                    part = samples[item.span.start : item.span.start + item.span.samples]
                    yield self.mix.samples(item, part, tone, item.start - origin)
                position = item.start + item.samples
            self.progress(index + 1, len(self.segments))
        yield from floor.pause(run.end - position, position - origin)

    def key(self, run: Run, sound: Callable[[PlannedSegment], str], *, measured: bool) -> str:
        """Hash of all that shapes a run's packets, in hex.

        Args:
            sound: name of a segment's samples.
            measured: whether its levels are stored with it.
        """
        items = [
            [
                item.start - run.start,
                item.samples,
                item.span
                and [
                    sound(self.segments[item.segment][0]),
                    item.span.start,
                    item.span.true_peak,
                    item.span.lufs,
                    self.mix.gain(item),
                ],
            ]
            for item in run.items
        ]
        rate = self.mix.timeline.sample_rate_hz
        content = [
            _RUN_VERSION,
            self.codec and self.codec.settings(),
            rate,
            self.mix.ceiling,
            measured,
            run.end - run.start,
            items,
        ]
        return hashlib.sha256(canonical_json(content)).hexdigest()


@dataclass(frozen=True, slots=True)
class OutputFile:
    """The file to be written."""

    path: Path
    file_format: str
    tags: Tags

    def ends(self, timeline: Timeline) -> list[int]:
        """Samples after the last one of each file, of which an archive has several."""
        if self.file_format.endswith(".zip"):
            return file_ends(self.tags, timeline.sample_rate_hz, timeline.samples)
        return [timeline.samples]


def _written(file: OutputFile, sound: Sound, known: EncodedRuns | None, *, measured: bool) -> list[Levels]:
    """Write the file; returns the levels of each file in it, if they are measured."""
    timeline = sound.mix.timeline
    rate, samples = timeline.sample_rate_hz, timeline.samples
    if sound.codec:
        with encoders.run_writer(
            file.path, file.file_format, sound.codec, sample_rate_hz=rate, samples=samples, tags=file.tags
        ) as joining:
            return _join(joining, sound.codec, sound, known, measured=measured)
    meter = SplitMeter(rate, file.ends(timeline)) if measured else None
    with encoders.writer(
        file.path, file.file_format, sample_rate_hz=rate, samples=samples, tags=file.tags
    ) as writing:
        for run in timeline.runs():
            _write(writing, sound, run, meter)
    return meter.levels() if meter else []


def _write(file: AudioWriter, sound: Sound, run: Run, meter: SplitMeter | None) -> None:
    with closing(sound.blocks(run)) as blocks:
        for block in map(encoders.pcm, blocks):
            file.write(block)
            if meter:
                meter.add(block)


def _join(
    file: encoders.RunWriter, codec: Codec, sound: Sound, known: EncodedRuns | None, *, measured: bool
) -> list[Levels]:
    """Join a file from its runs; those that are not known are encoded."""
    timeline, levels = sound.mix.timeline, []
    before = PRE_ROLL * timeline.frame
    for run in timeline.runs():
        length = run.end - run.start
        key = sound.key(run, known.sound, measured=measured) if known else ""
        packets = known.get(key) if known else None
        if packets is None:
            meter = SplitMeter(timeline.sample_rate_hz, [before, before + length]) if measured else None
            with closing(sound.blocks(run, before)) as blocks:
                packets = encoded(codec, map(encoders.pcm, blocks), timeline.sample_rate_hz, meter)
            if known:
                known.put(key, packets)
        else:
            sound.control.check()
            sound.progress(run.segments.stop, len(sound.segments))
        file.append(packets, length)
        levels += [packets.levels] if packets.levels else []
    return [joined(levels)] if measured else []


def _corrected(
    preset: str, targets: LoudnessTargets, file: OutputFile, mix: Mix, levels: Sequence[Levels]
) -> LoudnessTargets | None:
    """Targets that bring a written file to its preset's aim; None if it is there."""
    whole = measured_files(file, mix, [joined(levels)])[0]
    return corrected(preset, targets, whole.value(PRESETS[preset].aim[0]))


def measured_files(file: OutputFile, mix: Mix, levels: Sequence[Levels]) -> list[MeasuredFile]:
    """The files with their levels, and the room before the first and behind the last word of each."""
    timeline, found = mix.timeline, []
    ends = file.ends(timeline) if len(levels) > 1 else [timeline.samples]
    peak = mix.loudness().true_peak_dbtp
    rate = timeline.sample_rate_hz
    for start, end, level in zip([0, *ends], ends, levels, strict=False):
        inside = [item for item in timeline.items if start <= item.start < end]
        head = inside[0].start - start if inside else end - start
        tail = end - inside[-1].start - inside[-1].samples if inside else end - start
        found.append(MeasuredFile(level, rate, peak, head / rate, tail / rate))
    return found


@dataclass(frozen=True, slots=True)
class _Floor:
    """Sound of the pauses after a span: the floor of its segment at its level, or silence."""

    tone: RoomTone | None = None
    gain: float = 1.0

    def pause(self, samples: int, position: int) -> Iterator[Samples]:
        """Yield a pause in blocks, since a gap may last minutes.

        Args:
            position: its first sample, from the start of the run.
        """
        for start in range(0, samples, _BLOCK):
            length = min(_BLOCK, samples - start)
            if self.tone is None:
                yield np.zeros(length, np.float32)
            else:
                yield self.tone.samples(length, position + start) * np.float32(self.gain)


def _ahead(
    segments: Sequence[tuple[PlannedSegment, SegmentAudio | None]],
    read_samples: ReadSamples,
    control: Control,
) -> Iterator[Samples | None]:
    """Yield each segment's samples, None for a gap; reads the next while one is in use."""

    def read(index: int) -> Samples | None:
        planned, audio = segments[index]
        if audio is None:
            return None
        samples = read_samples(planned)
        if len(samples) != audio.samples:
            raise MissingArtifactError(planned.key)
        return samples

    with ThreadPoolExecutor(1, "stitch-read") as reader:
        coming = reader.submit(read, 0) if segments else None
        for index in range(len(segments)):
            control.check()
            samples = coming.result() if coming else None
            coming = reader.submit(read, index + 1) if index + 1 < len(segments) else None
            yield samples


def turn_times(timeline: Timeline) -> tuple[TurnTime, ...]:
    """Times of each turn from its first to its last word, over all its segments."""
    times = [time for item in timeline.items for time in line_times(item)]
    rate = timeline.sample_rate_hz
    turns = []
    for turn, group in groupby(times, lambda time: time.line.turn):
        heard = list(group)
        first = heard[0].line
        end_s = round(heard[-1].end / rate, 3)
        turns.append(TurnTime(turn, first.source_line, first.speaker, round(heard[0].start / rate, 3), end_s))
    return tuple(turns)


def gaps(timeline: Timeline, segments: Sequence[PlannedSegment]) -> tuple[Gap, ...]:
    rate = timeline.sample_rate_hz
    return tuple(
        Gap(
            segments[item.segment].index,
            item.lines[0].source_line,
            round(item.start / rate, 3),
            round((item.start + item.samples) / rate, 3),
        )
        for item in timeline.items
        if item.span is None
    )
