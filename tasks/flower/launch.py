"""Launch of Flower: its command line, its password, and the refusal of public access without one."""

import ipaddress
import os
import secrets
import sys
from pathlib import Path

from pipeline.errors import OptionError
from tasks.settings import Settings, child_environment

WITH_STARTER = "FLOWER_WITH_STARTER"
"""Environment variable of a Flower that ends with its parent; Flower itself does not read it."""
CONFIG = Path(__file__).parent.parent.parent / "deploy" / "flowerconfig.py"


def password_file(settings: Settings) -> Path:
    """Write `user:password`, configured or generated once, to a file of mode 0600; returns its path."""
    path = settings.state.absolute() / "flower.password"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = settings.flower_password
    if wanted and not all(wanted.partition(":")):
        raise OptionError("VOXCHORD_FLOWER_PASSWORD", "is not user:password")
    if wanted or not path.exists():
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w") as file:
            file.write(wanted or f"voxchord:{secrets.token_urlsafe(18)}")
    return path


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
    """Environment of Flower with the password, which only the same user can read."""
    without = ("FLOWER_UNAUTHENTICATED_API", WITH_STARTER)
    clean = {name: value for name, value in child_environment(settings).items() if name not in without}
    given = {WITH_STARTER: "1"} if with_starter else {}
    return {**clean, **given, "FLOWER_BASIC_AUTH": password_file(settings).read_text().strip()}


def refuse_openness(address: str, *, authenticated: bool, open_api: bool) -> None:
    """Refuse to start without a password where others could connect.

    Raises:
        OptionError: others could connect without a password.
    """
    if open_api:
        raise OptionError(
            "FLOWER_UNAUTHENTICATED_API", "allows anyone to send tasks; use the API with the password"
        )
    if not authenticated and not _is_loopback(address):
        raise OptionError("address", f"{address or 'every interface'!r} is public, and no password is set")


def _is_loopback(address: str) -> bool:
    """True for loopback addresses; an empty address means all interfaces.

    >>> [_is_loopback(address) for address in ("127.0.0.1", "::1", "localhost", "", "0.0.0.0", "10.0.0.7")]
    [True, True, True, False, False, False]
    """
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
