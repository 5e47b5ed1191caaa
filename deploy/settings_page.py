"""Generator of docs/settings.md: `python -m deploy.settings_page` writes the page from `Settings`."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from tasks.settings import PREFIX, Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """\
# Settings

All settings are environment variables. Every process of a deployment reads the same ones at its start. An \
unknown `VOXCHORD_…` variable is refused by name.

This table is generated from `tasks/settings.py` by `python -m deploy.settings_page`.

| variable | default | meaning |
|---|---|---|
"""

_FOOT = """
`docker-compose.yml` passes them on from `.env`; copy [.env.example](../.env.example). Units of systemd read \
them from `deploy/systemd/environment.example`, Kubernetes from `deploy/kubernetes/config.yaml`.

## Variables of other programs

| variable | effect |
|---|---|
| `HF_HOME` | folder of downloaded checkpoints |
| `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3` | access to \
a store on S3 |
| `CUDA_VISIBLE_DEVICES` | devices of this process, as schedulers set it; `worker --gpu 0` takes \
the first |
| `OMP_NUM_THREADS` | set to 1 in prefork workers; else threads of PyTorch on the CPU |
| `ONEDNN_PRIMITIVE_CACHE_CAPACITY`, `LRU_CACHE_CAPACITY` | caps of oneDNN's caches, set unless you set them |
| `FLOWER_BROKER_API` | management API of RabbitMQ, for Flower's Broker page |
"""


def page() -> str:
    """Markdown of the whole page."""
    return _HEAD + "".join(_row(field) for field in fields(Settings)) + _FOOT


def _row(field: Field[Any]) -> str:
    default = _shown(field.default if field.default_factory is MISSING else field.default_factory())
    return f"| `{PREFIX}{field.name.upper()}` | {default} | {field.metadata['doc']} |\n"


def _shown(default: Any) -> str:
    """A default as it is written in the environment; nothing for an empty one."""
    if isinstance(default, Mapping):
        default = ",".join(f"{name}={value}" for name, value in default.items())
    if isinstance(default, bool):
        default = int(default)
    return f"`{default}`" if str(default) else ""


if __name__ == "__main__":
    PAGE.write_text(page())
