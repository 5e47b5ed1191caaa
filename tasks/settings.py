"""Settings: environment variables `VOXCHORD_…`, read here and nowhere else."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipeline.errors import OptionError
from pipeline.script.parser import CHARACTERS_MAX

VERSION = "0.1.0"
PREFIX = "VOXCHORD_"
_MODELS = {
    "vibevoice-1.5b": "vibevoice/VibeVoice-1.5B-hf",
    "vibevoice-7b": "vibevoice/VibeVoice-7B-hf",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set: each field is `VOXCHORD_<NAME>`, the text behind it its documentation."""

    state: Path = field(
        default=Path(".voxchord"),
        metadata={"doc": "Folder for the embedded broker, the local store, the history and spools."},
    )
    broker_url: str = field(
        default="", metadata={"doc": "Broker (Redis protocol, Sentinels or AMQP). Empty: embedded."}
    )
    result_url: str = field(
        default="", metadata={"doc": "Result backend (Redis protocol). Empty: the broker."}
    )
    sentinel_master: str = field(
        default="mymaster", metadata={"doc": "What Sentinels (`sentinel://…;sentinel://…`) call the group."}
    )
    tls_ca: str = field(
        default="",
        metadata={"doc": "Certificates to trust at `rediss://` and `amqps://`: a file. Empty: the system's."},
    )
    store: str = field(default="", metadata={"doc": "Artifact store: a folder or any fsspec URL."})
    database_url: str = field(
        default="", metadata={"doc": "History (SQLAlchemy URL). Empty: SQLite in `state`."}
    )
    engine: str = field(default="hibari", metadata={"doc": "Engine where a job names none."})
    model: str = field(default="", metadata={"doc": "Model where a job names none (a name in `models`)."})
    models: Mapping[str, str] = field(
        default_factory=lambda: dict(_MODELS),
        metadata={"doc": "Checkpoints by name, `name=folder-or-hub-id,…`; a job can ask for no other."},
    )
    slots: int = field(
        default=0, metadata={"doc": "Segments that a device decodes at once. 0: as many as fit, 8 at most."}
    )
    engines: Mapping[str, str] = field(
        default_factory=dict,
        metadata={
            "doc": "More engines, `name=module:Class,…`: the operator's own; a message only names one."
        },
    )
    characters_max: int = field(default=CHARACTERS_MAX, metadata={"doc": "Longest script, in characters."})
    visibility_timeout_s: int = field(
        default=60, metadata={"doc": "After so long without a sign of life a worker's tasks go to others."}
    )
    reconcile_s: int = field(
        default=10, metadata={"doc": "How often standing jobs are looked for; 0 turns it off."}
    )
    stalled_s: int = field(
        default=75, metadata={"doc": "A job without progress for so long is sent what it lacks."}
    )
    attempts_max: int = field(
        default=3,
        metadata={"doc": "Attempts at a segment that fails for a passing reason or kills its worker."},
    )
    hung_s: int = field(
        default=600,
        metadata={"doc": "A process whose decode gives no sign of life for so long ends itself; 0: never."},
    )
    metering: bool = field(default=True, metadata={"doc": "Whether attempts are measured and recorded."})
    flower_password: str = field(
        default="", metadata={"doc": "Flower's `user:password`. Empty: one is made in `state`."}
    )
    metrics_port: int = field(
        default=0,
        metadata={"doc": "Port of a worker's figures for Prometheus, or one of the nine after it; 0: none."},
    )
    metrics_address: str = field(
        default="127.0.0.1",
        metadata={"doc": "Where a worker's figures are served; they ask for no password."},
    )
    log_level: str = field(default="WARNING", metadata={"doc": "Log level of workers."})

    @property
    def store_url(self) -> str:
        return self.store or str(self.state.absolute() / "store")

    @property
    def history_url(self) -> str:
        return self.database_url or f"sqlite:///{self.state.absolute() / 'history.db'}"

    @property
    def history_folder(self) -> Path:
        """Where rows of the history wait for the database, and running attempts are noted."""
        return self.state.absolute() / "history"

    def checkpoint(self, name: str | None) -> str | None:
        """Where the model of that name lies.

        Raises:
            OptionError: no such name.
        """
        if name is None:
            return None
        if name not in self.models:
            raise OptionError("model", f"{name!r} is unknown; there are {', '.join(sorted(self.models))}")
        return self.models[name]


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment.

    Raises:
        OptionError: a variable that doesn't exist or has a value that can't be read, by name.
    """
    known = {PREFIX + entry.name.upper(): entry for entry in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise OptionError(name, "is no setting of voxchord")
        entry = known[name]
        values[entry.name] = _read(name, value, getattr(Settings(), entry.name))
    found = Settings(**values)
    if found.broker_url.startswith(("amqp", "pyamqp")) and not found.result_url:
        raise OptionError("VOXCHORD_RESULT_URL", "has to name a Redis: an AMQP broker keeps no results")
    return found


def _read(name: str, value: str, default: Any) -> Any:
    """A variable's text as a value of the same kind as the default."""
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
        raise OptionError(name, f"{value!r} can't be read as {kind.__name__}") from None


def masked(url: str) -> str:
    """A URL without its password.

    >>> masked("redis://:secret@host:6379/0")
    'redis://:***@host:6379/0'
    """
    return re.sub(r"(://[^:/@]*:)[^@/]*@", r"\1***@", url)
