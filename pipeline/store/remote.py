"""Artifacts in an object store: S3 and what speaks its protocol, or any other filesystem of fsspec.

What fsspec keeps for convenience is turned off: its listings, in which a flag that another machine has just
set would not be seen. Its connections belong to the process that made them, so a fork makes its own.

On S3 an object appears whole or not at all, and exclusive creation is a PUT with If-None-Match: of several at
once one wins, the others learn that it exists (412) or are told to ask again (409). Credentials, region and
endpoint come from where every AWS program has them (`AWS_…`, a role); never from the URL.
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
"""Of s3fs, around those of the client below it; tasks wait longer (`tasks.orchestration.store_outage`)."""
_CONNECTIONS = 40
"""More than are asked at once (`pipeline.jobs.artifacts`)."""


class RemoteObjects:
    """Any filesystem of fsspec: GCS, memory, …"""

    errors: tuple[type[Exception], ...] = (OSError,)
    options: dict[str, Any] = {"use_listings_cache": False}  # noqa: RUF012 - never changed

    def __init__(self, url: str) -> None:
        """
        Raises:
            OptionError: nothing here knows such a URL.
        """
        self.url = url
        self.place = re.sub(r"//[^/]*@", "//", url.rstrip("/"))
        """The URL as errors show it: without a password, if it has one."""
        self._opened: tuple[int, Any, str] | None = None
        try:
            fsspec.get_filesystem_class(fsspec.utils.get_protocol(url))
        except ImportError as error:
            raise OptionError(
                "store", f"{self.place} needs a package that is not installed ('.[s3]' for S3)"
            ) from error
        except ValueError as error:
            raise OptionError("store", f"{self.place}: {error}") from error

    @property
    def fs(self) -> Any:
        """This process's own."""
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
            with self._answering("look for", name, *MISSING):
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
        """Nothing to do: a folder is a part of a name here."""

    def _path(self, name: str) -> str:
        checked(name)
        return f"{self.root}/{name}"

    @contextlib.contextmanager
    def _answering(self, action: str, name: str, *expected: type[Exception]) -> Iterator[None]:
        """Whatever the service or the network reports, as one error; but what is expected stays as it is."""
        try:
            yield
        except expected:
            raise
        except self.errors as error:
            raise StoreError(f"can't {action} {name} in {self.place}: {_said(error)}") from error


class S3Objects(RemoteObjects):
    """S3. One request for each look, where s3fs itself would ask two or three times."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        from aiohttp import ClientError as HttpError
        from botocore.exceptions import BotoCoreError, ClientError

        self.errors = (OSError, BotoCoreError, ClientError, HttpError)
        self.options = {
            **RemoteObjects.options,
            "max_concurrency": 1,  # else a read asks for the size first, and may mix two writes
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
                if code in ("PreconditionFailed", "412"):  # as some say it who are not Amazon
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
            with self._answering("look for", name, *MISSING):
                return int(self.fs.call_s3("head_object", Bucket=bucket, Key=key)["ContentLength"])
        except MISSING:
            return None

    def names(self, prefix: str = "") -> Iterator[tuple[str, float, int]]:
        """Lists once; s3fs looks for an object of that very name when there is nothing below it."""
        bucket, key, _ = self.fs.split_path(self._path(prefix) if prefix else self.root)
        start = f"{key}/" if key else ""
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
        """A bucket that isn't there is an error; an object that isn't there is none."""
        with super()._answering(action, name, *expected):
            try:
                yield
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise OSError("no such bucket") from error.__cause__
                raise


def remote(url: str) -> RemoteObjects:
    """The objects below a URL."""
    return S3Objects(url) if url.startswith(("s3://", "s3a://")) else RemoteObjects(url)


def _code(error: BaseException | None) -> str | None:
    """S3's own word for what went wrong, which s3fs keeps as the cause of its error."""
    for known in (error, error and error.__cause__):
        answer = getattr(known, "response", None)
        if answer:
            return str(answer.get("Error", {}).get("Code"))
    return None


def _said(error: Exception) -> str:
    """On one line."""
    code, words = _code(error), getattr(error, "strerror", None) or str(error)
    said = f"{code}: {words}" if code else f"{words or type(error).__name__}"
    return " ".join(said.split())
