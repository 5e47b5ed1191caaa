"""Launch of Flower: its command line, its password, and the refusal of public access without one."""

import os
import secrets
import sys
from pathlib import Path

from pipeline.errors import OptionError
from tasks.flower.request_guard import is_loopback
from tasks.settings import Settings, child_environment

WITH_STARTER = "FLOWER_WITH_STARTER"
"""Environment variable of a Flower that ends with its parent; Flower itself does not read it."""
PASSWORD_FILE = "FLOWER_PASSWORD_FILE"  # noqa: S105 - a name
"""Environment variable that names the file with the password. Flower would split its own one at commas."""
CONFIG = Path(__file__).parent.parent.parent / "deploy" / "flowerconfig.py"


def password_file(settings: Settings) -> Path:
    """Write `user:password`, configured or generated once, to a file of mode 0600; returns its path."""
    path = settings.state.absolute() / "flower.password"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = settings.flower_password
    if wanted and (not all(wanted.partition(":")) or not wanted.isprintable()):
        raise OptionError("VOXCHORD_FLOWER_PASSWORD", "is not user:password in printable characters")
    if wanted or not path.exists():
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(wanted or f"voxchord:{secrets.token_urlsafe(18)}")
    return path


def password(file: Path) -> str:
    """Read `user:password` from its file."""
    return file.read_text(encoding="utf-8").removesuffix("\n")


def command(
    settings: Settings,
    port: int,
    *,
    address: str = "127.0.0.1",
    url_prefix: str = "",
    read_only: bool = False,
) -> list[str]:
    """Command line of Flower, without the password, since all users can list processes.

    Flower saves its state once a minute and at its end.
    """
    return [
        *(sys.executable, "-m", "celery", "-A", "tasks.app", "flower"),
        *(f"--conf={CONFIG}", f"--address={address}", f"--port={port}"),
        *("--persistent=true", f"--db={settings.state.absolute() / 'flower.db'}"),
        "--state_save_interval=60000",
        *([f"--url_prefix={url_prefix.strip('/')}"] if url_prefix else []),
        *(["--read_only=true"] if read_only else []),
    ]


def environment(settings: Settings, *, with_starter: bool = False) -> dict[str, str]:
    """Environment of Flower with the file of the password, which only the same user can read."""
    without = ("FLOWER_UNAUTHENTICATED_API", "FLOWER_BASIC_AUTH", WITH_STARTER)
    clean = {name: value for name, value in child_environment(settings).items() if name not in without}
    given = {WITH_STARTER: "1"} if with_starter else {}
    return {**clean, **given, PASSWORD_FILE: str(password_file(settings))}


def refuse_openness(address: str, *, authenticated: bool, open_api: bool) -> None:
    """Refuse to start without a password where others could connect.

    Raises:
        OptionError: others could connect without a password.
    """
    if open_api:
        raise OptionError(
            "FLOWER_UNAUTHENTICATED_API", "allows anyone to send tasks; use the API with the password"
        )
    if not authenticated and not is_loopback(address):
        raise OptionError("address", f"{address or 'every interface'!r} is public, and no password is set")
