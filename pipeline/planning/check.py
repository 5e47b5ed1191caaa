"""Checks of a script against its voices and its engine, and the summary of what was found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from pipeline.books.chapter_list import ListedChapter
from pipeline.engines.protocol import Engine, Options, Profile
from pipeline.errors import ScriptError, VoiceError
from pipeline.planning import speaking_rates
from pipeline.planning.cast_entry import with_names
from pipeline.planning.casting import Cast, Speaker, cast
from pipeline.planning.pronunciation import AS_ENGINE, Pronunciation
from pipeline.planning.unspeakable import ERROR, treated
from pipeline.script.languages import foreign_turns
from pipeline.script.names import find
from pipeline.script.turns import BookChapter, Finding, Omission, Script
from pipeline.script.words import spoken_words
from pipeline.voices.library import Voices

FINDINGS_STORED = 200
"""Most notices in a stored summary; the others are counted."""


@dataclass(frozen=True, slots=True)
class SpeakerSummary:
    """One speaker's share of a script."""

    name: str
    voice: str
    """Empty where the speaker has none."""
    turns: int
    words: int
    minutes: float
    """Expected duration."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of a script. It names speakers, and quotes none of their words."""

    form: str
    speakers: tuple[SpeakerSummary, ...]
    words: int
    minutes: float
    problems: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    omitted: Mapping[str, Mapping[str, int]]
    """Number and words of the omitted parts, by kind."""
    spelled: int = 0
    """Characters that the engine does not speak, and that are spelled by name."""
    chapters: tuple[ListedChapter, ...] = ()

    def record(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return asdict(self)

    def stored(self) -> dict[str, Any]:
        """Convert to the record stored with a job and returned in its manifest; notices are bounded."""
        hidden = len(self.notices) - FINDINGS_STORED
        record = replace(self, notices=self.notices[:FINDINGS_STORED]).record()
        del record["problems"]  # a job that is planned has none
        del record["chapters"]  # those of the file are in its own list
        return record | ({"notices_omitted": hidden} if hidden > 0 else {})


@dataclass(frozen=True, slots=True)
class Check:
    """A script, the voices of its speakers, and everything that was found."""

    script: Script
    cast: Cast
    profile: Profile
    refusals: tuple[Finding, ...] = ()
    """Turns that the engine cannot speak."""
    notices: tuple[Finding, ...] = ()
    """Notices of the engine on turns that it speaks."""
    wordings: Mapping[int, str] = field(default_factory=dict)
    """Spoken words of turns whose text the engine would misread, by the turn's index."""
    spelled: int = 0
    """Characters that the engine does not speak, and that are spelled."""

    @property
    def speakers(self) -> tuple[Speaker, ...]:
        return tuple(self.cast.speakers)

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Problems, in the order of their lines."""
        voices = [
            Finding(
                self._first_line(problem.speaker),
                f"voice {problem.voice!r}: {problem.reason}" if problem.voice else problem.reason,
            )
            for problem in self.cast.problems
        ]
        found = [*self.script.problems, *self.refusals, *voices]
        return tuple(sorted(found, key=lambda finding: finding.line))

    def raise_for_problems(self) -> None:
        """Raise what was found, all at once.

        Raises:
            VoiceError: a voice is unknown, or a speaker has none, and the script is sound.
            ScriptError: the script cannot be spoken.
        """
        if self.script.problems or self.refusals:
            raise ScriptError.of([(finding.line, finding.reason) for finding in self.problems])
        if self.cast.problems:
            raise VoiceError.of([(problem.voice, problem.reason) for problem in self.cast.problems])

    def summary(self) -> Summary:
        """Sum up who speaks, how much, and what was found."""
        voices = {speaker.name: speaker.voice for speaker in self.speakers}
        turns: Counter[str] = Counter()
        words: Counter[str] = Counter()
        for turn in self.script.turns:
            turns[turn.speaker] += not turn.continues
            words[turn.speaker] += spoken_words(turn.text)
        found = (*self.script.notices, *left_out(self.script.omissions))
        casting = [Finding(self._first_line(name), reason) for name, reason in self.cast.notices]
        per_minute = self.profile.words_per_s * 60
        speakers = tuple(
            SpeakerSummary(
                name, voices.get(name, ""), turns[name], words[name], round(words[name] / per_minute, 2)
            )
            for name in self.script.speakers
        )
        return Summary(
            form=self.script.form,
            speakers=speakers,
            words=words.total(),
            minutes=round(words.total() / per_minute, 2),
            problems=self.problems,
            notices=tuple(sorted((*found, *self.notices, *casting), key=_line)),
            omitted=_counted(self.script.omissions),
            spelled=self.spelled,
            chapters=_chapters(self.script, per_minute),
        )

    def _first_line(self, speaker: str) -> int:
        return next((turn.line for turn in self.script.turns if turn.speaker == speaker), 1)


def _line(finding: Finding) -> int:
    return finding.line


def _chapters(script: Script, words_per_minute: float) -> tuple[ListedChapter, ...]:
    """All chapters of a book, or those of a script."""
    starts = [chapter.turn for chapter in script.chapters]
    found = script.contents or [
        BookChapter(chapter.title, sum(spoken_words(turn.text) for turn in script.turns[start:end]), True, "")
        for chapter, (start, end) in zip(script.chapters, pairwise((*starts, None)), strict=True)
    ]
    return tuple(
        ListedChapter(
            number, each.title, each.words, round(each.words / words_per_minute, 2), each.read, each.matter
        )
        for number, each in enumerate(found, 1)
    )


def check(
    script: Script,
    voices: Mapping[str, Any],
    *,
    engine: Engine,
    registered: Voices,
    pronunciation: Pronunciation = AS_ENGINE,
    unspeakable: str = ERROR,
    engine_options: Options | None = None,
) -> Check:
    """Check a script against its voices and its engine.

    Args:
        pronunciation: lexicon, and kinds of writing that are normalised.
        unspeakable: one of `pipeline.planning.unspeakable.UNSPEAKABLE`.
        engine_options: as given; they are checked elsewhere.

    Raises:
        EngineError: no usable checkpoint.
        VoiceError: an alias of two speakers.
    """
    script = with_names(script, voices)
    made = treated(script, lambda turn: pronunciation.wording(turn, engine), unspeakable)
    script = made.script
    refusals, notices, wordings = [], [], {}
    for index, (turn, found) in enumerate(zip(script.turns, made.wordings, strict=True)):
        refusals += [Finding(turn.line, reason) for reason in found.problems]
        notices += [Finding(turn.line, reason) for reason in found.notices]
        if found.text != turn.text and not found.problems:
            wordings[index] = found.text
    if not script.turns and not script.problems:
        refusals.append(Finding(1, "the script has no words that the engine speaks"))
    notices += [Finding(line, _spelling(count)) for line, count in made.spelled]
    found_cast = Cast()
    if script.turns:
        found_cast = cast(script.speakers, voices_of(script, voices), engine.profile, registered)
        refusals += speaking_rates.refused(script.turns, found_cast.speakers, engine.profile)
        script = speaking_rates.paced(script, found_cast.speakers)
        pace = (engine_options or {}).get("pace", 1.0)
        notices += speaking_rates.limited(script.turns, found_cast.speakers, engine.profile, pace)
    notices += foreign_turns(script.turns, engine.profile.languages)
    return Check(
        script,
        found_cast,
        engine.profile,
        tuple(refusals),
        tuple(notices),
        wordings,
        sum(count for _, count in made.spelled),
    )


def voices_of(script: Script, voices: Mapping[str, Any]) -> dict[str, Any]:
    """The voices of a request, and those that the script names by `[voice:…]`."""
    named = {name: name for name in script.voiced if name in script.speakers and find(name, voices) is None}
    return {**named, **voices}


def _spelling(count: int) -> str:
    return "1 character is spelled by its name" if count == 1 else f"{count} characters are spelled by name"


def left_out(omissions: Sequence[Omission]) -> list[Finding]:
    """Describe what is left out: line by line where it has words, once for each kind of mark.

    >>> [found.reason for found in left_out([Omission(1, "stage direction", "to him")])]
    ['stage direction of 2 words left out']
    """
    found: list[Finding] = []
    marks = Counter(omission.kind for omission in omissions if not omission.words)
    for kind, count in marks.items():
        line = next(omission.line for omission in omissions if omission.kind == kind and not omission.words)
        found.append(Finding(line, f"{count} {_plural(kind, count)} left out"))
    for group in _grouped([omission for omission in omissions if omission.words]):
        words = sum(omission.words for omission in group)
        kind = group[0].kind if len({omission.line for omission in group}) == 1 else _over_lines(group)
        found.append(Finding(group[0].line, f"{kind} of {words} word{'s' if words > 1 else ''} left out"))
    return sorted(found, key=_line)


def _plural(noun: str, count: int) -> str:
    """The noun for a count.

    >>> _plural("link address", 2), _plural("checkbox", 2), _plural("footnote mark", 1)
    ('link addresses', 'checkboxes', 'footnote mark')
    """
    if count == 1:
        return noun
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def _grouped(omissions: Sequence[Omission]) -> list[list[Omission]]:
    """Omissions of one kind on the same line or on lines that follow each other."""
    groups: list[list[Omission]] = []
    for omission in omissions:
        last = groups[-1][-1] if groups else None
        if last and last.kind == omission.kind and omission.line - last.line <= 1:
            groups[-1].append(omission)
        else:
            groups.append([omission])
    return groups


def _over_lines(group: Sequence[Omission]) -> str:
    return f"{group[0].kind} on lines {group[0].line} to {group[-1].line}"


def _counted(omissions: Sequence[Omission]) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    for omission in omissions:
        entry = counted.setdefault(omission.kind, {"count": 0, "words": 0})
        entry["count"] += 1
        entry["words"] += omission.words
    return counted
