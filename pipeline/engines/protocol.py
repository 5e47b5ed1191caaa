"""What an engine is: four stages and a profile.

An engine sees one segment at a time and knows nothing of jobs, stores or queues. What passes between its
stages are arrays with a few words of metadata (`Arrays`), so that any stage may run on another machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.arrays import Arrays, Samples

Options = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Profile:
    """What the planner and the worker command need to know of an engine, so that neither asks its name."""

    name: str
    sample_rate_hz: int
    frame_rate_hz: float
    """Frames per second of audio that the engine plans and counts in."""
    words_min: int
    """A segment is not made shorter than this where the script allows it."""
    words_max: int
    """A segment is not made longer than this; a single sentence of up to twice as many is the exception."""
    speakers_max: int
    """Most speakers in one segment."""
    languages: tuple[str, ...]
    reference_needed: bool
    """Whether every speaker must have a reference recording (a preset won't do)."""
    pool: str
    """'prefork': one segment per process and core; 'threads': many segments in one process and device."""
    stage_version: int
    """Raised when the same input no longer gives the same sound; part of every segment's key."""
    words_per_s: float
    """Expected speaking rate, for plans and deadlines before anything is synthesised."""
    presets: tuple[str, ...] = ()
    """Voices that need no recording, in the order in which speakers get them."""
    tells_lines_apart: bool = True
    """Whether every utterance is one line's, so that a pause can go between any two lines of a segment."""


@dataclass(frozen=True, slots=True)
class Line:
    """One speaker's words in a segment: a turn, or the part of a turn between two pauses."""

    slot: int
    """The speaker, numbered from 0 within the segment in the order of the job's speakers."""
    text: str
    """Normalised text: quotes, dashes and white space are plain; never empty."""


@dataclass(frozen=True, slots=True)
class SegmentText:
    """All that an engine is told of a segment."""

    lines: tuple[Line, ...]
    speakers: int
    """How many speakers; every slot below this number occurs in `lines`."""
    seed: int
    """0 <= seed < 2**63, derived from the segment's content: the only source of randomness."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a speaker sounds like: a recording, a preset of the engine, or both unknown (engine's default)."""

    preset: str | None = None
    samples: Samples | None = None
    """(n,), mono, in [-1, 1], 1 s to 5 min."""
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """A run of samples with one speaker or, where the engine can't tell them apart, of several lines.

    `line` is the first line it covers; utterances come in the order of the lines, and a line may have several
    (one per sentence).
    """

    line: int
    text: str
    """The words that are heard in it, for subtitles."""
    samples: Samples
    """(n,), mono, at the profile's sample rate. Not levelled, not clipped."""
    lines: int = 1
    """How many lines it covers; 1 unless the engine can't tell where one ends."""


class Control(Protocol):
    """How the world reaches into a long decode: looked at every frame or utterance."""

    def check(self) -> None:
        """Return at once, or raise.

        Raises:
            HandedBackError: the process is stopping.
            CancelledError: the job was cancelled.
            DeadlineError: the segment took too long.
        """
        ...

    def frames(self, done: int, together: int = 1) -> None:
        """Told how many frames of the segment are decoded, and how many segments its last step had."""
        ...

    def waited(self, seconds: float) -> None:
        """Told how long in all others were decoded before it, which doesn't count against its deadline."""
        ...

    def graphs_refused(self, count: int) -> None:
        """Take how many parts of the decoder could not be captured as CUDA graphs."""
        ...


class Engine(Protocol):
    """One model, loaded lazily. Called from several threads at once when `profile.pool` is 'threads'.

    What it loads once it loads within `pipeline.engines.load_timing.loading`: an attempt that waits for it
    says so.
    """

    @property
    def profile(self) -> Profile: ...

    def options(self, given: Options) -> Options:
        """The options that shape the sound, with defaults filled in, in a canonical form.

        Raises:
            OptionError: unknown, or outside its range.
        """
        ...

    def revision(self) -> str:
        """A name for these weights that changes when they do; part of every segment's key.

        Raises:
            EngineError: no checkpoint, or a foreign or incomplete one.
        """
        ...

    def refuses(self, text: str) -> str | None:
        """Why this text can't be spoken by this engine; None if it can. Asked of every turn of a job."""
        ...

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        """Words to the engine's tokens (CPU)."""
        ...

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        """Tokens to what conditions the model, and the frame plan (CPU).

        `meta['frames']` is the expected length in frames, `meta['frames_max']` the most that will be decoded.
        """
        ...

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        """A reference to the engine's speaker embedding (GPU where there is one)."""
        ...

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        """Decode one segment (GPU where there is one).

        Args:
            speakers: one embedding per slot.

        Raises:
            DeviceLostError, OutOfMemoryError: worth another try.
            EngineError: this segment can't be decoded.
        """
        ...
