"""A script as a row of events, and the folding of events into turns."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.script import marks
from pipeline.script.names import People, find
from pipeline.script.plain import plain, plain_letters, readable, with_names
from pipeline.script.turns import NARRATOR, SPOKEN, Findings, ScriptChapter, Turn

TITLE_MAX = 300
HEADING_REST_MS = 700
"""Silence before and after a heading, on top of what lies between turns."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing in a script, in order."""

    line: int
    kind: str
    """'speaker', 'words', 'break' (a blank line), 'rest' (silence of a heading), 'chapter' (its title),
    'heading', 'unspoken', 'start' (the time of a cue)."""
    text: str = ""
    rest_ms: int = 0
    start_ms: int | None = None


def named(events: Iterable[Event], findings: Findings) -> list[Event]:
    """Give every speaker one name, however it is written, with notices of what was taken as one."""
    found = list(events)
    people = People((event.text, event.line) for event in found if event.kind == "speaker")
    people.report(findings)
    return [
        replace(event, text=people.name(event.text)) if event.kind == "speaker" else event for event in found
    ]


def speaker(line: int, name: str) -> Event:
    return Event(line, "speaker", name)


def words(line: int, text: str) -> Event:
    return Event(line, "words", text)


def unspoken(line: int) -> Event:
    """An action without a word that is left out: a direction on a line of its own."""
    return Event(line, "unspoken")


def pause_between(line: int) -> Event:
    """A blank line: the end of a paragraph."""
    return Event(line, "break")


def chapter(line: int, title: str) -> list[Event]:
    """The start of a chapter, which is not read by itself; nothing for an empty title."""
    return [Event(line, "chapter", title)] if title else []


def heading(line: int, text: str) -> Event:
    """A heading, with silence around it; read by the narrator, or left out."""
    return Event(line, "heading", text)


def section(line: int) -> list[Event]:
    """A heading of a scene, which is never read: the silence of one."""
    return [pause_between(line), Event(line, "rest", rest_ms=HEADING_REST_MS)]


def fold(
    events: Iterable[Event], findings: Findings, *, has_speakers: bool
) -> tuple[tuple[Turn, ...], tuple[ScriptChapter, ...]]:
    """Fold the events of a script into turns and chapters; what can't be spoken is a problem in the findings.

    Headings are read as the findings say, by default where there are no speakers. A chapter without a turn of
    its own is left out.
    """
    found = list(events)
    narrator = find(NARRATOR, [event.text for event in found if event.kind == "speaker"]) or NARRATOR
    folding = _Folding(findings, has_speakers, narrator)
    for event in found:
        folding.take(event)
    folding.end()
    return tuple(folding.turns), tuple(folding.chapters)


class _Folding:
    def __init__(self, findings: Findings, has_speakers: bool, narrator: str) -> None:
        self.findings, self.has_speakers, self.narrator = findings, has_speakers, narrator
        self.reads_headings = findings.headings == SPOKEN if findings.headings else not has_speakers
        self.turns: list[Turn] = []
        self.chapters: list[ScriptChapter] = []
        self.title = ""
        """Title of a chapter that has no turn yet."""
        self.speaker = NARRATOR
        self.block: list[tuple[int, str]] = []
        self.parts: list[tuple[int, str]] = []
        self.pause_ms = self.rest_ms = 0
        self.start_ms: int | None = None
        self.last = 0
        self.silent_since = 0
        """Line of a speaker who has said nothing yet."""
        self.continues = False

    def take(self, event: Event) -> None:
        if event.kind == "words":
            self._add(event)
            return
        if event.kind == "unspoken":
            self.silent_since = 0
            return
        self._close()
        self.continues = False
        if event.kind == "rest":
            self._rest(event.rest_ms)
        elif event.kind == "heading":
            self._heading(event)
        elif event.kind == "start":
            self.start_ms = event.start_ms
        elif event.kind == "chapter":
            self.title = " ".join(event.text.split())[:TITLE_MAX]
        elif event.kind == "speaker":
            self._refuse_silent()
            self.speaker, self.silent_since = event.text, event.line

    def _add(self, event: Event) -> None:
        # no private-use character gets into the rules for marks, which use some of their own
        text = with_names(event.text) if self.findings.symbols == "name" else event.text
        self.block.append((event.line, readable(plain_letters(text), event.line, self.findings)))

    def _rest(self, rest_ms: int) -> None:
        if self.turns:
            self.rest_ms = max(self.rest_ms, rest_ms)

    def _heading(self, event: Event) -> None:
        """Read a heading by the narrator or leave it out, with silence around it."""
        self._rest(HEADING_REST_MS)
        if not self.reads_headings:
            self.findings.omit(event.line, "heading", event.text)
            return
        before = self.speaker, self.silent_since
        self.speaker = self.narrator
        self._add(event)
        self._close()
        self.speaker, self.silent_since = before
        self.continues = False
        self._rest(HEADING_REST_MS)

    def end(self) -> None:
        self._close()
        self._refuse_silent()
        if self.pause_ms:
            self.findings.problem(self.last, "a pause at the end of the script has nothing after it")

    def _refuse_silent(self) -> None:
        if self.silent_since and not self.findings.has_problem(self.silent_since):
            self.findings.problem(
                self.silent_since, "the speaker has nothing to say; add words or take the name out"
            )
        self.silent_since = 0

    def _close(self) -> None:
        """Clean the block of lines, and make turns of it."""
        if not self.block:
            return
        omitted = len(self.findings.omissions)
        for piece in marks.clean(self.block, self.findings, has_speakers=self.has_speakers):
            if piece.pause_ms:
                self._turn(len(self.findings.omissions) > omitted)
                self._pause(piece)
            elif text := plain(piece.text, piece.line, self.findings):
                self.parts.append((piece.line, text))
        if any(text.strip() for _, text in self.block) and len(self.findings.omissions) > omitted:
            self.silent_since = 0
        self.block = []
        self._turn(len(self.findings.omissions) > omitted)

    def _pause(self, piece: marks.Piece) -> None:
        self.last, self.silent_since = piece.line, 0
        if self.pause_ms + piece.pause_ms > marks.PAUSE_MAX_MS:
            limit_s = marks.PAUSE_MAX_MS // 1000
            self.findings.problem(piece.line, f"pauses in a row come to more than {limit_s} s")
        self.pause_ms = min(self.pause_ms + piece.pause_ms, marks.PAUSE_MAX_MS)

    def _turn(self, omitted: bool) -> None:
        """Make a turn of the words so far.

        Args:
            omitted: whether something in it was left out, so that a lone dot may be what remains.
        """
        if not self.parts:
            return
        line, text = self.parts[0][0], " ".join(part for _, part in self.parts)
        self.parts = []
        if not any(character.isalnum() for character in text):
            if not omitted:
                self.findings.problem(line, "has no word in it; for silence write [pause:1s]")
            self.silent_since = 0
            return
        pause_ms = max(self.pause_ms, self.rest_ms)
        if self.title:
            self.chapters.append(ScriptChapter(self.title, len(self.turns)))
            self.title = ""
        self.turns.append(Turn(self.speaker, text, line, pause_ms, self.continues, self.start_ms))
        self.start_ms = None
        self.pause_ms = self.rest_ms = self.silent_since = 0
        self.continues = True
        self.last = line
