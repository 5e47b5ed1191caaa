"""Starting Flower: its command, its password, and the refusal to listen in public without one."""

import os
import secrets
import sys
from pathlib import Path

from tasks.settings import Settings

CONFIG = Path(__file__).parent.parent / "deploy" / "flowerconfig.py"


def password_file(settings: Settings) -> Path:
    """`user:password` in a file of mode 0600, made with a random password if it isn't there."""
    path = settings.state.absolute() / "flower.password"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w") as file:
            file.write(settings.flower_password or f"voxchord:{secrets.token_urlsafe(18)}")
    return path


def command(port: int, address: str = "127.0.0.1") -> list[str]:
    """The command line; the password stays out of it, since anybody can list processes."""
    return [
        *(sys.executable, "-m", "celery", "-A", "tasks.app", "flower"),
        *(f"--conf={CONFIG}", f"--address={address}", f"--port={port}"),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """The password goes by the environment of the process, which is its user's alone."""
    clean = {name: value for name, value in os.environ.items() if name != "FLOWER_UNAUTHENTICATED_API"}
    return {**clean, "FLOWER_BASIC_AUTH": password_file(settings).read_text().strip()}
