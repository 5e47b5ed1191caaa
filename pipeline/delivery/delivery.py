"""Delivery of files to an output path.

A delivery replaces files that voxchord itself has written, and nothing else. The store has the hash of each
delivered file by its path, so a file that was edited since counts as the user's.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.canonical_json import canonical_json
from pipeline.delivery.permissions import file_mode, make_folders
from pipeline.errors import OptionError
from pipeline.store.artifacts import Store
from pipeline.store.local import LocalObjects

PARTS = ".voxchord-*.part"
"""Names of temporary files, which players ignore."""
_HASHES_MAX = 50
"""Earlier hashes of a path that are retained."""
_NAMED_MAX = 3
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


class Delivery:
    """Files that are written, and what they may replace.

    Args:
        targets: files by what they hold.
        folder: folder for files whose names are known later. It holds those of one delivery and no others:
            it must be new or empty, or hold only files of an earlier delivery, which are replaced or removed.
        mixes: tells by the name of another file in the folder if it must not be there.
        inputs: files that the command reads, which are never replaced.
        force: replace files that voxchord did not write; others in the folder stay.
    """

    def __init__(
        self,
        store: Store,
        targets: Mapping[Path, str],
        *,
        folder: Path | None = None,
        mixes: Callable[[str], bool] = lambda name: not name.startswith("."),
        inputs: Iterable[Input] = (),
        force: bool = False,
    ) -> None:
        self.store, self.targets, self.folder, self.force = store, targets, folder, force
        self._mixes = mixes
        self._inputs = {identity: each.what for each in inputs if (identity := each.identity())}

    def check(self) -> None:
        """Check that all files can be written and that none would be lost.

        Raises:
            OptionError: a file cannot be written or may not be replaced; names all of them.
            StoreError: the store does not answer.
        """
        self._refuse_loss(self.targets)
        self._refuse_mixture()
        folders = [target.parent for target in self.targets] + ([self.folder] if self.folder else [])
        for folder in dict.fromkeys(folders):
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
            made = {target: sha256_of(copy) for target, copy in copies.items()}
            self._refuse_loss(contents, made, advice)
            self._refuse_mixture(advice)
            with self._folder_of([target.name for target in contents if target.parent == self.folder]):
                for target, copy in copies.items():
                    with _writing(target, advice):
                        self._replace(target, copy, made[target])

    @contextlib.contextmanager
    def _folder_of(self, names: Sequence[str]) -> Iterator[None]:
        """Record the files of the folder, and remove those of an earlier delivery at the end."""
        if self.folder is None:
            yield
            return
        earlier = self._delivered(self.folder)
        self.store.overwrite(_record(self.folder), canonical_json(sorted({*earlier, *names})))
        yield
        for name in set(earlier) - set(names):
            if self._loss(self.folder / name, None) is None:
                (self.folder / name).unlink(missing_ok=True)
        self.store.overwrite(_record(self.folder), canonical_json(sorted(names)))

    def _delivered(self, folder: Path) -> list[str]:
        """Names of the files that an earlier delivery wrote into a folder."""
        record = self.store.get(_record(folder)) or b""
        return list(json.loads(record)) if _is_of_folder(record) else []

    def _refuse_mixture(self, advice: str = "") -> None:
        """
        Raises:
            OptionError: the folder has files of something else, or is none.
        """
        if self.folder is None or self.force or not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise OptionError("output", f"{self.folder} is no folder; choose another output")
        present = sorted(path.name for path in self.folder.iterdir())
        delivered = self._delivered(self.folder)
        foreign = [name for name in present if name not in delivered and self._mixes(name)]
        if foreign:
            shown = ", ".join(foreign[:_NAMED_MAX]) + (", …" if len(foreign) > _NAMED_MAX else "")
            reason = (
                f"{self.folder} has files that are not of a folder of chapters ({shown}); choose a folder of "
                "the book's own, or give --force to leave them there"
            )
            raise OptionError("output", f"{reason}; {advice}" if advice else reason)
        self._refuse_loss([self.folder / name for name in present if name in delivered], advice=advice)

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
            f"{target} ({self.targets.get(target, 'audio')}) {problem}"
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
            existing = sha256_of(target)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"exists and cannot be read: {error.strerror}; choose another output or give --force"
        known = self._known(target)
        if existing in known or existing == sha256:
            return None
        found = "was changed since voxchord wrote it" if known else "exists and was not written by voxchord"
        return f"{found}; choose another output, or give --force to replace it"

    def _known(self, target: Path) -> list[str]:
        """Hashes of the files that were written to a path."""
        record = self.store.get(_record(target)) or b""
        return [] if _is_of_folder(record) else record.decode().split()


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
    prefix, _, suffix = PARTS.partition("*")
    handle, name = tempfile.mkstemp(suffix, prefix, folder)
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
    """Name of the hashes of a delivered file, or of the files of a delivered folder, by its path."""
    return f"delivered/{hashlib.sha256(os.fsencode(_real(target))).hexdigest()[:32]}"


def _is_of_folder(record: bytes) -> bool:
    """True for the record of a folder, False for that of a file which had its path before."""
    return record.startswith(b"[")


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
