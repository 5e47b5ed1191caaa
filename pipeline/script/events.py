"""A script as a row of events, and the folding of events into turns."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.script import marks, markup
from pipeline.script.names import People, find
from pipeline.script.plain import plain, plain_letters, readable, with_names
from pipeline.script.turns import NARRATOR, SPOKEN, Findings, Said, ScriptChapter, Turn

TITLE_MAX = 300
HEADING_REST_MS = 700
"""Silence before and after a heading, on top of what lies between turns."""
_ENDED = tuple(".!?…:;。！？\"')]")
_OPENED = re.compile(r"(?:^|\s)[\"'(\[{]+$")
_CLOSING = re.compile(r"[.,;:!?)\]}\"']+(?=\s|$)")


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
    names = dict.fromkeys(event.text for event in found if event.kind == "speaker")
    folding = _Folding(findings, has_speakers, list(names))
    for event in found:
        folding.take(event)
    folding.end()
    return tuple(folding.turns), tuple(folding.chapters)


@dataclass(frozen=True, slots=True)
class _Part:
    """Words of a turn."""

    line: int
    text: str
    glued: bool = False
    """True if no space is before it."""
    said: markup.Command | None = None
    """Command that gives the words that are spoken."""


class _Folding:
    def __init__(self, findings: Findings, has_speakers: bool, names: Sequence[str]) -> None:
        self.findings, self.has_speakers, self.names = findings, has_speakers, names
        self.narrator = find(NARRATOR, names) or NARRATOR
        self.reads_headings = findings.headings == SPOKEN if findings.headings else not has_speakers
        self.turns: list[Turn] = []
        self.chapters: list[ScriptChapter] = []
        self.title = ""
        """Title of a chapter that has no turn yet."""
        self.speaker = NARRATOR
        self.block: list[tuple[int, str]] = []
        self.parts: list[_Part] = []
        self.open: list[markup.Command] = []
        """Rates and voices that are not closed yet."""
        self.said: markup.Command | None = None
        """Command that gives other words, if it is not closed yet."""
        self.cut = False
        """True if a command cut the words from those before them."""
        self.carried = ""
        """Opening marks that a command cut from the words behind it."""
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
            self._refuse_open("the next speaker")
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
        self._refuse_open("the end")
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
                self._refuse_unsaid("a pause")
                self._turn(len(self.findings.omissions) > omitted)
                self._pause(piece)
            elif piece.command:
                self._obey(piece.command, len(self.findings.omissions) > omitted)
            elif text := plain(piece.text, piece.line, self.findings):
                self.parts.append(_Part(piece.line, text, piece.glued, self.said))
        self._refuse_unsaid("the end of the turn")
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

    def _obey(self, command: markup.Command, omitted: bool) -> None:
        if command.kind in markup.WORDED:
            self._say(command)
        elif command.kind in (markup.RATE, markup.VOICE):
            self._refuse_unsaid(command.shown)
            self._turn(omitted, cut=True)
            self._change(command)
        elif command.kind == markup.PARAGRAPH:
            self._turn(omitted)
            self.continues = self.cut = False
        elif command.kind == markup.SENTENCE and self.parts and not self.parts[-1].text.endswith(_ENDED):
            self._turn(omitted, cut=True)

    def _change(self, command: markup.Command) -> None:
        """Begin or end a rate or a voice."""
        if not command.closes:
            self.open.append(command)
        elif self.open and self.open[-1].kind == command.kind:
            self.open.pop()
        else:
            inner = f" before {self.open[-1].shown} is" if self.open else ", and nothing is open"
            self.findings.problem(command.line, f"{command.shown} closes{inner}")

    def _say(self, command: markup.Command) -> None:
        """Begin or end words that are spoken otherwise."""
        if not command.closes and self.said is None:
            self.said = command
        elif command.closes and self.said and _closing(self.said.kind) == _closing(command.kind):
            if not any(part.said is self.said for part in self.parts):
                self.findings.problem(self.said.line, f"{self.said.shown} has no words in it")
            self.said = None
        elif not command.closes:
            self.findings.problem(command.line, f"{command.shown} is within another command for words")
        else:
            self.findings.problem(command.line, f"{command.shown} closes, and nothing is open")

    def _refuse_unsaid(self, where: str) -> None:
        if self.said is not None:
            self.findings.problem(self.said.line, f"{self.said.shown} is not closed before {where}")
            self.said = None

    def _refuse_open(self, where: str) -> None:
        for command in self.open:
            self.findings.problem(command.line, f"{command.shown} is not closed before {where}")
        self.open = []

    @property
    def _rate(self) -> float:
        rates = [command.rate for command in self.open if command.kind == markup.RATE and command.value]
        return round(math.prod(rates, start=1.0), 4)

    @property
    def _voice(self) -> str:
        """The speaker of the words: a voice that a command names, or who has the turn."""
        named = [command.value for command in self.open if command.kind == markup.VOICE and command.value]
        if not named:
            return self.speaker
        known = find(named[-1], self.names)
        if known is None:
            self.findings.voiced[named[-1]] = None
        return known or named[-1]

    def _give_back(self) -> None:
        """Give marks that close what is before a command to the turn that they close."""
        first = self.parts[0]
        closing = _CLOSING.match(first.text) if first.glued and self.turns else None
        if closing:
            self.turns[-1] = replace(self.turns[-1], text=self.turns[-1].text + closing[0])
            self.parts[0] = replace(first, text=first.text[closing.end() :].lstrip())

    def _turn(self, omitted: bool, *, cut: bool = False) -> None:
        """Make a turn of the words so far.

        Args:
            omitted: whether something in it was left out, so that a lone dot may be what remains.
            cut: whether a command ends it, so that marks may belong to the words beside it.
        """
        was_cut, self.cut = self.cut, cut or (self.cut and not self.parts)
        if not self.parts:
            return
        if was_cut:
            self._give_back()
        line, (text, said) = self.parts[0].line, _joined(self.parts, self.carried)
        self.parts, self.carried = [], ""
        if cut and (opening := _OPENED.search(text)):
            text, self.carried = text[: opening.start()], opening[0].strip()
            clipped = [replace(each, end=min(each.end, len(text))) for each in said]
            said = tuple(each for each in clipped if each.start < each.end)
        if not any(character.isalnum() for character in text):
            if text and not (omitted or was_cut or cut):
                self.findings.problem(line, "has no word in it; for silence write [pause:1s]")
            self.silent_since = 0
            return
        pause_ms = max(self.pause_ms, self.rest_ms)
        if self.title:
            self.chapters.append(ScriptChapter(self.title, len(self.turns)))
            self.title = ""
        self.turns.append(
            Turn(self._voice, text, line, pause_ms, self.continues, self.start_ms, self._rate, said)
        )
        self.start_ms = None
        self.pause_ms = self.rest_ms = self.silent_since = 0
        self.continues = True
        self.last = line


def _closing(kind: str) -> str:
    """Kind by which a closing command names what it closes: `[/say]` ends IPA, `</say-as>` spelling."""
    return {markup.IPA: markup.SAY, markup.READ_AS: markup.SPELL}.get(kind, kind)


def _joined(parts: Sequence[_Part], before: str) -> tuple[str, tuple[Said, ...]]:
    """The text of a turn, and its parts that are spoken in given words."""
    text = before
    spans: list[tuple[markup.Command, int, int]] = []
    for part in parts:
        text += "" if not text or part.glued or text == before else " "
        start, text = len(text), text + part.text
        if part.said is not None and spans and spans[-1][0] is part.said:
            spans[-1] = (part.said, spans[-1][1], len(text))
        elif part.said is not None:
            spans.append((part.said, start, len(text)))
    found = [Said(start, end, command.kind, command.value) for command, start, end in spans if start < end]
    return text, tuple(found)
