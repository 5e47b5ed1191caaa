"""Artifacts in an object store: S3 and compatible services, or any other file system of fsspec.

fsspec's cache of listings is off, since it would hide flags that another machine has just set. Connections
belong to the process that opened them, so a fork opens its own.

On S3, writes are atomic, and exclusive creation is a PUT with If-None-Match: one of several concurrent
writers wins, the others get 412 (exists) or 409 (retry). Credentials, region and endpoint come from the usual
sources (`AWS_…`, a role), never from the URL.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from pipeline.errors import OptionError, StoreError
from pipeline.store.objects import MISSING, checked

_CONFLICTS_MAX = 8
_RETRIES = 2
"""Retries of s3fs, around those of its client; tasks wait longer (`tasks.orchestration.store_outage`)."""
_CONNECTIONS = 40
"""Connections, more than the concurrent requests of `pipeline.jobs.artifacts`."""


class RemoteObjects:
    """Any filesystem of fsspec: GCS, memory, …"""

    errors: tuple[type[Exception], ...] = (OSError,)
    options: dict[str, Any] = {"use_listings_cache": False}  # noqa: RUF012 - never changed

    def __init__(self, url: str) -> None:
        """Open a remote store.

        Raises:
            OptionError: an unsupported URL.
        """
        self.url = url
        self.place = re.sub(r"//[^/]*@", "//", url.rstrip("/"))
        """The URL without its password, for errors."""
        self._opened: tuple[int, Any, str] | None = None
        try:
            fsspec.get_filesystem_class(fsspec.utils.get_protocol(url))
        except ImportError as error:
            raise OptionError(
                "store", f"{self.place} needs a package that is not installed; for S3: '.[s3]'"
            ) from error
        except ValueError as error:
            raise OptionError("store", f"{self.place}: {error}") from error

    @property
    def fs(self) -> Any:
        """File system of this process."""
        return self._open()[1]

    @property
    def root(self) -> str:
        return self._open()[2]

    def _open(self) -> tuple[int, Any, str]:
        if self._opened is None or self._opened[0] != os.getpid():
            fs, root = fsspec.core.url_to_fs(self.url, **self.options)
            fs.retries = _RETRIES
            self._opened = os.getpid(), fs, str(root).rstrip("/")
        return self._opened

    def create(self, name: str, data: bytes) -> bool:
        try:
            with self._answering("create", name, FileExistsError):
                self.fs.pipe_file(self._path(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def replace(self, name: str, data: bytes) -> None:
        with self._answering("write", name):
            self.fs.pipe_file(self._path(name), data)

    def read(self, name: str) -> bytes | None:
        try:
            with self._answering("read", name, *MISSING):
                data: bytes = self.fs.cat_file(self._path(name))
        except MISSING:
            return None
        return data

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        try:
            with self._answering("read", name, *MISSING):
                data: bytes = self.fs.cat_file(self._path(name), start=start, end=end)
        except MISSING:
            return None
        return data

    def size(self, name: str) -> int | None:
        try:
            with self._answering("check", name, *MISSING):
                found = self.fs.info(self._path(name))
        except MISSING:
            return None
        return int(found["size"]) if found["type"] == "file" else None

    def delete(self, name: str) -> None:
        with contextlib.suppress(*MISSING), self._answering("delete", name, *MISSING):
            self.fs.rm_file(self._path(name))

    def names(self, prefix: str = "") -> Iterator[tuple[str, float, int]]:
        with self._answering("list", prefix or "everything"):
            found = self.fs.find(self._path(prefix) if prefix else self.root, detail=True)
        for path, info in found.items():
            modified = info.get("LastModified") or info.get("mtime") or info.get("created")
            stamp = modified.timestamp() if hasattr(modified, "timestamp") else float(modified or 0)
            yield str(path)[len(self.root) + 1 :], stamp, int(info["size"])

    def put_file(self, path: Path, name: str) -> None:
        with self._answering("write", name):
            self.fs.put_file(str(path), self._path(name))

    def get_file(self, name: str, path: Path) -> None:
        with self._answering("read", name):
            self.fs.get_file(self._path(name), str(path))

    def tidy(self) -> None:
        """Do nothing, since folders are only parts of names."""

    def _path(self, name: str) -> str:
        checked(name)
        return f"{self.root}/{name}"

    @contextlib.contextmanager
    def _answering(self, action: str, name: str, *expected: type[Exception]) -> Iterator[None]:
        """Convert errors of service and network to StoreError, except the expected ones."""
        try:
            yield
        except expected:
            raise
        except self.errors as error:
            raise StoreError(f"cannot {action} {name} in {self.place}: {_said(error)}") from error


class S3Objects(RemoteObjects):
    """S3 with one request per operation, where s3fs would send two or three."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from aiohttp import ClientError as HttpError
        from botocore.exceptions import BotoCoreError, ClientError

        self.errors = (OSError, BotoCoreError, ClientError, HttpError)
        self.options = {
            **RemoteObjects.options,
            "max_concurrency": 1,  # else a read requests the size first, and may mix two writes
            "config_kwargs": {
                "connect_timeout": 5,
                "read_timeout": 20,
                "retries": {"mode": "standard", "total_max_attempts": 3},
                "max_pool_connections": _CONNECTIONS,
            },
        }

    def create(self, name: str, data: bytes) -> bool:
        for _ in range(_CONFLICTS_MAX):
            try:
                return super().create(name, data)
            except StoreError as error:
                code = _code(error.__cause__)
                if code in ("PreconditionFailed", "412"):  # as some compatible services report it
                    return False
                if code not in ("ConditionalRequestConflict", "409"):
                    raise
                conflict = error
        raise conflict

    def read_range(self, name: str, start: int, end: int) -> bytes | None:
        try:
            return super().read_range(name, start, end)
        except StoreError as error:
            if _code(error.__cause__) in ("InvalidRange", "416"):
                return b""
            raise

    def size(self, name: str) -> int | None:
        bucket, key, _ = self.fs.split_path(self._path(name))
        try:
            with self._answering("check", name, *MISSING):
                return int(self.fs.call_s3("head_object", Bucket=bucket, Key=key)["ContentLength"])
        except MISSING:
            return None

    def names(self, prefix: str = "") -> Iterator[tuple[str, float, int]]:
        """List with one request; s3fs would also look for an object of the folder's name."""
        bucket, key, _ = self.fs.split_path(self._path(prefix) if prefix else self.root)
        start = f"{key.rstrip('/')}/" if key else ""
        token: dict[str, str] = {}
        while True:
            with self._answering("list", prefix or "everything"):
                page = self.fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=start, **token)
            for entry in page.get("Contents", ()):
                path = f"{bucket}/{entry['Key']}"
                yield path[len(self.root) + 1 :], entry["LastModified"].timestamp(), int(entry["Size"])
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    @contextlib.contextmanager
    def _answering(self, action: str, name: str, *expected: type[Exception]) -> Iterator[None]:
        """Raise for a missing bucket, but not for a missing object."""
        with super()._answering(action, name, *expected):
            try:
                yield
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise OSError("no such bucket") from error.__cause__
                raise


def remote(url: str) -> RemoteObjects:
    """Open the backend of a URL."""
    return S3Objects(url) if url.startswith(("s3://", "s3a://")) else RemoteObjects(url)


def _code(error: BaseException | None) -> str | None:
    """Error code of S3, which s3fs stores as the cause of its error."""
    for known in (error, error and error.__cause__):
        answer = getattr(known, "response", None)
        if answer:
            return str(answer.get("Error", {}).get("Code"))
    return None


def _said(error: Exception) -> str:
    """Error text on one line."""
    code, words = _code(error), getattr(error, "strerror", None) or str(error)
    said = f"{code}: {words}" if code else f"{words or type(error).__name__}"
    return " ".join(said.split())
