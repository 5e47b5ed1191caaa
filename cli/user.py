"""User of the command line, for the record of actions."""

import getpass
import socket

from pipeline.jobs.actions import Actor


def actor() -> Actor:
    """The user and host of this process."""
    return Actor(f"{_user()}@{socket.gethostname()}", "cli")


def _user() -> str:
    """Login name of the user; `unknown` if there is none, as in a container with any user ID."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return "unknown"
