"""Settings: environment variables `VOXCHORD_…`. No other module reads them."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.engines.openai.server import SpeechServer
from pipeline.engines.registry import Engines
from pipeline.errors import OptionError
from pipeline.jobs.outbox import EVENTS
from pipeline.script.parser import CHARACTERS_MAX
from pipeline.script.turns import HEADINGS

VERSION = "0.1.0"
PREFIX = "VOXCHORD_"
_SECRET_MIN = 16
_KINDS = {int: "a whole number", bool: "1 or 0", dict: "NAME=VALUE,…"}
_MODELS = {
    "vibevoice-1.5b": "vibevoice/VibeVoice-1.5B-hf",
    "vibevoice-7b": "vibevoice/VibeVoice-7B-hf",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. The field `name` is the variable `VOXCHORD_NAME`; `doc` is its documentation."""

    state: Path = field(
        default=Path(".voxchord"),
        metadata={"doc": "Folder of the embedded broker, the local store, the history and the spools."},
    )
    broker_url: str = field(
        default="",
        metadata={"doc": "Broker URL: Redis protocol, Sentinel or AMQP. Empty: the embedded broker."},
    )
    result_url: str = field(
        default="", metadata={"doc": "Result backend URL (Redis protocol). Empty: the broker."}
    )
    sentinel_master: str = field(
        default="mymaster",
        metadata={"doc": "Name of the master group behind Sentinel URLs (`sentinel://…;sentinel://…`)."},
    )
    tls_ca: str = field(
        default="",
        metadata={"doc": "CA certificates for `rediss://` and `amqps://`, a file. Empty: the system's."},
    )
    store: str = field(
        default="",
        metadata={"doc": "Artifact store: a folder or any fsspec URL. Empty: `store` in the state folder."},
    )
    database_url: str = field(
        default="", metadata={"doc": "History database (SQLAlchemy URL). Empty: SQLite in the state folder."}
    )
    engine: str = field(default="hibari", metadata={"doc": "Engine of jobs that name none."})
    model: str = field(
        default="", metadata={"doc": "Model of jobs that name none: a name from `VOXCHORD_MODELS`."}
    )
    lexicon: str = field(
        default="", metadata={"doc": "Lexicon of all jobs: a file in YAML or TOML, read for every request."}
    )
    headings: str = field(
        default="",
        metadata={
            "doc": "Headings of scripts and books whose jobs do not say: `spoken` or `silent`. Empty: spoken "
            "where there are no speakers."
        },
    )
    models: Mapping[str, str] = field(
        default_factory=lambda: dict(_MODELS),
        metadata={
            "doc": "Checkpoints by name, `name=folder-or-hub-id,…`, each alone or with an adapter as in "
            "`name=folder+lora:folder@0.8`. Jobs cannot name others."
        },
    )
    slots: int = field(
        default=0,
        metadata={
            "doc": "Segments decoded at once per device. 0: as many as fit, at most 64 on a GPU, 8 on a CPU."
        },
    )
    own_kernels: bool = field(
        default=True,
        metadata={
            "doc": "Use this project's kernels for VibeVoice (LLVM on CPU, Triton on CUDA). 0: torch's only."
        },
    )
    engines: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"doc": "Additional engines, `name=module:Class,…`. Messages can only name them."},
    )
    openai_url: str = field(
        default="",
        metadata={
            "doc": "Speech server of the engine `openai`: its base address with the version, as in "
            "`http://127.0.0.1:8880/v1`."
        },
    )
    openai_key: str = field(
        default="", repr=False, metadata={"doc": "Key of the speech server, sent as a bearer token."}
    )
    openai_model: str = field(
        default="tts-1",
        metadata={"doc": "Model of the speech server for jobs that name none from `VOXCHORD_MODELS`."},
    )
    openai_voices: str = field(
        default="",
        metadata={
            "doc": "Voices of the speech server that speakers get by default, `name,…`. Jobs may name others "
            "that the server lists."
        },
    )
    openai_languages: str = field(
        default="en", metadata={"doc": "Languages of the speech server, `en,…`; the first one is checked."}
    )
    openai_format: str = field(
        default="wav",
        metadata={"doc": "Format that the speech server is asked for: `wav`, `flac`, `mp3` or `pcm`."},
    )
    openai_pcm_rate_hz: int = field(
        default=24_000, metadata={"doc": "Sample rate of the speech server's raw PCM."}
    )
    openai_characters_max: int = field(
        default=4096, metadata={"doc": "Most characters of one request to the speech server."}
    )
    openai_requests_per_minute: int = field(
        default=0,
        metadata={"doc": "Most requests of a worker to the speech server in a minute. 0: any number."},
    )
    openai_timeout_s: int = field(
        default=300, metadata={"doc": "Longest time of one request to the speech server."}
    )
    recognizer: str = field(
        default="",
        metadata={
            "doc": "Speech recogniser of full verification: a folder with a Whisper model in CTranslate2's "
            "form, or a name that faster-whisper downloads. Empty: Whisper tiny.en from its wheel."
        },
    )
    recognizer_device: str = field(
        default="cpu",
        metadata={
            "doc": "Device of the recogniser: `cpu` (int8), or `cuda` (float16), where GPU workers verify."
        },
    )
    characters_max: int = field(
        default=CHARACTERS_MAX, metadata={"doc": "Maximum length of a script, in characters."}
    )
    visibility_timeout_s: int = field(
        default=60, metadata={"doc": "Seconds until a dead worker's unacknowledged tasks are redelivered."}
    )
    reconcile_s: int = field(
        default=10,
        metadata={"doc": "Seconds between two checks for jobs without progress. 0 turns them off."},
    )
    stalled_s: int = field(
        default=75,
        metadata={"doc": "Seconds without progress after which a job's missing tasks are sent again."},
    )
    device_wait_s: int = field(
        default=900,
        metadata={"doc": "Seconds after which a job fails whose `device` no worker serves."},
    )
    attempts_max: int = field(
        default=3,
        metadata={"doc": "Maximum attempts at a segment that fails temporarily or kills its worker."},
    )
    hung_s: int = field(
        default=600,
        metadata={
            "doc": "Seconds without a sign of life after which a decoding process ends itself. 0: never."
        },
    )
    metering: bool = field(default=True, metadata={"doc": "Measure and record every attempt."})
    flower_password: str = field(
        default="",
        metadata={"doc": "Flower's login, `user:password`. Empty: one is generated in the state folder."},
    )
    flower_hosts: str = field(
        default="",
        metadata={
            "doc": "Names under which a proxy may pass requests to a Flower on loopback, `name,…`. "
            "It answers to loopback names only otherwise."
        },
    )
    http_hosts: str = field(
        default="",
        metadata={
            "doc": "Names under which a proxy may pass requests to a `serve` on loopback, `name,…`. "
            "It answers to loopback names only otherwise."
        },
    )
    http_queue_max: int = field(
        default=200,
        metadata={"doc": "Requests in the intake queue above which `serve` answers 429 with Retry-After."},
    )
    http_shared_segments: bool = field(
        default=True,
        metadata={"doc": "Share equal segments among the clients of `serve`. `false`: each key has its own."},
    )
    metrics_port: int = field(
        default=0,
        metadata={"doc": "First of ten ports for Prometheus metrics; a worker takes a free one. 0: none."},
    )
    metrics_address: str = field(
        default="127.0.0.1",
        metadata={"doc": "Address of the metrics endpoint, which asks for no password."},
    )
    notify: str = field(
        default="",
        metadata={
            "doc": "Addresses of notifications about jobs, separated by spaces: `https://…` gets JSON by "
            "POST; any other Apprise URL needs the extra `notify`."
        },
    )
    notify_on: str = field(
        default="failed,finished,budget",
        metadata={"doc": "Events that are notified: `failed`, `finished`, `budget`."},
    )
    webhook_hosts: str = field(
        default="",
        metadata={
            "doc": "Hosts to which jobs may send webhooks, `hooks.example.com,*.example.org,10.0.0.5:80,…`. "
            "Names are reached by https at public addresses only."
        },
    )
    webhook_secret: str = field(
        default="",
        repr=False,
        metadata={
            "doc": "Secret from which the signing secrets of webhooks are derived, at least 16 characters."
        },
    )
    handover: str = field(
        default="",
        metadata={
            "doc": "Finished jobs that are handed over by themselves: `books` (books, and scripts "
            "with a title) or `all`. Empty: only those of the command `handover`."
        },
    )
    library: str = field(
        default="",
        metadata={
            "doc": "Folder that a player watches; finished books are put there as "
            "`Author/Series/Title/Title.m4b`."
        },
    )
    audiobookshelf_url: str = field(
        default="",
        metadata={"doc": "Audiobookshelf server that gets finished books, as in `http://127.0.0.1:13378`."},
    )
    audiobookshelf_key: str = field(
        default="",
        repr=False,
        metadata={"doc": "API key of an Audiobookshelf user who may upload."},
    )
    audiobookshelf_library: str = field(
        default="",
        metadata={"doc": "Library in Audiobookshelf, its name or ID. Empty: the only one of books."},
    )
    audiobookshelf_folder: str = field(
        default="",
        metadata={"doc": "Folder of that library, its path or ID. Empty: the first one."},
    )
    budget_s: int = field(
        default=0,
        metadata={"doc": "Seconds after which a running job is notified as over its budget. 0: never."},
    )
    log_level: str = field(default="WARNING", metadata={"doc": "Log level of workers."})

    @property
    def store_url(self) -> str:
        return self.store or str(self.state.absolute() / "store")

    @property
    def speech_server(self) -> SpeechServer:
        return SpeechServer(
            url=self.openai_url,
            key=self.openai_key,
            model=self.openai_model,
            voices=_names(self.openai_voices),
            languages=_names(self.openai_languages),
            format=self.openai_format,
            pcm_rate_hz=self.openai_pcm_rate_hz,
            characters_max=self.openai_characters_max,
            requests_per_minute=self.openai_requests_per_minute,
            timeout_s=self.openai_timeout_s,
        )

    @property
    def webhook_hosts_allowed(self) -> tuple[str, ...]:
        return _names(self.webhook_hosts)

    def registry(self) -> Engines:
        """Engines with their settings."""
        return Engines(self.engines, self.speech_server)

    @property
    def reading_defaults(self) -> Mapping[str, Any]:
        """Options of parsing of jobs that do not give them."""
        return {"headings": self.headings or None}

    @property
    def history_url(self) -> str:
        return self.database_url or f"sqlite:///{self.state.absolute() / 'history.db'}"

    @property
    def history_folder(self) -> Path:
        """Folder of the history's spool and of the flight recorders."""
        return self.state.absolute() / "history"

    @property
    def notify_urls(self) -> tuple[str, ...]:
        """Addresses of notifications."""
        return tuple(self.notify.split())

    @property
    def notify_events(self) -> tuple[str, ...]:
        """Events that are notified; none without an address."""
        return tuple(filter(None, self.notify_on.split(","))) if self.notify_urls else ()

    def checkpoint(self, name: str | None) -> str | None:
        """Folder or hub ID of a model, by its name in `models`.

        Raises:
            OptionError: unknown name.
        """
        if name is None:
            return None
        if name not in self.models:
            raise OptionError("model", f"unknown model {name!r}; available: {', '.join(sorted(self.models))}")
        return self.models[name]


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment.

    Raises:
        OptionError: an unknown variable, or a value of the wrong type; names the variable.
    """
    known = {PREFIX + entry.name.upper(): entry for entry in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise OptionError(name, "unknown setting")
        entry = known[name]
        values[entry.name] = _read(name, value, getattr(Settings(), entry.name))
    found = Settings(**values)
    if found.broker_url.startswith(("amqp", "pyamqp")) and not found.result_url:
        raise OptionError("VOXCHORD_RESULT_URL", "must be a Redis URL: an AMQP broker stores no results")
    if found.recognizer_device not in ("cpu", "cuda"):
        raise OptionError(
            "VOXCHORD_RECOGNIZER_DEVICE", f"{found.recognizer_device!r} is neither cpu nor cuda"
        )
    if found.headings not in ("", *HEADINGS):
        raise OptionError("VOXCHORD_HEADINGS", f"{found.headings!r} is neither spoken nor silent")
    unknown = set(found.notify_on.split(",")) - {"", *EVENTS}
    if unknown:
        raise OptionError("VOXCHORD_NOTIFY_ON", f"unknown event {min(unknown)!r}; known: {', '.join(EVENTS)}")
    _check_handover(found)
    found.speech_server.check()
    if found.webhook_hosts and len(found.webhook_secret) < _SECRET_MIN:
        raise OptionError("VOXCHORD_WEBHOOK_SECRET", f"needs at least {_SECRET_MIN} characters")
    return found


def _check_handover(found: Settings) -> None:
    """
    Raises:
        OptionError: a setting of the hand-over of books is wrong or missing.
    """
    if found.handover not in ("", "books", "all"):
        raise OptionError("VOXCHORD_HANDOVER", f"{found.handover!r} is neither books nor all")
    if found.handover and not (found.library or found.audiobookshelf_url):
        raise OptionError("VOXCHORD_HANDOVER", "needs VOXCHORD_LIBRARY or VOXCHORD_AUDIOBOOKSHELF_URL")
    if found.audiobookshelf_url and not _is_web_address(found.audiobookshelf_url):
        raise OptionError("VOXCHORD_AUDIOBOOKSHELF_URL", "is no http or https address")
    if found.audiobookshelf_url and not found.audiobookshelf_key:
        raise OptionError("VOXCHORD_AUDIOBOOKSHELF_KEY", "is missing; Audiobookshelf asks for one")
    if not found.audiobookshelf_key.isascii():
        raise OptionError("VOXCHORD_AUDIOBOOKSHELF_KEY", "has a character that is not ASCII; copy it again")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # such as a bracket without its other
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(","))))


def child_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment of a child process, from which `load` reads these settings in any working directory.

    >>> settings = Settings(state=Path("/data"), models={"a": "/b", "c": "d/e"}, slots=3)
    >>> child_environment(settings, {"PATH": "/bin", "VOXCHORD_SLOTS": "1", "VOXCHORD_ENGINE": "vibevoice"})
    {'PATH': '/bin', 'VOXCHORD_STATE': '/data', 'VOXCHORD_MODELS': 'a=/b,c=d/e', 'VOXCHORD_SLOTS': '3'}

    Args:
        environ: further variables to pass on; those of other settings are dropped.
    """
    rooted = replace(
        settings,
        state=settings.state.absolute(),
        store=_rooted(settings.store),
        library=_rooted(settings.library),
    )
    inherited = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    given = {entry.name: getattr(rooted, entry.name) for entry in fields(Settings)}
    changed = {name: value for name, value in given.items() if value != getattr(Settings(), name)}
    return {**inherited, **{PREFIX + name.upper(): _written(value) for name, value in changed.items()}}


def _rooted(place: str) -> str:
    """Folder or URL, with a relative folder made absolute."""
    return place if not place or "://" in place else str(Path(place).absolute())


def _written(value: Any) -> str:
    """Inverse of `_read`."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}={entry}" for name, entry in value.items())
    return str(value)


def _read(name: str, value: str, default: Any) -> Any:
    """Convert a variable's text to the type of the default."""
    kind = type(default)
    readers: dict[type, Callable[[str], Any]] = {
        int: int,
        bool: lambda text: {"1": True, "true": True, "0": False, "false": False}[text.lower()],
        dict: lambda text: dict(part.split("=", 1) for part in text.split(",") if part),
    }
    if isinstance(default, Path):
        return Path(value)
    try:
        return readers.get(kind, str)(value)
    except (ValueError, KeyError):
        raise OptionError(name, f"cannot read {value!r} as {_KINDS[kind]}") from None


def masked(url: str) -> str:
    """Mask the password of a URL.

    >>> masked("redis://:secret@host:6379/0")
    'redis://:***@host:6379/0'
    """
    return re.sub(r"(://[^:/@]*:)[^@/]*@", r"\1***@", url)
