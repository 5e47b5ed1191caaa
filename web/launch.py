"""Launch of the server: its command line, and the refusal of public access without keys.

It imports neither FastAPI nor uvicorn, since every command of the command line imports it.
"""

import sys

from pipeline.errors import OptionError
from tasks.flower.request_guard import is_loopback
from tasks.settings import Settings, child_environment

PORT = 8600


def command(host: str, port: int, processes: int, *, with_starter: bool = False) -> list[str]:
    """Command line of the server."""
    return [
        *(sys.executable, "-m", "web.server"),
        *("--host", host, "--port", str(port), "--processes", str(processes)),
        *(["--with-starter"] if with_starter else []),
    ]


def environment(settings: Settings) -> dict[str, str]:
    """Environment of the server; threads of numeric libraries would only compete."""
    return {**child_environment(settings), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def refuse_openness(settings: Settings, host: str) -> None:
    """Refuse to start without keys where others could connect.

    Raises:
        OptionError: others could connect without a key.
        sqlalchemy.exc.OperationalError: the database is unreachable.
    """
    if is_loopback(host):
        return
    from db import http_clients
    from db.database import open_database

    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if all(
        client.revoked_at is not None for client in http_clients.clients(open_database(settings.history_url))
    ):
        advice = "create one with `python voxchord.py keys create NAME`"
        raise OptionError("host", f"{host or 'every interface'!r} is public, and there are no keys; {advice}")
