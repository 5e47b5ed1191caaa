"""A speech server as an engine: one request per line. Importing this module imports no HTTP client."""

import json
import math
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.arrays import Arrays
from pipeline.engines.openai.server import SpeechServer
from pipeline.engines.openai.traffic import Traffic, Waits, traffic
from pipeline.engines.protocol import (
    ANY_VOICE,
    Control,
    Options,
    Profile,
    Reference,
    SegmentText,
    Utterance,
    Wording,
)
from pipeline.engines.rates import handed_on, rates_meta, rates_of
from pipeline.errors import EngineError, OptionError, VoiceError
from pipeline.normalization.normalizer import normalized
from pipeline.script import sentences
from pipeline.script.words import count_words

if TYPE_CHECKING:
    from pipeline.engines.openai.client import Connection, SpeechClient

SAMPLE_RATE_HZ = 24_000
_SPEED_MIN, _SPEED_MAX = 0.25, 4.0
FRAME_RATE_HZ = 10.0
"""Rate at which progress is counted; servers have none in common."""
SLOTS = 4
_WORDS_PER_S = 2.5
_LINE_S = 0.3
"""Silence around the words of an answer."""
_LONGEST, _LONGEST_MORE_S = 4.0, 10.0
"""Longest sound of a request: a multiple of the expected duration, and seconds more."""
_NAMES_SHOWN = 12
_SHOWABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+()-]{0,127}")


class OpenAI:
    """The four stages over a speech server. Thread-safe.

    Args:
        server: where it is and what it has.
        model: name of the model at the server; None is the server's default.
        slots: segments at once per process.
    """

    def __init__(
        self, server: SpeechServer | None = None, model: str | None = None, slots: int | None = None
    ) -> None:
        self.server = server or SpeechServer()
        self.model, self.slots = model or self.server.model, slots or SLOTS
        self._profile = Profile(
            name="openai",
            sample_rate_hz=SAMPLE_RATE_HZ,
            frame_rate_hz=FRAME_RATE_HZ,
            words_min=60,
            words_max=120,
            speakers_max=64,
            languages=self.server.languages,
            reference_needed=False,
            pool="threads",
            slots=SLOTS,
            stage_version=1,
            words_per_s=_WORDS_PER_S,
            presets=self.server.voices,
            named_voices=True,
            normalizes=True,
            rates=(0.5, 2.0),
            voice_rates={ANY_VOICE: (_SPEED_MIN, _SPEED_MAX)},
            takes=({},),
            take_options=("pace",),
        )

    @property
    def profile(self) -> Profile:
        return self._profile

    def options(self, given: Options) -> Options:
        speed = given.get("pace", 1.0)
        unknown = sorted(set(given) - {"pace"})
        if unknown:
            raise OptionError(", ".join(unknown), "unknown option; openai has pace")
        if isinstance(speed, bool | str) or not _SPEED_MIN <= speed <= _SPEED_MAX:
            raise OptionError("pace", f"{speed!r} is not between 0.25 and 4")
        return {"pace": float(speed)}

    def revision(self) -> str:
        """Address of the server, format, longest request, and model."""
        return f"{self.server.identity} {self.model}"

    def wording(self, text: str, kinds: Collection[str] = ()) -> Wording:
        """Leave the text as it is but for the given kinds: what a server cannot speak is not known."""
        return Wording(normalized(text, kinds))

    def pronounced(self, written: str, ipa: str) -> None:
        """Return None: the convention has no IPA."""

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        """Split lines into requests, each with the number of its line."""
        requests = [
            (number, line.slot, piece)
            for number, line in enumerate(segment.lines)
            for piece in _pieces(line.text, self.server.characters_max)
        ]
        return Arrays({}, {"requests": json.dumps(requests, ensure_ascii=False), **rates_meta(segment)})

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        """Plan the duration; the server has no semantic tokens to hand over."""
        speed, rates = float(options["pace"]), rates_of(tokens)
        expected_s = sum(
            expected_duration_s(text, speed * rates.get(line, 1.0)) for line, _, text in _requests(tokens)
        )
        frames_max = math.ceil((_LONGEST * expected_s + _LONGEST_MORE_S) * FRAME_RATE_HZ)
        frames = {"frames": str(round(expected_s * FRAME_RATE_HZ)), "frames_max": str(frames_max)}
        return Arrays({}, {"requests": tokens.meta["requests"], **frames, **handed_on(tokens)})

    def speaker(self, reference: Reference, options: Options) -> Arrays:
        """Check that the settings or the server have the voice.

        Raises:
            VoiceError: neither has; or it is a recording, which the convention cannot carry.
        """
        name = reference.preset
        if name is None:
            raise VoiceError("", "engine openai speaks with the voices of its server, not with recordings")
        if name not in self.server.voices:
            found = self._client.voices()
            where = f"speech server {self.server.authority}"
            if found is None:
                raise VoiceError(name, f"{where} has no list of voices; add it to VOXCHORD_OPENAI_VOICES")
            if name not in found:
                raise VoiceError(name, f"unknown to {where}; it has {listed(found)}")
        return Arrays({}, {"voice": name})

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        """Ask for the lines of a segment, one after the other; one utterance per request.

        The seed is unused: the convention has no field for it.
        """
        voices = [one.meta["voice"] for one in speakers]
        waits = Waits(control)
        requests, rates = _requests(semantic), rates_of(semantic)
        pace = float(options["pace"])

        async def spoken(connection: "Connection") -> list[Utterance]:
            utterances, seconds = [], 0.0
            for line, slot, text in requests:
                speed = min(_SPEED_MAX, max(_SPEED_MIN, round(pace * rates.get(line, 1.0), 4)))
                utterances.append(await self._utterance(connection, line, text, voices[slot], speed))
                seconds += len(utterances[-1].samples) / SAMPLE_RATE_HZ
                control.frames(round(seconds * FRAME_RATE_HZ))
            return utterances

        with self.traffic.slot(waits):
            return self._client.run(spoken, waits)

    async def _utterance(
        self, connection: "Connection", line: int, text: str, voice: str, speed: float
    ) -> Utterance:
        body = {
            "model": self.model,
            "input": text,
            "voice": voice,
            "response_format": self.server.format,
            **({} if speed == 1.0 else {"speed": speed}),
        }
        longest_s = _LONGEST * expected_duration_s(text, speed) + _LONGEST_MORE_S
        return Utterance(line, text, await connection.speech(body, longest_s))

    @property
    def traffic(self) -> Traffic:
        return traffic(self.server.base, self.slots, self.server.requests_per_minute)

    @cached_property
    def _client(self) -> "SpeechClient":
        from pipeline.engines.openai.client import SpeechClient

        return SpeechClient(self.server, self.traffic)


def expected_duration_s(text: str, speed: float) -> float:
    """Expected duration of the sound of a text."""
    return (max(1.0, count_words(text)) / _WORDS_PER_S + _LINE_S) / speed


def listed(names: Sequence[str]) -> str:
    """Names for a message: at most a dozen, and none of a server that sends something else.

    >>> listed(["af_bella", "am_adam", "<b>"])
    'af_bella, am_adam'
    """
    usable = [name for name in names if _SHOWABLE.fullmatch(name)]
    more = len(usable) - _NAMES_SHOWN
    return ", ".join(usable[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "") or "none"


def _requests(arrays: Arrays) -> list[tuple[int, int, str]]:
    """(line, slot of the speaker, text) of every request."""
    return [(line, slot, text) for line, slot, text in json.loads(arrays.meta["requests"])]


def _pieces(text: str, characters_max: int) -> Iterator[str]:
    """Split a line into as few requests as its sentences allow.

    >>> list(_pieces("One two. Three four. Five.", 21))
    ['One two. Three four.', 'Five.']
    """
    if len(text) <= characters_max:
        yield text
        return
    piece = ""
    for part in (part for sentence in sentences.split(text) for part in _parts(sentence, characters_max)):
        joined = f"{piece} {part}" if piece else part
        if piece and len(joined) > characters_max:
            yield piece
            joined = part
        piece = joined
    if piece:
        yield piece


def _parts(sentence: str, characters_max: int) -> Iterator[str]:
    """Split a sentence that is too long for a request."""
    if len(sentence) <= characters_max:
        yield sentence
        return
    halves = sentences.halves(sentence)
    if halves is None:
        reason = f"has a word of {len(sentence):,} characters, more than a request may have"
        raise EngineError(f"a line {reason} (VOXCHORD_OPENAI_CHARACTERS_MAX={characters_max})")
    for half in halves:
        yield from _parts(half, characters_max)
