"""Artifacts in a local folder, created exclusively by hard links."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.store.objects import MISSING, answering, checked

SCRATCH = ".scratch"
_PLACED_MAX = 100


class LocalObjects:
    """A folder, private to the user: folders 0700, files 0600."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, name: str, data: bytes) -> bool:
        path = self._path(name)
        with answering("check", name):
            if path.exists():
                return False
        temporary = self._write(name, data)
        try:
            with answering("create", name, FileExistsError):
                self._placed(os.link, temporary, path)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return True

    def replace(self, name: str, data: bytes) -> None:
        temporary = self._write(name, data)
        with _or_gone(temporary), answering("replace", name):
            self._placed(os.replace, temporary, self._path(name))

    def read(self, name: str) -> bytes | None:
        try:
            with answering("read", name, *MISSING):
                return self._path(name).read_bytes()
        except MISSING:
            return None

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        try:
            with answering("read", name, *MISSING), open(self._path(name), "rb") as file:
                file.seek(start)
                return file.read(end - start)
        except MISSING:
            return None

    def size(self, name: str) -> int | None:
        try:
            with answering("check", name, *MISSING):
                return self._path(name).stat().st_size
        except MISSING:
            return None

    def delete(self, name: str) -> None:
        with answering("delete", name), contextlib.suppress(*MISSING):
            self._path(name).unlink()

    def names(self, prefix: str = "") -> Iterator[tuple[str, float, int]]:
        top = self._path(prefix) if prefix else self.root
        with answering("list", prefix or "everything"):
            for folder, _, files in os.walk(top, onerror=_unless_gone):
                for file in files:
                    path = Path(folder, file)
                    try:
                        status = path.stat()
                    except FileNotFoundError:
                        continue
                    yield path.relative_to(self.root).as_posix(), status.st_mtime, status.st_size

    def put_file(self, path: Path, name: str) -> None:
        with answering("write", name):
            temporary = self._temporary()
        with _or_gone(temporary), answering("write", name):
            shutil.move(path, temporary)
            self._placed(os.replace, temporary, self._path(name))

    def get_file(self, name: str, path: Path) -> None:
        with answering("read", name):
            source = open(self._path(name), "rb")  # noqa: SIM115 - errors of the target are not errors of the store
        with source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)

    def tidy(self) -> None:
        for top in self.root.glob("*/"):
            if top.name != SCRATCH:
                for folder, _, _ in os.walk(top, topdown=False):
                    with contextlib.suppress(OSError):  # it is not empty, or not ours
                        os.rmdir(folder)

    def scratch(self) -> Path:
        """Folder for temporary files on the same file system; artifacts are never named in it."""
        folder = self.root / SCRATCH
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _path(self, name: str) -> Path:
        return self.root / checked(name)

    def _temporary(self) -> Path:
        return self.scratch() / uuid.uuid4().hex

    def _placed(self, move: Callable[[Path, Path], object], temporary: Path, path: Path) -> None:
        """Place a file into a folder that may not exist, and that `tidy` may remove at any time."""
        for _ in range(_PLACED_MAX):
            try:
                move(temporary, path)
            except FileNotFoundError:
                with contextlib.suppress(FileNotFoundError):
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                return
        move(temporary, path)

    def _write(self, name: str, data: bytes) -> Path:
        """Write a complete file under a temporary name."""
        with answering("write", name):
            temporary = self._temporary()
        with _or_gone(temporary), answering("write", name):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "wb") as file:
                file.write(data)
        return temporary


def _unless_gone(error: OSError) -> None:
    """Raise if a folder cannot be listed, since it may not be empty."""
    if not isinstance(error, MISSING):
        raise error


@contextlib.contextmanager
def _or_gone(temporary: Path) -> Iterator[None]:
    """Remove a temporary file that was not placed, since a refusing store is tried repeatedly."""
    try:
        yield
    except StoreError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
