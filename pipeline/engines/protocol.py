"""Protocol of a speech engine: four stages and a profile.

An engine sees one segment at a time and knows nothing of jobs, stores or queues. Its stages exchange arrays
with metadata (`Arrays`), so that each stage may run on another machine.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.arrays import Arrays, Samples

Options = Mapping[str, str | int | float | bool]

PARTS = "parts"
"""Change of a take beside the engine's options: the number of smaller segments that it is decoded in."""
PARTS_MAX = 8
ANY_VOICE = ""
"""Voices that `Profile.voice_rates` does not name."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Properties of an engine for the planner and the worker command, which never use its name."""

    name: str
    sample_rate_hz: int
    frame_rate_hz: float
    """Frames per second of audio."""
    words_min: int
    """Minimum words of a segment, if the script allows it."""
    words_max: int
    """Maximum words of a segment; a single sentence may have twice as many."""
    speakers_max: int
    """Maximum speakers of a segment."""
    languages: tuple[str, ...]
    reference_needed: bool
    """True if every speaker needs a reference recording."""
    pool: str
    """'prefork': one segment per process and core; 'threads': many segments in one process and device."""
    stage_version: int
    """Version that is raised when equal input gives another sound; part of every segment's key."""
    words_per_s: float
    """Expected speaking rate, for plans and deadlines."""
    presets: tuple[str, ...] = ()
    """Voices without recordings; the first is the narrator's."""
    variations: tuple[str, ...] = ()
    """Voices made from presets, for speakers beyond these; empty if the engine cannot vary them."""
    takes: tuple[Options, ...] = ()
    """Changes of options for the second take of a segment, the third and so on; the last one repeats. `PARTS`
    is a change, too.

    Empty if another take cannot be better: bad takes are then reported only.
    """
    take_options: tuple[str, ...] = ()
    """Options that a take may change, `PARTS` among them: they affect the diffusion stage alone."""
    separates_lines: bool = True
    """True if every utterance belongs to one line, so that pauses can be inserted between lines."""
    named_voices: bool = False
    """True if voices are names, of which presets are those known beforehand: the speaker stage checks others,
    and recordings cannot be used.
    """
    slots: int = 0
    """Segments at once where no number is set; 0 leaves it to the device."""
    normalizes: bool = False
    """True if it reads numbers, dates and the like by itself: they are written in words only on request."""
    rates: tuple[float, float] | None = None
    """Lowest and highest rate of a line, its speaker's pace included; None if the engine cannot change it."""
    voice_rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest rate by voice, the option `pace` included, beyond which the engine speaks at the
    limit; `ANY_VOICE` for those that are not named. Empty if `rates` holds for all.
    """
    requires: tuple[str, ...] = ()
    """Optional packages that its stages import."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Text as an engine reads it right: symbols in words, unusual words respelt."""

    text: str
    problems: tuple[str, ...] = ()
    """Reasons why it cannot be spoken; they name characters, and quote no words."""
    notices: tuple[str, ...] = ()
    unspeakable: tuple[str, ...] = ()
    """Characters of the text that it cannot speak, each once; each is in one of the problems."""


@dataclass(frozen=True, slots=True)
class Line:
    """One speaker's words in a segment: a turn, or the part of a turn between two pauses."""

    slot: int
    """Index of the speaker within the segment, in the order of the voices' hashes."""
    text: str
    """Text with normalised quotes, dashes and white space; never empty."""
    rate: float = 1.0
    """Factor of the speaking rate, within the profile's `rates`."""


@dataclass(frozen=True, slots=True)
class SegmentText:
    """Text of a segment, the input of an engine."""

    lines: tuple[Line, ...]
    speakers: int
    """Number of speakers; every slot below it occurs in `lines`."""
    seed: int
    """The only source of randomness, derived from the segment's content; 0 <= seed < 2**63."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference of a voice: a recording or a preset; neither means the engine's default."""

    preset: str | None = None
    samples: Samples | None = None
    """(n,), mono, in [-1, 1], 1 s to 5 min."""
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """Samples of one line or, if the engine cannot tell lines apart, of several.

    `line` is the first line it covers. Utterances are in line order; a line may have several (one per
    sentence).
    """

    line: int
    text: str
    """Words spoken in it, for subtitles."""
    samples: Samples
    """(n,), mono, at the profile's sample rate; neither levelled nor clipped."""
    lines: int = 1
    """Number of lines it covers, above 1 only if the engine cannot tell lines apart."""
    words: tuple[tuple[int, int], ...] = ()
    """First sample of each word of `text` (split at white space), and the one after its last.

    Empty if the engine does not know.
    """


class Control(Protocol):
    """Control of a long decode, checked every frame or utterance."""

    def check(self) -> None:
        """Return at once, or raise.

        Raises:
            HandedBackError: the process is stopping.
            CancelledError: the job was cancelled.
            DeadlineError: the segment took too long.
        """
        ...

    def frames(self, done: int, batch_size: int = 1) -> None:
        """Report the decoded frames of the segment, and the number of segments in its last step."""
        ...

    def waited(self, seconds: float) -> None:
        """Report the total time that other segments were decoded first, which does not count."""
        ...

    def graphs_refused(self, count: int) -> None:
        """Report the number of parts of the decoder that could not be captured as CUDA graphs."""
        ...


class Uncontrolled(Control):
    """Control that never stops a decode and records nothing."""

    def check(self) -> None:
        return

    def frames(self, done: int, batch_size: int = 1) -> None:
        return

    def waited(self, seconds: float) -> None:
        return

    def graphs_refused(self, count: int) -> None:
        return


class OffsetControl(Control):
    """Control of one of several decodes of a segment.

    Args:
        control: of the whole segment.
        before: frames of the decodes before this one.
    """

    def __init__(self, control: Control, before: int) -> None:
        self.control, self.before = control, before

    def check(self) -> None:
        self.control.check()

    def frames(self, done: int, batch_size: int = 1) -> None:
        self.control.frames(self.before + done, batch_size)

    def waited(self, seconds: float) -> None:
        self.control.waited(seconds)

    def graphs_refused(self, count: int) -> None:
        self.control.graphs_refused(count)


class Engine(Protocol):
    """One model, loaded lazily; called from several threads at once if `profile.pool` is 'threads'.

    Models are loaded within `pipeline.engines.load_timing.loading`, so that waiting attempts are measured.
    """

    @property
    def profile(self) -> Profile: ...

    def options(self, given: Options) -> Options:
        """Validate the options that shape the sound; returns them with defaults, in canonical form.

        Raises:
            OptionError: an unknown option, or a value out of range.
        """
        ...

    def revision(self) -> str:
        """Identifier of the weights, part of every segment's key.

        Raises:
            EngineError: a missing, unsupported or incomplete checkpoint.
        """
        ...

    def wording(self, text: str, kinds: Collection[str] = ()) -> Wording:
        """Write a turn's text as the engine is to be given it. Called for every turn of a job.

        Args:
            kinds: kinds of `pipeline.normalization` that are written in words where the engine misreads them.
        """
        ...

    def pronounced(self, written: str, ipa: str) -> Wording | None:
        """Write a word as the engine is to be given it to be spoken by IPA; None if it takes none."""
        ...

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        """Convert words to the engine's tokens (CPU)."""
        ...

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        """Convert tokens to the model's conditioning, and plan the frames (CPU).

        `meta['frames']` is the expected length in frames, `meta['frames_max']` the maximum.
        """
        ...

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        """Convert a reference to a speaker embedding (GPU if there is one)."""
        ...

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        """Decode one segment (GPU if there is one).

        Args:
            speakers: one embedding per slot.

        Raises:
            DeviceLostError, OutOfMemoryError: may pass on a retry.
            EngineError: the segment cannot be decoded.
        """
        ...
