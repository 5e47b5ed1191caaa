"""Recordings in which a person consents to the use of their voice.

voices/consents-recorded/<owner>/<ID>          the record: label, language, time, hash of the recording
voices/consents-recorded/<owner>/<ID>.audio    the recording, byte for byte as it was uploaded

They are evidence, and are never used for speech.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from uuid import uuid4

from pipeline import clock
from pipeline.canonical_json import canonical_json
from pipeline.errors import VoiceError
from pipeline.store.artifacts import Store
from pipeline.stored_records import VOICE_VERSION, check_version, known
from pipeline.voices.recordings import read

BYTES_MAX = 10 << 20
"""Size of a recording."""
CONSENTS_MAX = 100
"""Most recordings of an owner."""
ID = re.compile(r"cons_[0-9a-f]{32}")
_FOLDER, _AUDIO = "voices/consents-recorded", ".audio"


@dataclass(frozen=True, slots=True)
class Consent:
    """A recorded consent."""

    id: str
    name: str
    language: str
    """BCP 47 tag of the language that is spoken."""
    created_s: float
    """Seconds since the epoch."""
    sha256: str
    """Hash of the recording."""


class Consents:
    """Recorded consents of one owner in a store."""

    def __init__(self, store: Store, owner: str) -> None:
        self.store, self._folder = store, f"{_FOLDER}/{owner}"

    def add(self, name: str, language: str, data: bytes) -> Consent:
        """Store a recording.

        Raises:
            VoiceError: it is no recording of speech, or the owner has too many.
        """
        if sum(1 for _ in self._listed()) >= CONSENTS_MAX:
            raise VoiceError("consent", f"there are {CONSENTS_MAX} recorded consents; delete some")
        read("consent", data)
        digest = hashlib.sha256(data).hexdigest()
        consent = Consent(f"cons_{uuid4().hex}", name, language, round(clock.now(), 3), digest)
        self.store.put(self._name(consent.id) + _AUDIO, data)
        self._write(consent)
        return consent

    def find(self, id: str) -> Consent | None:
        """Read a consent; None if the owner has none of this ID."""
        return self._read(self._name(id)) if ID.fullmatch(id) else None

    def rename(self, consent: Consent, name: str) -> Consent:
        renamed = replace(consent, name=name)
        self._write(renamed)
        return renamed

    def remove(self, consent: Consent) -> None:
        """Delete a consent with its recording; voices that were registered with it keep its hash."""
        for name in (self._name(consent.id), self._name(consent.id) + _AUDIO):
            self.store.objects.delete(name)

    def newest(self) -> list[Consent]:
        """All consents, newest first."""
        found = (self._read(name) for name in self._listed())
        return sorted(filter(None, found), key=lambda each: (each.created_s, each.id), reverse=True)

    def recording(self, consent: Consent) -> bytes:
        """Bytes of a recording, as they were uploaded.

        Raises:
            MissingArtifactError: they are lost.
        """
        return self.store.need(self._name(consent.id) + _AUDIO)

    def _listed(self) -> Iterator[str]:
        names = (name for name, _, _ in self.store.objects.names(self._folder))
        return (name for name in names if not name.endswith(_AUDIO))

    def _write(self, consent: Consent) -> None:
        record = {"version": VOICE_VERSION, **asdict(consent)}
        self.store.overwrite(self._name(consent.id), canonical_json(record))

    def _read(self, name: str) -> Consent | None:
        found = self.store.get_json(name)
        if found is None:
            return None
        check_version(name, found, VOICE_VERSION)
        return known(Consent, found)

    def _name(self, id: str) -> str:
        return f"{self._folder}/{id}"
