"""Voices of a client: its own recordings, and those of the operator.

A client's recording has a name in the store that begins with a hash of the client, so that two clients may
have voices of one name, and neither can see, use or delete the other's.
"""

import hashlib
from collections.abc import Mapping

from pipeline.errors import VoiceError
from pipeline.voices.library import OWNED, Voices
from web.access.clients import Client


class ClientVoices:
    """Registered voices from the view of one client."""

    def __init__(self, voices: Voices, client: Client) -> None:
        self.voices, self.client = voices, client
        digest = hashlib.sha256(client.namespace.encode()).hexdigest()[:10]
        self._prefix = f"k{digest}." if client.name else ""

    def own(self, name: str) -> str:
        """Name in the store of a voice of this client."""
        return f"{self._prefix}{name}"

    def used(self, name: str) -> str:
        """Name in the store of the voice that a request names: the client's own, or the operator's.

        Raises:
            VoiceError: it is another client's.
        """
        if self._prefix and self.voices.find(self.own(name)) is not None:
            return self.own(name)
        if OWNED.fullmatch(name) and self.client.name:
            raise VoiceError(name, f"unknown; available: {', '.join(self.names()) or 'none'}")
        return name

    def all_used(self, voices: Mapping[str, str]) -> dict[str, str]:
        """Names in the store of the voices of a script, by speaker."""
        return {speaker: self.used(voice) for speaker, voice in voices.items()}

    def shown(self, name: str) -> str:
        """Name of a voice as the client knows it."""
        return name.removeprefix(self._prefix)

    def names(self) -> list[str]:
        """Names that the client can use, sorted."""
        found = self.voices.names()
        if not self._prefix:
            return found
        shared = {name for name in found if not OWNED.fullmatch(name)}
        own = {name.removeprefix(self._prefix) for name in found if name.startswith(self._prefix)}
        return sorted(shared | own)
