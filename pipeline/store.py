"""The artifact store: the truth of the work.

Plans, segments and finished files lie under names made from what they hold. An artifact is written under a
temporary name and moved, and carries its own checksum: a header line `voxchord 1 <sha256> <bytes>` before the
payload, so that one object is one atomic write. One that doesn't check out counts as missing. The first
writer wins; a later one adopts what stands.

Local folders are written with the operating system's own exclusive link; any other URL goes through fsspec,
whose `mode="create"` is If-None-Match on S3 and the like.
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import fsspec
import numpy as np
import safetensors.numpy

from pipeline.engines.protocol import Arrays
from pipeline.errors import MissingArtifactError, StoreError

_MAGIC = b"voxchord 1 "
_META = "voxchord.meta"
_SCRATCH = ".scratch"


class Objects(Protocol):
    """Where bytes lie. Names are relative POSIX paths."""

    def create(self, name: str, data: bytes) -> bool:
        """Write unless it exists; False if it does. Atomic."""
        ...

    def replace(self, name: str, data: bytes) -> None: ...
    def read(self, name: str) -> bytes | None: ...
    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        """Bytes from `start` up to and without `end`; fewer where the object ends before."""
        ...

    def size(self, name: str) -> int | None: ...
    def delete(self, name: str) -> None: ...
    def names(self, prefix: str) -> Iterator[tuple[str, float, int]]:
        """(name, modified as seconds since the epoch, bytes) of all objects below the prefix."""
        ...

    def put_file(self, path: Path, name: str) -> None:
        """Take over a file; the path may be gone afterwards."""
        ...

    def get_file(self, name: str, path: Path) -> None: ...


_MISSING = (FileNotFoundError, NotADirectoryError)


@contextlib.contextmanager
def _answering(action: str, name: str, *expected: type[OSError]) -> Iterator[None]:
    """Whatever a file system or a service reports, as one error; but what is expected stays as it is."""
    try:
        yield
    except expected:
        raise
    except OSError as error:
        raise StoreError(f"can't {action} {name}: {error.strerror or type(error).__name__}") from error


class LocalObjects:
    """A folder, private to the user: folders 0700, files 0600."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, name: str, data: bytes) -> bool:
        path = self._path(name)
        if path.exists():
            return False
        temporary = self._write(name, data)
        try:
            with _answering("create", name, FileExistsError):
                self._placed(os.link, temporary, path)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return True

    def replace(self, name: str, data: bytes) -> None:
        temporary = self._write(name, data)
        with _answering("replace", name):
            self._placed(os.replace, temporary, self._path(name))

    def read(self, name: str) -> bytes | None:
        try:
            with _answering("read", name, *_MISSING):
                return self._path(name).read_bytes()
        except _MISSING:
            return None

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        try:
            with _answering("read", name, *_MISSING), open(self._path(name), "rb") as file:
                file.seek(start)
                return file.read(end - start)
        except _MISSING:
            return None

    def size(self, name: str) -> int | None:
        try:
            with _answering("look for", name, *_MISSING):
                return self._path(name).stat().st_size
        except _MISSING:
            return None

    def delete(self, name: str) -> None:
        with _answering("delete", name), contextlib.suppress(*_MISSING):
            self._path(name).unlink()

    def names(self, prefix: str) -> Iterator[tuple[str, float, int]]:
        for folder, _, files in os.walk(self._path(prefix)):
            for file in files:
                path = Path(folder, file)
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                yield path.relative_to(self.root).as_posix(), status.st_mtime, status.st_size

    def put_file(self, path: Path, name: str) -> None:
        with _answering("write", name):
            temporary = self._temporary()
        try:
            with _answering("write", name):
                shutil.move(path, temporary)
                self._placed(os.replace, temporary, self._path(name))
        except StoreError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def get_file(self, name: str, path: Path) -> None:
        shutil.copyfile(self._path(name), path)

    def scratch(self) -> Path:
        """Where a file is made so that moving it into place is one step; no artifact has a name in it."""
        folder = self.root / _SCRATCH
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _path(self, name: str) -> Path:
        return self.root / checked(name)

    def _temporary(self) -> Path:
        return self.scratch() / uuid.uuid4().hex

    def _placed(self, move: Callable[[Path, Path], object], temporary: Path, path: Path) -> None:
        """Into a folder that may have to be made first."""
        try:
            move(temporary, path)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            move(temporary, path)

    def _write(self, name: str, data: bytes) -> Path:
        """A complete file under a temporary name."""
        with _answering("write", name):
            temporary = self._temporary()
        try:
            with _answering("write", name):
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(handle, "wb") as file:
                    file.write(data)
        except StoreError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return temporary


class RemoteObjects:
    """Any fsspec filesystem: S3, GCS, memory, …"""

    def __init__(self, url: str) -> None:
        self.fs, root = fsspec.core.url_to_fs(url)
        self.root = str(root).rstrip("/")

    def create(self, name: str, data: bytes) -> bool:
        try:
            with _answering("create", name, FileExistsError):
                self.fs.pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def replace(self, name: str, data: bytes) -> None:
        with _answering("write", name):
            self.fs.pipe_file(self._path(name), data)

    def read(self, name: str) -> bytes | None:
        try:
            with _answering("read", name, *_MISSING):
                data: bytes = self.fs.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return data

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        try:
            with _answering("read", name, *_MISSING):
                data: bytes = self.fs.cat_file(self._path(name), start=start, end=end)
        except FileNotFoundError:
            return None
        return data

    def size(self, name: str) -> int | None:
        try:
            with _answering("look for", name, *_MISSING):
                return int(self.fs.info(self._path(name))["size"])
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        with _answering("delete", name), contextlib.suppress(*_MISSING):
            self.fs.rm_file(self._path(name))

    def names(self, prefix: str) -> Iterator[tuple[str, float, int]]:
        with _answering("list", prefix):
            found = self.fs.find(self._path(prefix), detail=True)
        for path, info in found.items():
            modified = info.get("LastModified") or info.get("mtime") or info.get("created")
            stamp = modified.timestamp() if hasattr(modified, "timestamp") else float(modified or 0)
            yield str(path)[len(self.root) + 1 :], stamp, int(info["size"])

    def put_file(self, path: Path, name: str) -> None:
        with _answering("write", name):
            self.fs.put_file(str(path), self._path(name))

    def get_file(self, name: str, path: Path) -> None:
        self.fs.get_file(self._path(name), str(path))

    def _path(self, name: str) -> str:
        checked(name)
        return f"{self.root}/{name}"


def checked(name: str) -> PurePosixPath:
    """A name as a relative path.

    >>> checked("jobs/3f/plan")
    PurePosixPath('jobs/3f/plan')

    Raises:
        ValueError: it would lead out of the store.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"not a name in the store: {name!r}")
    return path


class Store:
    """Artifacts by name, checked on every read."""

    def __init__(self, url: str) -> None:
        """Args:
        url: a folder, or any URL that fsspec knows.
        """
        self.url = url
        local = "://" not in url or url.startswith("file://")
        self.objects: Objects = (
            LocalObjects(Path(url.removeprefix("file://"))) if local else RemoteObjects(url)
        )

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine's, where a look costs next to nothing."""
        return isinstance(self.objects, LocalObjects)

    def scratch(self) -> Path | None:
        """Where to make a large file so that taking it over is a move; None is the system's own place."""
        if not isinstance(self.objects, LocalObjects):
            return None
        with _answering("make", _SCRATCH):
            return self.objects.scratch()

    def get(self, name: str) -> bytes | None:
        """The payload; None if it is missing or damaged."""
        data = self.objects.read(name)
        return None if data is None else unsealed(data)

    def need(self, name: str) -> bytes:
        """The payload.

        Raises:
            MissingArtifactError: it is missing or damaged.
        """
        payload = self.get(name)
        if payload is None:
            raise MissingArtifactError(name)
        return payload

    def has(self, name: str) -> bool:
        """Whether it is there and whole. Reads it: presence alone says nothing of a torn write."""
        return self.get(name) is not None

    def put(self, name: str, payload: bytes) -> bool:
        """Write it; True if this call's bytes stand. The first writer wins unless what stands is damaged."""
        sealed_payload = sealed(payload)
        if self.objects.create(name, sealed_payload):
            return True
        if self.has(name):
            return False
        self.objects.replace(name, sealed_payload)
        return True

    def overwrite(self, name: str, payload: bytes) -> None:
        """Write it, whatever stands."""
        self.objects.replace(name, sealed(payload))

    def get_json(self, name: str) -> Any | None:
        payload = self.get(name)
        return None if payload is None else json.loads(payload)

    def put_json(self, name: str, value: Any) -> bool:
        return self.put(name, canonical_json(value))

    def get_arrays(self, name: str) -> Arrays | None:
        payload = self.get(name)
        return None if payload is None else unpacked(payload)

    def need_arrays(self, name: str) -> Arrays:
        return unpacked(self.need(name))

    def put_arrays(self, name: str, value: Arrays) -> bool:
        return self.put(name, packed(value))


def canonical_json(value: Any) -> bytes:
    """The one way a value is written, so that equal values have equal bytes and hashes.

    >>> canonical_json({"b": 1, "a": "é"}).decode()
    '{"a":"é","b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(payload: bytes) -> bytes:
    """The payload behind a header line with its checksum and length."""
    digest = hashlib.sha256(payload).hexdigest().encode()
    return b"%s%s %d\n%s" % (_MAGIC, digest, len(payload), payload)


def unsealed(data: bytes) -> bytes | None:
    """The payload; None if it doesn't check out.

    >>> unsealed(sealed(b"words"))
    b'words'
    >>> unsealed(sealed(b"words")[:-1]) is None
    True
    """
    head, newline, payload = data.partition(b"\n")
    if not newline or not head.startswith(_MAGIC):
        return None
    digest = hashlib.sha256(payload).hexdigest().encode()
    return payload if head == b"%s%s %d" % (_MAGIC, digest, len(payload)) else None


def packed(value: Arrays) -> bytes:
    """Arrays as safetensors: no pickle, and equal arrays have equal bytes."""
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(value.arrays.items())}
    meta = {_META: canonical_json(dict(value.meta)).decode()}
    return bytes(safetensors.numpy.save(arrays, metadata=meta))


def unpacked(payload: bytes) -> Arrays:
    """The inverse of `packed`."""
    length = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + length])
    return Arrays(safetensors.numpy.load(payload), json.loads(header["__metadata__"][_META]))
