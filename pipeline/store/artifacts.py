"""The artifact store, which is authoritative for all work.

Plans, segments and finished files have content-derived names. An artifact is written under a temporary name
and moved. It starts with its checksum, a header line `voxchord 1 <sha256> <bytes>`, so that one object is one
atomic write. An artifact with a wrong checksum counts as missing. The first writer wins; later ones adopt its
artifact.

Folders are handled by `pipeline.store.local`, other URLs by `pipeline.store.remote`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from pipeline.arrays import Arrays
from pipeline.canonical_json import canonical_json
from pipeline.errors import MissingArtifactError
from pipeline.store.local import SCRATCH, LocalObjects
from pipeline.store.objects import Objects, answering
from pipeline.store.remote import remote

_MAGIC = b"voxchord 1 "
_META = "voxchord.meta"


class Store:
    """Artifacts by name, checked on every read."""

    def __init__(self, url: str) -> None:
        """Open a store.

        Args:
            url: a folder, or any URL that fsspec supports.

        Raises:
            OptionError: an unsupported URL.
        """
        self.url = url
        local = "://" not in url or url.startswith("file://")
        self.objects: Objects = LocalObjects(Path(url.removeprefix("file://"))) if local else remote(url)

    @property
    def local(self) -> bool:
        """True for a local folder, where a check is cheap."""
        return isinstance(self.objects, LocalObjects)

    def scratch(self) -> Path | None:
        """Folder for large temporary files that can be moved into the store; None for the default."""
        if not isinstance(self.objects, LocalObjects):
            return None
        with answering("make", SCRATCH):
            return self.objects.scratch()

    def get(self, name: str) -> bytes | None:
        """Read a payload; None if it is missing or damaged."""
        data = self.objects.read(name)
        return None if data is None else unsealed(data)

    def need(self, name: str) -> bytes:
        """Read a payload.

        Raises:
            MissingArtifactError: it is missing or damaged.
        """
        payload = self.get(name)
        if payload is None:
            raise MissingArtifactError(name)
        return payload

    def has(self, name: str) -> bool:
        """True if the artifact exists and its checksum is right; reads it."""
        return self.get(name) is not None

    def put(self, name: str, payload: bytes) -> bool:
        """Write unless a valid artifact exists; True if this call's bytes are stored."""
        sealed_payload = sealed(payload)
        if self.objects.create(name, sealed_payload):
            return True
        if self.has(name):
            return False
        self.objects.replace(name, sealed_payload)
        return True

    def overwrite(self, name: str, payload: bytes) -> None:
        """Write, replacing any existing artifact."""
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


def sealed(payload: bytes) -> bytes:
    """Prefix a payload with a header line of its checksum and length."""
    return b"%s\n%s" % (header(hashlib.sha256(payload).hexdigest(), len(payload)), payload)


def header(digest: str, size: int) -> bytes:
    """Header line of a payload with that SHA-256 and length, without the line break."""
    return b"%s%s %d" % (_MAGIC, digest.encode(), size)


def unsealed(data: bytes) -> bytes | None:
    """Remove and verify the header; None if the checksum is wrong.

    >>> unsealed(sealed(b"words"))
    b'words'
    >>> unsealed(sealed(b"words")[:-1]) is None
    True
    """
    head, newline, payload = data.partition(b"\n")
    if not newline or not head.startswith(_MAGIC):
        return None
    return payload if head == header(hashlib.sha256(payload).hexdigest(), len(payload)) else None


def packed(value: Arrays) -> bytes:
    """Serialise arrays as safetensors: without pickle, and with equal bytes for equal arrays."""
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(value.arrays.items())}
    meta = {_META: canonical_json(dict(value.meta)).decode()}
    return bytes(safetensors.numpy.save(arrays, metadata=meta))


def unpacked(payload: bytes) -> Arrays:
    """Deserialise arrays."""
    length = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + length])
    return Arrays(safetensors.numpy.load(payload), json.loads(header["__metadata__"][_META]))
