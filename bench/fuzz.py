"""Fuzzing of all input from outside: scripts, their JSON form, options, recordings.

    python -m bench.fuzz [--inputs 100000]

Every input is accepted or refused by one of the project's own errors. Any other exception stops the run, as
does an input that takes longer than five seconds or more memory than `INPUT_BYTES_MAX` (the kernel's
high-water mark is reset before each). No error may quote the script. Hypothesis records what it has tried, so
it is restarted now and then. About eight minutes on one core.
"""

import argparse
import functools
import io
import json
import random
import re
import signal
import string
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import psutil
import soundfile
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bench.harness.dialects import DIALECTS, NAMES, ODD_NAMES, random_turns
from pipeline.errors import PipelineError, ScriptError
from pipeline.planning.request import split_options
from pipeline.script import markup
from pipeline.script.names import identity
from pipeline.script.parser import parse, read, with_newlines
from pipeline.script.plain import plain_letters
from pipeline.voices import recordings as voice_files

LONGEST_S = 5
INPUT_BYTES_MAX = 64 << 20
_ANEW = 5_000
"""Inputs per run of hypothesis."""
_WORD = "zyxwordzyx"
"""Marker in scripts that must not occur in errors."""

_pieces = st.sampled_from(
    [
        *(
            "Alice:",
            "Bob : ",
            "Speaker 1:",
            "speaker 02: ",
            "Speaker 999:",
            "Bob：",
            "小明: ",
            "\n",
            "\r\n",
            "\n\n",
            " ",
            "\\",
            "\t",
        ),
        *(
            "[pause:1s]",
            "[pause:1.5s]",
            "[pause",
            "[pause:99999999999s]",
            "[PAUSE : 0ms]",
            "[pause:1e9s]",
            "[",
            "{",
        ),
        *(
            _WORD,
            "Remember: ",
            "12:30",
            "http://x.y",
            "…",
            "“",
            "”",
            "\u200b",
            "\ufeff",
            "\u202e",
            "\u2028",
            "好。",
            "\x00",
            "é",
        ),
        *(
            *(
                "**",
                "*",
                "_",
                "`",
                "~~",
                "](http://x.y)",
                "![a](b)",
                "# ",
                "- ",
                "> ",
                "1. ",
                "| ",
                "|--|--|",
            ),
            *("```", "¹", "[2]", "[^1]", "(laughs)", "<b>", "</b>", "<br/>", "<!--", "-->", "[[", "]]", "†"),
            *(
                "Title: ",
                "Chapter 2",
                "CAPITALS",
                "INT. X",
                "00:01",
                "-\na",
                "/*",
                "*/",
                "{",
                "}",
                "]",
                ")",
                "²",
            ),
            '[{"speaker": "A", "text": "x"}]',
            '[{"text":',
            "\ud800",
            "🙂",
            "— ",
            "...",
            "1",
            "Æ",
            "ﬁ",
            "\u0301",
        ),
    ]
)
texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(_pieces, st.text(max_size=12)), max_size=40).map("".join),
    st.lists(_pieces, max_size=8).flatmap(
        lambda parts: st.integers(1, 200).map(lambda n: "".join(parts) * n)
    ),
)
_starts = st.sampled_from(
    [
        *("Alice: ", "Bob: ", "Speaker 1: ", "**Nora:** ", "[Ann] ", "Remember: ", "Chapter 2: ", "- ", "# "),
        *("(laughs) ", "", "> ", "MARY\n", "1. ", "*sighs* ", "Old Man in Grey: ", "00:01 Ann: ", "ann - "),
    ]
)
_words = st.sampled_from(
    [
        *("Hello there my friend.", "It was cold; [laughs] she said.", "Milk: two litres", "Monday: rain"),
        *("See [2] and http://x.y for more", "Go (quietly) home", "**bold** words", "Man: what?", "word"),
        *("A very long emo-\nchannel line", "x [pause:1s] y", "5 * 3", "¹ a note"),
    ]
)
line_texts = st.lists(
    st.one_of(st.tuples(_starts, st.one_of(_words, texts)).map("".join), texts), max_size=12
).map("\n".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
items = st.lists(
    st.one_of(
        st.fixed_dictionaries({"text": texts}, optional={"speaker": st.one_of(texts, st.integers(), values)}),
        st.dictionaries(st.sampled_from(["speaker", "text", _WORD]), values, max_size=3),
        values,
    ),
    max_size=8,
)
_options = st.sampled_from(["engine", "model", "format", "title", "seed", "on_error", "device", "pace", "x"])
options = st.dictionaries(
    st.one_of(_options, st.text(max_size=12)),
    st.one_of(
        values,
        st.sampled_from(["flac", "gap", "host.0", "a b.1", "../x", "x" * 300]),
        st.text(string.printable),
    ),
    max_size=6,
)


@functools.cache
def recordings() -> tuple[bytes, ...]:
    """A second and a half of noise in each supported container."""
    noise = np.random.default_rng(1).normal(0, 0.1, 12_000).astype(np.float32)
    made = []
    for kind, subtype in (
        ("WAV", None),
        ("WAV", "FLOAT"),
        ("FLAC", None),
        ("OGG", None),
        ("AIFF", None),
        ("MP3", None),
    ):
        file = io.BytesIO()
        soundfile.write(file, noise, 8_000, format=kind, subtype=subtype)
        made.append(file.getvalue())
    return (*made, b"\x1aE\xdf\xa3" + bytes(64), bytes(4) + b"ftypM4A " + bytes(64))


@st.composite
def audio(draw: st.DrawFn) -> bytes:
    """A recording with some bytes changed, mostly in its header, and perhaps truncated."""
    data = bytearray(draw(st.sampled_from(recordings())))
    for _ in range(draw(st.integers(0, 8))):
        where = draw(st.one_of(st.integers(0, min(120, len(data) - 1)), st.integers(0, len(data) - 1)))
        data[where] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


def take_script(text: Any) -> None:
    try:
        script = parse(text)
    except ScriptError as error:
        message = str(error)
    else:
        message = ""
        assert script.turns
        assert all(any(map(str.isalnum, turn.text)) for turn in script.turns)
    assert _WORD not in message


def take_bytes(data: bytes) -> None:
    take_script(data)


def take_json(parts: list[Any]) -> None:
    take_script(parts)
    take_script(json.dumps(parts))


def take_options(given_options: dict[str, Any]) -> None:
    try:
        split_options(given_options, engine="hibari")
    except PipelineError as error:
        message = str(error)
    else:
        message = ""
    assert len(message) < 1000


def take_dialect(given: tuple[str, random.Random]) -> None:
    """Read random turns as some dialect writes them: the same speakers and words come back."""
    name, generator = given
    dialect = DIALECTS[name]
    odd = dialect.odd_names and generator.random() < 0.5
    turns = random_turns(generator, ODD_NAMES if odd else NAMES, returns=dialect.returns or odd)
    script = read(dialect.write(turns))
    assert not script.problems
    assert script.form == dialect.form
    assert [(identity(turn.speaker), turn.text) for turn in script.turns] == [
        (identity(speaker), " ".join(plain_letters(text).split())) for speaker, text in turns
    ]


def take_any_text(text: str) -> None:
    """Read a text as prose: each letter and digit is a command's, spoken, or reported as left out."""
    script = read(text, form="prose")
    reasons = [problem.reason for problem in script.problems]
    if any(_OF_A_COMMAND.match(reason) for reason in reasons):
        return  # its letters are in the report
    if any(words in " ".join(reasons) for words in ("pause", "command", "characters", "the script is")):
        return
    if re.search(r"\[\s*pause|<break", text, re.IGNORECASE):
        return
    spoken = [turn.text for turn in script.turns]
    omitted = [omission.text for omission in script.omissions]
    assert _letters(*spoken, *omitted) == _letters(markup.COMMAND.sub("", text))


_OF_A_COMMAND = re.compile(r"[\[<]/?[a-z]")
"""Reason that begins with the command at fault, such as `[/voice] closes, and nothing is open`."""
_TIMED = re.compile(r"\[\s*pause\s*:[^\]]*\]|<break[^>]*>", re.IGNORECASE)


def take_any_form(text: str) -> None:
    """Read a text in the form that it seems to have: what is neither spoken nor reported is a name.

    Times and numbers before a name are part of it, and pauses are obeyed. Who only laughs has no turn.
    """
    script = read(text)
    if script.problems or script.form not in ("labels", "screenplay", "prose", "markdown"):
        return
    spoken = [turn.text for turn in script.turns]
    omitted = [omission.text for omission in script.omissions]
    rest = _letters(_TIMED.sub("", markup.COMMAND.sub("", text))) - _letters(*spoken, *omitted)
    silent = {omission.line for omission in script.omissions}
    lines = [
        line
        for number, line in enumerate(with_newlines(text).split("\n"), 1)
        if {number, number + 1} & silent  # a name may have a line of its own
    ]
    names = {letter.lower() for letter in _letters(*script.speakers, *lines)}
    assert {letter for letter in rest if letter.isalpha() and letter.lower() not in names} == set()


def _letters(*texts: str) -> Counter[str]:
    bare = "".join(unicodedata.normalize("NFD", plain_letters(text)) for text in texts)
    return Counter(letter for letter in bare if letter.isalnum())


def take_audio(data: bytes) -> None:
    try:
        reference = voice_files.read("a voice", data)
    except PipelineError:
        return
    assert reference.samples is not None
    assert len(reference.samples) <= voice_files.SECONDS_MAX * voice_files.STORED_RATE_HZ


TARGETS: dict[str, tuple[Callable[[Any], None], st.SearchStrategy[Any], float]] = {
    "audio": (take_audio, audio(), 0.1),
    "script": (take_script, texts, 0.2),
    "bytes": (take_bytes, st.binary(max_size=300), 0.1),
    "json": (take_json, items, 0.1),
    "options": (take_options, options, 0.1),
    "dialects": (
        take_dialect,
        st.tuples(st.sampled_from(sorted(DIALECTS)), st.integers(0, 2**32).map(random.Random)),
        0.2,
    ),
    "words": (take_any_text, texts, 0.1),
    "forms": (take_any_form, line_texts, 0.1),
}
"""Targets: the function, its inputs and their share."""


class Memory:
    """Measure the memory that one input takes."""

    def __init__(self) -> None:
        self.largest = self.before = 0

    def begin(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self.before = self._peak()

    def end(self) -> None:
        taken = self._peak() - self.before
        self.largest = max(self.largest, taken)
        if taken > INPUT_BYTES_MAX:
            raise MemoryError(f"an input took {taken:,} bytes")

    @staticmethod
    def _peak() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def run(name: str, inputs: int, memory: Memory, *, start: int = 1) -> int:
    """Run inputs on one target; returns their number."""
    take, strategy, _ = TARGETS[name]
    thrown = 0

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(start)
    @given(strategy)
    def throw(value: Any) -> None:
        nonlocal thrown
        thrown += 1
        memory.begin()
        signal.alarm(LONGEST_S)
        try:
            take(value)
        finally:
            signal.alarm(0)
        memory.end()

    before = signal.signal(signal.SIGALRM, _too_long)
    try:
        throw()
    finally:
        signal.signal(signal.SIGALRM, before)
    return thrown


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"an input took longer than {LONGEST_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    asked = parser.parse_args()
    began, thrown, largest, sizes = time.monotonic(), dict.fromkeys(TARGETS, 0), {}, {}
    for name, (_, _, share) in TARGETS.items():
        start, memory = 1, Memory()
        while thrown[name] < asked.inputs * share:  # an exhausted strategy restarts with another seed
            more = min(_ANEW, round(asked.inputs * share) - thrown[name])
            thrown[name] += run(name, more, memory, start=start)
            start += 1
        largest[name], sizes[name] = memory.largest, psutil.Process().memory_info().rss
    print(
        json.dumps(
            {
                "inputs": sum(thrown.values()),
                **thrown,
                "wall_s": round(time.monotonic() - began),
                "input_bytes_max": largest,
                "rss_bytes_after": sizes,
            }
        )
    )


if __name__ == "__main__":
    main()
