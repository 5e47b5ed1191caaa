"""Registered voices: recordings in a store, by name."""

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from urllib.parse import quote, unquote

import numpy as np

from pipeline.arrays import Arrays, Samples
from pipeline.canonical_json import canonical_json
from pipeline.engines.protocol import Reference
from pipeline.errors import MissingArtifactError, VoiceError
from pipeline.store.artifacts import Store, packed
from pipeline.stored_records import VOICE_VERSION, check_version
from pipeline.voices.cleaning import clean
from pipeline.voices.recordings import read

OWNED = re.compile(r"k[0-9a-f]{10}\.(.+)")
"""Name of a recording of one client of the HTTP service, which the others must not learn."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")
_STEM_MAX = 55
_HASH = re.compile(r"[0-9a-f]{64}")
_NAMES, _RECORDINGS, _NOTICES = "voices/names/", "voices/recordings/", "voices/notices/"
_CONSENTS = "voices/consents/"


class Voices:
    """Recordings in a store, each under the hash of its content, and their names."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, name: str, data: bytes) -> str:
        """Register a recording under a name, replacing an earlier one, after it has been cleaned.

        Args:
            name: letters, digits, space, `_`, `.` and `-`, at most 64, starting with a letter or digit.
            data: bytes of an audio file.

        Returns:
            The recording's hash.

        Raises:
            VoiceError: an unusable name or recording.
        """
        checked_name(name)
        reference = read(name, data)
        assert reference.samples is not None and reference.sample_rate_hz is not None  # noqa: S101, PT018 - guaranteed by `read`
        cleaned = clean(name, reference.samples, reference.sample_rate_hz)
        payload = packed(
            Arrays({"samples": cleaned.samples}, {"sample_rate_hz": str(reference.sample_rate_hz)})
        )
        digest = hashlib.sha256(payload).hexdigest()
        self.store.put(_RECORDINGS + digest, payload)
        notices = {"version": VOICE_VERSION, "notices": list(cleaned.notices)}
        self.store.overwrite(_NOTICES + quote(name), canonical_json(notices))
        self.store.overwrite(_NAMES + quote(name), digest.encode())
        return digest

    def copy(self, digest: str, to: Store) -> None:
        """Copy a recording to another store.

        Raises:
            MissingArtifactError: it is missing or damaged.
        """
        to.put(_RECORDINGS + digest, self.store.need(_RECORDINGS + digest))

    def names(self) -> list[str]:
        """Names of all voices, sorted."""
        return sorted(unquote(name.removeprefix(_NAMES)) for name, _, _ in self.store.objects.names(_NAMES))

    def shared_names(self) -> list[str]:
        """Names of the voices that belong to no single client, sorted; for messages."""
        return [name for name in self.names() if not OWNED.fullmatch(name)]

    def find(self, name: str) -> str | None:
        """Hash of the recording under a name; None if there is none."""
        digest = self.store.get(_NAMES + quote(name)) if _NAME.fullmatch(name) else None
        return None if digest is None else digest.decode()

    def notices(self, name: str) -> tuple[str, ...]:
        """Notices of the recording under a name: what was removed from it, and what is wrong with it."""
        record = self.store.get_json(_NOTICES + quote(name))
        if record is None:
            return ()
        check_version(_NOTICES + quote(name), record, VOICE_VERSION)
        return tuple(record["notices"])

    def resolve(self, name: str) -> str:
        """Hash of the recording under a name.

        Raises:
            VoiceError: unknown voice.
        """
        digest = self.find(checked_name(name))
        if digest is None:
            raise VoiceError(name, f"unknown; available: {', '.join(self.shared_names()) or 'none'}")
        return digest

    def record_consent(self, name: str, consent: Mapping[str, str]) -> None:
        """Store the consent of the recorded person, with who gave it and when."""
        record = {"version": VOICE_VERSION, **consent}
        self.store.overwrite(_CONSENTS + quote(checked_name(name)), canonical_json(record))

    def consent(self, name: str) -> dict[str, str] | None:
        """Consent that was stored with a voice; None without one."""
        found = self.store.get_json(_CONSENTS + quote(name))
        if found is None:
            return None
        check_version(_CONSENTS + quote(name), found, VOICE_VERSION)
        return {key: value for key, value in found.items() if key != "version"}

    def remove(self, name: str) -> bool:
        """Delete a voice, and its recording unless another name has it; False if there is none.

        Finished segments stay. A running job that still needs the recording fails.
        """
        digest = self.find(name)
        if digest is None:
            return False
        for place in (_NAMES, _NOTICES, _CONSENTS):
            self.store.objects.delete(place + quote(name))
        if all(self.find(other) != digest for other in self.names()):
            self.store.objects.delete(_RECORDINGS + digest)
        return True

    def load(self, digest: str) -> Reference:
        """Read the recording with a hash.

        Raises:
            MissingArtifactError: it is missing or damaged.
        """
        if not _HASH.fullmatch(digest):
            raise MissingArtifactError(_RECORDINGS + digest)
        arrays = self.store.need_arrays(_RECORDINGS + digest)
        samples: Samples = arrays.arrays["samples"].astype(np.float32, copy=False)
        return Reference(samples=samples, sample_rate_hz=int(arrays.meta["sample_rate_hz"]))


def name_of(file: str, data: bytes) -> str:
    """Name of a file's recording, from its content, so that two files are always two voices.

    >>> name_of("Großmutter (2).wav", b"")
    'Gro-mutter -2-e3b0c442'
    """
    stem = re.sub(r"[^A-Za-z0-9 _.-]+", "-", PurePath(file).stem).strip("-._ ")[:_STEM_MAX]
    return f"{stem or 'voice'}-{hashlib.sha256(data).hexdigest()[:8]}"


def free_name(name: str, *, reserved: Collection[str]) -> str:
    """Check a name for a new recording.

    Args:
        reserved: names of the engines' presets.

    Raises:
        VoiceError: an invalid name, or that of a preset.
    """
    if name in reserved:
        raise VoiceError(name, "an engine has a preset of that name; choose another name")
    return checked_name(name)


def checked_name(name: str) -> str:
    """Validate the name of a voice.

    Raises:
        VoiceError: an invalid name.
    """
    if not _NAME.fullmatch(name):
        raise VoiceError(
            name, "names have letters, digits, space, _ . -, at most 64, and start with a letter or digit"
        )
    return name
