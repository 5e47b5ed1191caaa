"""The console: who may reach it."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import OptionError
from tasks import flower
from tasks.settings import Settings
from tests.console.conftest import Console, free_port


def test_the_password_file_is_its_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    path = flower.password_file(Settings(state=tmp_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    user, _, password = path.read_text().partition(":")
    assert user == "voxchord"
    assert len(password) >= 24
    assert flower.password_file(Settings(state=tmp_path)).read_text() == f"{user}:{password}"
    chosen = Settings(state=tmp_path, flower_password="me:other")  # noqa: S106 - a test's own
    assert flower.password_file(chosen).read_text() == "me:other"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("word", ["word", "me:", ":word"])
def test_a_password_that_is_none_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(OptionError, match="user:password"):
        flower.password_file(Settings(state=tmp_path, flower_password=word))


@pytest.mark.parametrize(
    ("address", "extra", "reason"),
    [
        ("0.0.0.0", {}, "no password"),  # noqa: S104 - what is refused
        ("", {}, "no password"),
        ("::", {}, "no password"),
        ("127.0.0.1", {"FLOWER_UNAUTHENTICATED_API": "1"}, "anybody"),
        ("127.0.0.1", {"FLOWER_UNAUTHENTICATED_API": "1", "FLOWER_BASIC_AUTH": "me:word"}, "anybody"),
    ],
)
def test_flower_itself_does_not_start_where_others_could_get_in(
    console: Console, address: str, extra: dict[str, str], reason: str
) -> None:
    """However it is started: the configuration file refuses, not only our command."""
    command = flower.command(console.settings, free_port(), address=address)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")}
    env = {**clean, "VOXCHORD_BROKER_URL": console.broker, **extra}
    done = subprocess.run(
        command,
        cwd=flower.CONFIG.parent.parent,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert reason in done.stderr


def test_our_command_never_opens_the_api(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    assert "FLOWER_UNAUTHENTICATED_API" not in flower.environment(console.settings)
    assert console.credentials not in " ".join(flower.command(console.settings, 5555))
