"""Settings of the speech server that the engine asks, which come from the environment and no message."""

from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from pipeline.errors import EngineError, OptionError

FORMATS = ("wav", "flac", "mp3", "pcm")
"""Formats that the server can be asked for."""
TIMEOUT_MAX_S = 3600
_SETTING = "VOXCHORD_OPENAI_"


@dataclass(frozen=True, slots=True)
class SpeechServer:
    """A server of the `/v1/audio/speech` convention."""

    url: str = ""
    """Base address, with the version: `http://host:8880/v1`."""
    key: str = field(default="", repr=False)
    model: str = "tts-1"
    """Model of jobs that name none."""
    voices: tuple[str, ...] = ()
    """Voices that are known without asking; the first is the narrator's."""
    languages: tuple[str, ...] = ("en",)
    format: str = "wav"
    """Format that is asked for, one of `FORMATS`."""
    pcm_rate_hz: int = 24_000
    """Sample rate of raw PCM, which does not state it."""
    characters_max: int = 4096
    """Most characters of a request."""
    requests_per_minute: int = 0
    """Most requests that one process starts in a minute; 0 for any number."""
    timeout_s: float = 300.0
    """Longest time of a request."""
    busy_max_s: float = 600.0
    """Longest time that it may stay busy, and longest wait that it may ask for."""
    back_off_s: float = 1.0
    """Wait after a first failed request; it doubles with each further one."""

    def check(self) -> None:
        """Check everything but the presence of an address.

        Raises:
            OptionError: a setting that cannot be used; names the variable, and never the key.
        """
        if self.url:
            _check_address(self.url)
        if self.format not in FORMATS:
            raise OptionError(f"{_SETTING}FORMAT", f"unknown format; available: {', '.join(FORMATS)}")
        if not self.key.isascii() or any(letter.isspace() for letter in self.key):
            raise OptionError(f"{_SETTING}KEY", "has letters that a header cannot carry")
        if not self.languages:
            raise OptionError(f"{_SETTING}LANGUAGES", "names no language; the first one is checked")
        ranges = {
            "PCM_RATE_HZ": (self.pcm_rate_hz, 8_000, 192_000),
            "CHARACTERS_MAX": (self.characters_max, 100, 100_000),
            "REQUESTS_PER_MINUTE": (self.requests_per_minute, 0, 100_000),
            "TIMEOUT_S": (self.timeout_s, 1, TIMEOUT_MAX_S),
        }
        for name, (value, least, most) in ranges.items():
            if not least <= value <= most:
                raise OptionError(_SETTING + name, f"{value} is not between {least} and {most}")

    @property
    def base(self) -> str:
        """Base address without a slash at its end.

        Raises:
            EngineError: none is set.
        """
        if not self.url:
            raise EngineError(f"engine openai has no server; set {_SETTING}URL")
        return self.url.rstrip("/")

    @property
    def authority(self) -> str:
        """Host and port, the name of the server in errors."""
        return urlsplit(self.base).netloc

    @property
    def identity(self) -> str:
        """Everything about the server that shapes the sound, but for the model.

        >>> SpeechServer(url="http://host:8880/v1/").identity
        'http://host:8880/v1 wav 4096'
        """
        wire = f"pcm@{self.pcm_rate_hz}" if self.format == "pcm" else self.format
        return f"{self.base} {wire} {self.characters_max}"


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = _usable(parts)
    except ValueError:
        usable = False
    if not usable:
        raise OptionError(
            f"{_SETTING}URL",
            f"is not an http or https address such as http://127.0.0.1:8880/v1, without user, query and "
            f"fragment; a key goes into {_SETTING}KEY",
        )


def _usable(parts: SplitResult) -> bool:
    """True for an address without credentials or a query, which would become part of keys and errors."""
    named = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    return named and not ("@" in parts.netloc or parts.query or parts.fragment)
