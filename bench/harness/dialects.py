"""Scripts written in every dialect from the same turns, with what must be read from them."""

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Turns = Sequence[tuple[str, str]]
"""Speakers and texts, in order; two turns of one speaker never follow each other."""

NAMES = (
    *("Nora", "Theo", "Mara", "Edwin", "Jonas", "Ilse", "Bo Lund", "Dr. Watson", "O'Brien", "Mary Ann"),
    *("Zoë", "José", "Jean-Luc", "Narrator", "Old Man", "Host", "Guest", "Captain Hale", "Анна", "Mr. Fox"),
)
ODD_NAMES = (
    *("man in grey", "Guard #1", "007", "The Man In The Hat", "Maria de la Cruz", "Ludwig van Beethoven"),
    *(
        "nora",
        "theo",
        "Bob & Ann",
        "the old woman",
        "Robot B-9",
        "Agent 47",
        "d'Artagnan",
        "Queen of the Night",
    ),
)
SENTENCES = (
    *("Welcome back to the garden hour.", "It is good to be here again.", "Today we talk about roses."),
    *("You said the fourth board was rotten!", "I said the third; you never listened.", "Is that so?"),
    *(
        "Well... no.",
        "They cost 3.50 or 4, at half past 9.",
        "“Quite so,” he says – and leaves.",
        "It's late.",
    ),
    *("There is one thing: patience.", "The café was shut.", "Come in, then.", "Who, me?", "Yes, yes, yes."),
    *("At 12:30 the train leaves for St. James.", "I have 2 dogs, 3 cats and 1 bird.", "Nobody knows why."),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """A way to write turns down."""

    form: str
    write: Callable[[Turns], str]
    odd_names: bool = True
    """True if every name is a name in it, however odd."""
    returns: bool = True
    """True if it takes a name that returns to be sure of the speakers."""


def _lines(pattern: str, gap: str = "\n") -> Callable[[Turns], str]:
    return lambda turns: gap.join(
        pattern.format(name=name, text=text, number=number, clock=f"00:{number // 60:02}:{number % 60:02}")
        for number, (name, text) in enumerate(turns, 1)
    )


def _screenplay(turns: Turns) -> str:
    return "INT. KITCHEN - NIGHT\n\n" + "\n\n".join(f"{name.upper()}\n{text}" for name, text in turns)


def _directed_screenplay(turns: Turns) -> str:
    scenes = [f"{name.upper()} (CONT'D)\n(quietly)\n{text}" for name, text in turns]
    return "FADE IN:\n\nEXT. GARDEN - DAY\n\n" + "\n\n".join(scenes) + "\n\nCUT TO:"


def _json(turns: Turns) -> str:
    return json.dumps([{"speaker": name, "text": text} for name, text in turns], ensure_ascii=False)


def _json_object(turns: Turns) -> str:
    items = [{"character": name, "line": text, "emotion": "calm"} for name, text in turns]
    return json.dumps({"title": "Roses", "dialogue": items}, indent=2)


def _json_lines(turns: Turns) -> str:
    return "\n".join(json.dumps({"role": name, "content": text}) for name, text in turns)


def _json_fenced(turns: Turns) -> str:
    return "```json\n" + json.dumps([{name: text} for name, text in turns]) + "\n```\n"


def _json_pairs(turns: Turns) -> str:
    return json.dumps([[name, text] for name, text in turns])


def _table(delimiter: str, first: tuple[str, str] = ("speaker", "text")) -> Callable[[Turns], str]:
    def write(turns: Turns) -> str:
        file = io.StringIO()
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([first, *turns])
        return file.getvalue()

    return write


def _markdown_table(turns: Turns) -> str:
    rows = "".join(f"| {name} | {text} |\n" for name, text in turns)
    return f"| Speaker | Text |\n|---|---|\n{rows}"


def _yaml(turns: Turns) -> str:
    items = "".join(
        f"  - speaker: {json.dumps(name)}\n    text: {json.dumps(text)}\n" for name, text in turns
    )
    return f"title: Roses\ndialogue:\n{items}"


def _subtitles(first: str, number: str, point: str, voice: str) -> Callable[[Turns], str]:
    def write(turns: Turns) -> str:
        cues = []
        for n, (name, text) in enumerate(turns, 1):
            clock = f"00:{n // 60:02}:{n % 60:02}{point}"
            cue = voice.format(name=name, text=text)
            cues.append(f"{number.format(n)}{clock}000 --> {clock}900\n{cue}")
        return first + "\n\n".join(cues) + "\n"

    return write


DIALECTS: dict[str, Dialect] = {
    "plain": Dialect("labels", _lines("{name}: {text}"), returns=False),
    "plain with blank lines": Dialect("labels", _lines("{name}: {text}", "\n\n"), returns=False),
    "no space": Dialect("labels", _lines("{name}:{text}")),
    "space before": Dialect("labels", _lines("{name} : {text}")),
    "full-width": Dialect("labels", _lines("{name}：{text}")),
    "crlf": Dialect("labels", _lines("{name}: {text}", "\r\n"), returns=False),
    "bold, colon inside": Dialect("labels", _lines("**{name}:** {text}", "\n\n"), returns=False),
    "bold, colon outside": Dialect("labels", _lines("**{name}**: {text}", "\n\n"), returns=False),
    "bold without colon": Dialect("labels", _lines("**{name}** {text}", "\n\n"), odd_names=False),
    "bold with dash": Dialect("labels", _lines("**{name}** — {text}", "\n"), odd_names=False),
    "italic": Dialect("labels", _lines("*{name}:* {text}", "\n\n"), returns=False),
    "underscores": Dialect("labels", _lines("__{name}:__ {text}"), returns=False),
    "bbcode": Dialect("labels", _lines("[b]{name}:[/b] {text}"), returns=False),
    "wiki": Dialect("labels", _lines("'''{name}:''' {text}"), returns=False),
    "printed play": Dialect("labels", _lines("_{name}._ {text}", "\n\n"), odd_names=False),
    "html bold": Dialect("labels", _lines("<b>{name}:</b> {text}"), returns=False),
    "list": Dialect("labels", _lines("- {name}: {text}")),
    "numbered list": Dialect("labels", _lines("{number}. {name}: {text}")),
    "bold list": Dialect("labels", _lines("* **{name}:** {text}")),
    "quote": Dialect("labels", _lines("> {name}: {text}", "\n>\n")),
    "quoted name": Dialect("labels", _lines('"{name}": {text}')),
    "brackets": Dialect("labels", _lines("[{name}] {text}"), odd_names=False),
    "brackets with colon": Dialect("labels", _lines("[{name}]: {text}"), odd_names=False),
    "bold brackets": Dialect("labels", _lines("**[{name}]** {text}", "\n\n"), odd_names=False),
    "brackets above": Dialect("labels", _lines("[{name}]\n{text}", "\n\n"), odd_names=False),
    "tags": Dialect("labels", _lines("<{name}>{text}</{name}>"), odd_names=False),
    "chat": Dialect("labels", _lines("<{name}> {text}"), odd_names=False),
    "attribute": Dialect("labels", _lines('<turn speaker="{name}">{text}</turn>'), odd_names=False),
    "time before": Dialect("labels", _lines("[{clock}] {name}: {text}")),
    "bare time before": Dialect("labels", _lines("{clock} {name}: {text}")),
    "time behind": Dialect("labels", _lines("{name} ({clock}): {text}")),
    "messenger": Dialect("labels", _lines("[12/05/2026, {clock}] {name}: {text}")),
    "transcript": Dialect("labels", _lines("{name}  {clock}\n{text}", "\n\n"), odd_names=False),
    "time above": Dialect("labels", _lines("{clock}\n{name}\n{text}", "\n\n"), odd_names=False),
    "time below": Dialect("labels", _lines("{name}\n{clock}\n{text}", "\n\n"), odd_names=False),
    "time in words": Dialect("labels", _lines("{name}: [{clock}] {text}")),
    "seconds": Dialect("labels", _lines("[{number}.5s] {name}: {text}")),
    "line numbers": Dialect("labels", _lines("{number:>3}  {name}: {text}"), odd_names=False),
    "direction before": Dialect("labels", _lines("(quietly) {name}: {text}"), odd_names=False),
    "direction": Dialect("labels", _lines("{name} (quietly): {text}"), returns=False),
    "bold direction": Dialect("labels", _lines("**{name}** *(laughing)*: {text}"), returns=False),
    "bracket direction": Dialect("labels", _lines("{name} [laughing]: {text}"), returns=False),
    "direction in words": Dialect("labels", _lines("{name}: [sighs] {text} (laughs)"), returns=False),
    "dash": Dialect("labels", _lines("{name} - {text}"), odd_names=False),
    "em dash": Dialect("labels", _lines("{name} — {text}"), odd_names=False),
    "bar": Dialect("labels", _lines("{name} | {text}"), odd_names=False),
    "tab": Dialect("labels", _lines("{name}\t{text}"), odd_names=False),
    "arrow": Dialect("labels", _lines("{name} > {text}"), odd_names=False),
    "arrow sign": Dialect("labels", _lines("{name} → {text}"), odd_names=False),
    "name above": Dialect("labels", _lines("{name}:\n{text}", "\n\n"), returns=False),
    "bold name above": Dialect("labels", _lines("**{name}**\n{text}", "\n\n"), odd_names=False),
    "heading above": Dialect("labels", _lines("## {name}\n\n{text}", "\n\n"), odd_names=False),
    "screenplay": Dialect("screenplay", _screenplay, odd_names=False, returns=False),
    "directed screenplay": Dialect("screenplay", _directed_screenplay, odd_names=False, returns=False),
    "json": Dialect("json", _json, returns=False),
    "json object": Dialect("json", _json_object, returns=False),
    "json lines": Dialect("json", _json_lines, returns=False),
    "json fenced": Dialect("json", _json_fenced, returns=False),
    "json pairs": Dialect("json", _json_pairs, returns=False),
    "csv": Dialect("csv", _table(","), returns=False),
    "csv, other columns": Dialect("csv", _table(";", ("Character", "Line")), returns=False),
    "tsv": Dialect("csv", _table("\t"), returns=False),
    "markdown table": Dialect("csv", _markdown_table, returns=False),
    "yaml": Dialect("yaml", _yaml, returns=False),
    "srt": Dialect("srt", _subtitles("", "{0}\n", ",", "{name}: {text}"), odd_names=False),
    "srt, brackets": Dialect("srt", _subtitles("", "{0}\n", ",", "[{name}] {text}"), odd_names=False),
    "vtt": Dialect("vtt", _subtitles("WEBVTT\n\n", "", ".", "<v {name}>{text}"), returns=False),
    "vtt, closed": Dialect(
        "vtt", _subtitles("WEBVTT\n\n", "c{0}\n", ".", "<v {name}>{text}</v>"), returns=False
    ),
}


def random_turns(
    generator: random.Random,
    names: Sequence[str],
    *,
    returns: bool,
    sentences: Sequence[str] = SENTENCES,
) -> Turns:
    """Turns of two to five people, each of whom returns if that is asked for."""
    cast = generator.sample(list(names), min(len(names), generator.randint(2, 5)))
    order = cast * 2 if returns else cast + cast[:1]
    while generator.random() < 0.7:
        order.append(generator.choice([name for name in cast if name != order[-1]]))
    if order[0] == order[-1]:
        order.append(cast[1])
    return [(name, " ".join(generator.sample(list(sentences), generator.randint(1, 3)))) for name in order]
