"""Delivery of a finished job's files to the output path.

A delivery replaces files that voxchord itself has written, and nothing else. The store has the hash of each
delivered file by its path, so a file that was edited since counts as the user's.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import JobFailed
from cli.permissions import file_mode, make_folders
from pipeline.errors import OptionError
from pipeline.file_formats import AUDIO_FORMATS, SUBTITLE_FORMATS, audio_format_of
from pipeline.jobs.jobs import Jobs
from pipeline.store.artifacts import Store
from pipeline.store.local import LocalObjects

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace existing files that voxchord did not write, but no input.")
]
_SUBTITLES = {kind: f".{kind}" for kind in SUBTITLE_FORMATS}
_TURNS, _WORDS, _CHAPTERS, _CUES = ".turns.json", ".words.json", ".chapters.json", ".cues.json"
_BESIDE = {
    **dict.fromkeys(_SUBTITLES.values(), "subtitles"),
    _TURNS: "turns",
    _WORDS: "word times",
    _CHAPTERS: "chapters",
    _CUES: "times of cues",
}
"""Endings of the files that are written beside the audio, and what they hold."""
_HASHES_MAX = 50
"""Earlier hashes of a path that are retained."""
_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a command reads."""

    what: str
    path: Path
    """`-` is standard input."""

    def identity(self) -> _Identity | None:
        """Device and inode, equal for all of the file's names; None if there is no such file."""
        try:
            status = os.fstat(0) if str(self.path) == "-" else self.path.stat()
        except OSError:
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def format_of(output: Path) -> str:
    """Format selected by a file's ending.

    >>> format_of(Path("out/play.ogg"))
    'opus'
    """
    name = audio_format_of(output.name)
    if name is None:
        raise OptionError(
            "output", f"unknown ending of {output.name!r}; available: {', '.join(AUDIO_FORMATS)}"
        )
    return name


class Delivery:
    """Files that a command writes, and what it may replace.

    Args:
        targets: files by what they hold.
        inputs: files that the command reads, which are never replaced.
        force: replace files that voxchord did not write.
    """

    def __init__(
        self, store: Store, targets: Mapping[Path, str], *, inputs: Iterable[Input] = (), force: bool = False
    ) -> None:
        self.store, self.targets, self.force = store, targets, force
        self._inputs = {identity: each.what for each in inputs if (identity := each.identity())}

    @classmethod
    def of_job(
        cls, jobs: Jobs, output: Path, *, inputs: Iterable[Input] = (), force: bool = False
    ) -> "Delivery":
        """Files of a job: the audio, and subtitles, turns and word times beside it."""
        beside = {output.with_suffix(ending): what for ending, what in _BESIDE.items()}
        return cls(jobs.store, {output: "audio", **beside}, inputs=inputs, force=force)

    def check(self) -> None:
        """Check that all files can be written and that none would be lost.

        Raises:
            OptionError: a file cannot be written or may not be replaced; names all of them.
            StoreError: the store does not answer.
        """
        self._refuse_loss(self.targets)
        for folder in dict.fromkeys(target.parent for target in self.targets):
            try:
                make_folders(folder)
                with _part(folder):
                    pass
            except OSError as error:
                reason = f"cannot write to {folder}: {error.strerror}; choose another folder or change it"
                raise OptionError("output", reason) from None

    def write(self, contents: Mapping[Path, Callable[[Path], object]], advice: str = "") -> None:
        """Write all files, or none if one of them cannot be written.

        Args:
            contents: functions that write a file's content to a path.
            advice: what to do if a file cannot be written.

        Raises:
            OptionError: a file cannot be written or may not be replaced.
        """
        with contextlib.ExitStack() as parts:
            copies = {}
            for target, content in contents.items():
                with _writing(target, advice):
                    copies[target] = parts.enter_context(_part(_real(target).parent))
                    content(copies[target])
                    copies[target].chmod(file_mode())
            made = {target: _sha256(copy) for target, copy in copies.items()}
            self._refuse_loss(contents, made, advice)
            for target, copy in copies.items():
                with _writing(target, advice):
                    self._replace(target, copy, made[target])

    def _replace(self, target: Path, copy: Path, sha256: str) -> None:
        """Replace a file, which is known as ours before, while and after it is replaced.

        Earlier hashes stay, since machines with the same path may share the store.
        """
        earlier = [each for each in self._known(target) if each != sha256][-_HASHES_MAX:]
        self.store.overwrite(_record(target), "\n".join([*earlier, sha256]).encode())
        copy.replace(_real(target))

    def _refuse_loss(
        self, targets: Iterable[Path], made: Mapping[Path, str] | None = None, advice: str = ""
    ) -> None:
        problems = [
            f"{target} ({self.targets[target]}) {problem}"
            for target in targets
            if (problem := self._problem(target, (made or {}).get(target)))
        ]
        if problems:
            reason = "; ".join(problems)
            raise OptionError("output", f"{reason}; {advice}" if advice else reason)

    def _problem(self, target: Path, sha256: str | None) -> str | None:
        """Reason why a file may not be written; None if it may."""
        root = self.store.objects.root if isinstance(self.store.objects, LocalObjects) else None
        if root is not None and _real(target).is_relative_to(root.resolve()):
            return "is inside the artifact store; choose another output"
        try:
            status = target.stat()
        except OSError:
            return None  # there is no such file, or the folder's own check names it
        what = self._inputs.get((status.st_dev, status.st_ino))
        if what is not None:
            return f"is {what} itself; choose another output"
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            return f"is {kind}; choose another output"
        return None if self.force else self._loss(target, sha256)

    def _loss(self, target: Path, sha256: str | None) -> str | None:
        """Reason why replacing a file would lose something of the user's; None if it would not."""
        try:
            existing = _sha256(target)
        except OSError as error:
            return f"exists and cannot be read: {error.strerror}; choose another output or give --force"
        known = self._known(target)
        if existing in known or existing == sha256:
            return None
        found = "was changed since voxchord wrote it" if known else "exists and was not written by voxchord"
        return f"{found}; choose another output, or give --force to replace it"

    def _known(self, target: Path) -> list[str]:
        """Hashes of the files that were written to a path."""
        return (self.store.get(_record(target)) or b"").decode().split()


def deliver(jobs: Jobs, manifest: Mapping[str, Any], output: Path, delivery: Delivery) -> None:
    """Copy a finished job's files: the audio, and subtitles, turns and word times beside it.

    Raises:
        JobFailed: a file of the job is missing or damaged.
        OptionError: a file cannot be written or may not be replaced.
    """
    artifacts = {
        output: manifest["audio"],
        **{output.with_suffix(ending): manifest["subtitles"][kind] for kind, ending in _SUBTITLES.items()},
        output.with_suffix(_TURNS): manifest["turns"],
        **({output.with_suffix(_WORDS): manifest["words"]} if manifest.get("words") else {}),
        **({output.with_suffix(_CHAPTERS): manifest["chapters"]} if manifest.get("chapters") else {}),
        **({output.with_suffix(_CUES): manifest["cues"]} if manifest.get("cues") else {}),
    }
    contents = {target: partial(_copy, jobs, manifest, each) for target, each in artifacts.items()}
    delivery.write(contents, f"the finished job is retained: `fetch {manifest['job']} -o OUTPUT` copies it")


def _copy(jobs: Jobs, manifest: Mapping[str, Any], artifact: Mapping[str, Any], path: Path) -> None:
    objects, name = jobs.store.objects, artifact["name"]
    whole = objects.size(name) == artifact["bytes"]
    if whole:
        objects.get_file(name, path)
        whole = _sha256(path) == artifact["sha256"]
    if not whole:
        objects.delete(manifest["audio"]["name"])  # without it, the next request joins the segments again
        raise JobFailed(f"{name} is missing or damaged in the store; render the script again")


@contextlib.contextmanager
def _writing(target: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"cannot write {target}: {error.strerror}"
        raise OptionError("output", f"{reason}; {advice}" if advice else reason) from None


@contextlib.contextmanager
def _part(folder: Path) -> Iterator[Path]:
    """Temporary file in a folder, removed at the end."""
    handle, name = tempfile.mkstemp(prefix=".voxchord-", suffix=".part", dir=folder)
    os.close(handle)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _real(target: Path) -> Path:
    """Path of the file itself: a symbolic link stays, and the file that it names is replaced."""
    return Path(os.path.realpath(target))


def _record(target: Path) -> str:
    """Name of the hashes of a delivered file, by its path."""
    return f"delivered/{hashlib.sha256(os.fsencode(_real(target))).hexdigest()[:32]}"


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
