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
    """
    if not is_loopback(host):
        raise OptionError("host", f"{host or 'every interface'!r} is public, and there are no keys")
