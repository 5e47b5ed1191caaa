"""Reader of `docker-compose.yml`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service.get("command", [""])[0] == "python"
}
SECRETS = {
    "REDIS_PASSWORD": "brokerword",
    "POSTGRES_PASSWORD": "dataword",
    "VOXCHORD_FLOWER_PASSWORD": "me:word",
    "GRAFANA_PASSWORD": "lookingword",
    "GRAFANA_DATABASE_PASSWORD": "readingword",
}


def filled(text: str, given: Mapping[str, str]) -> str:
    """Expand `${NAME:-default}` and `${NAME:?why}` as Compose does, from the inside out."""
    pattern = re.compile(r"\$\{(\w+)(?::([-?])([^${}]*))?\}")
    while found := pattern.search(text):
        name, kind, rest = found.groups()
        if kind == "?" and not given.get(name):
            raise KeyError(name)
        text = (
            text[: found.start()] + (given.get(name) or (rest if kind == "-" else "")) + text[found.end() :]
        )
    return text


def environment(service: str, given: Mapping[str, str]) -> dict[str, str]:
    """Environment of a service; a name without a value is inherited."""
    wanted = COMPOSE["services"][service].get("environment", {}).items()
    return {name: filled(value, given) for name, value in wanted if value is not None}
