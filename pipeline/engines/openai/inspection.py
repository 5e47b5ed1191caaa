"""Inspection of the speech server, for `doctor`."""

from dataclasses import dataclass

from pipeline.engines.openai.client import SpeechClient
from pipeline.engines.openai.server import SpeechServer
from pipeline.engines.openai.traffic import Traffic
from pipeline.errors import EngineError, RetryableError


@dataclass(frozen=True, slots=True)
class ServerReport:
    """Answer of a speech server, or the reason why it gives none."""

    problem: str = ""
    models: tuple[str, ...] | None = None
    """None if the server has no list."""
    voices: tuple[str, ...] | None = None
    """None if the server has no list."""

    def summary(self, server: SpeechServer) -> str:
        """Describe what the server has, and what of the settings it does not list."""
        lists = {"models": self.models, "voices": self.voices}
        shown = [f"{kind} {'not listed' if found is None else len(found)}" for kind, found in lists.items()]
        unlisted = [voice for voice in server.voices if voice not in (self.voices or server.voices)]
        if unlisted:
            shown.append(f"it does not list {', '.join(unlisted)}")
        if not server.voices:
            shown.append("no default voices: set VOXCHORD_OPENAI_VOICES")
        return "; ".join([f"{server.base} answers: {', '.join(shown[:2])}", *shown[2:]])


def inspect_server(server: SpeechServer) -> ServerReport:
    """Ask a server once for its models and voices."""
    client = SpeechClient(server, Traffic(1, 0), retrying=False)
    try:
        models, voices = client.models(), client.voices()
    except (EngineError, RetryableError) as error:
        return ServerReport(str(error))
    if models and server.model not in models:
        return ServerReport(f"speech server {server.authority} lists no model {server.model!r}")
    return ServerReport(
        models=None if models is None else tuple(models), voices=None if voices is None else tuple(voices)
    )
