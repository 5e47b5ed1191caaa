"""Engine that misbehaves on `[…]` words in a script, once or always.

What was done is appended to `deeds` in the state folder, a line each, so that a test can count.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from billiard.process import current_process
from celery import current_app

from bench.harness.silence import Silence
from pipeline.arrays import Arrays
from pipeline.engines.load_timing import loading
from pipeline.engines.protocol import Control, Options, SegmentText, Utterance
from pipeline.errors import MissingArtifactError, OutOfMemoryError

SETTING = "mischief=tests.faults.mischief:Mischief"
DEEDS = (
    "poison",
    "dieonce",
    "hangonce",
    "loadonce",
    "faulty",
    "between",
    "mute",
    "losefull",
    "losefaulty",
    "broken",
)


class Mischief(Silence):
    """Engine of silence with faults named by words."""

    def text(self, segment: SegmentText, options: Options) -> Arrays:
        words = " ".join(line.text for line in segment.lines).split()
        asked = [word for word in words if word in DEEDS or word.startswith("wait")]
        return Arrays(super().text(segment, options).arrays, {"asked": " ".join(asked)})

    def semantic(self, tokens: Arrays, options: Options) -> Arrays:
        for word in tokens.meta["asked"].split():
            _do_again(word, _count(f"semantic {tokens.meta['asked']}"))
        made = super().semantic(tokens, options)
        return Arrays(made.arrays, {**made.meta, "asked": tokens.meta["asked"]})

    def diffusion(
        self, semantic: Arrays, speakers: Sequence[Arrays], seed: int, options: Options, control: Control
    ) -> Sequence[Utterance]:
        _note(f"decode {seed}")
        for word in semantic.meta["asked"].split():
            _do(word, seed, control)
        return super().diffusion(semantic, speakers, seed, options, control)


def deeds(state: Path) -> list[str]:
    try:
        return (state / "deeds").read_text().splitlines()
    except FileNotFoundError:
        return []


def _count(deed: str) -> int:
    """Record a deed; returns the number of earlier ones."""
    _note(deed)
    return deeds(Path(os.environ["VOXCHORD_STATE"])).count(deed) - 1


def _note(deed: str) -> bool:
    """Record a deed; True if it is the first."""
    path = Path(os.environ["VOXCHORD_STATE"]) / "deeds"
    first = deed not in deeds(path.parent)
    with path.open("a") as file:
        file.write(deed + "\n")
    return first


def _do_again(word: str, before: int) -> None:
    """Faults while a lost artifact is made again."""
    if word == "losefull" and before == 1:
        raise OutOfMemoryError
    if word == "losefaulty" and before:
        raise ValueError("velvet: words of the script in a message of a bug")


def _do(word: str, seed: int, control: Control) -> None:
    if word == "faulty" or (word == "broken" and (Path(os.environ["VOXCHORD_STATE"]) / "broken").exists()):
        raise ValueError("velvet: words of the script in a message of a bug")
    if word == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if word.startswith("wait"):
        until = time.monotonic() + float(word.removeprefix("wait"))
        while time.monotonic() < until:
            control.check()
            time.sleep(0.02)
        return
    if not _note(f"{word} {seed}"):
        return
    if word == "dieonce":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "hangonce":
        time.sleep(3600)
    if word == "loadonce":
        with loading():
            time.sleep(7)
    if word == "between":
        _die_between_part_and_success()
    if word.startswith("lose"):
        _lose()
    if word == "mute":
        _say_nothing()


def _die_between_part_and_success() -> None:
    """End this process after the chord's part is counted and before SUCCESS is stored."""
    backend: Any = current_app.backend
    backend.store_result = lambda *_args, **_options: os.kill(os.getpid(), signal.SIGKILL)


def _lose() -> None:
    """Delete the product of the previous stage."""
    for path in Path(os.environ["VOXCHORD_STORE"]).glob("segments/*/*/semantic"):
        path.unlink(missing_ok=True)
    raise MissingArtifactError("semantic")


def _say_nothing() -> None:
    """Send an empty message to the main process, which then stops reading this process' pipe."""
    process: Any = current_process()
    os.write(process.outq._writer.fileno(), bytes(4))
