"""Exit codes, and the mapping of errors to messages on the terminal."""

import contextlib
import json
import sys
from collections.abc import Iterator
from enum import IntEnum
from typing import Annotated

import typer
from kombu.exceptions import OperationalError as BrokerAway
from redis.exceptions import ConnectionError as Gone
from redis.exceptions import TimeoutError as Silent
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError, OperationalError

from pipeline.errors import (
    CancelledError,
    DeadlineError,
    PipelineError,
    RetryableError,
    SegmentError,
    StoreError,
)
from tasks.local.embedded_broker import BrokerError
from tasks.local.service import ServiceError

out = Console()
err = Console(stderr=True)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Exit(IntEnum):
    """Exit codes of the commands."""

    OK = 0
    USAGE = 2
    BAD_INPUT = 3
    JOB_FAILED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class JobFailed(Exception):
    """A job that ended without a file; the text is the reason."""


class Unreachable(Exception):
    """A broker, store or database that does not answer."""


@contextlib.contextmanager
def reporting_errors() -> Iterator[None]:
    """Map expected errors to one line on standard error and an exit code."""
    try:
        yield
    except StoreError as error:  # within a job, store errors only pause it
        fail(str(error), Exit.UNREACHABLE)
    except (SegmentError, CancelledError, DeadlineError, RetryableError) as error:
        fail(str(error), Exit.JOB_FAILED)
    except PipelineError as error:
        fail(str(error), Exit.BAD_INPUT)
    except JobFailed as error:
        fail(str(error), Exit.JOB_FAILED)
    except (Unreachable, ServiceError, BrokerError) as error:
        fail(str(error), Exit.UNREACHABLE)
    except OperationalError:  # its message contains the statement
        fail("the history database does not answer", Exit.UNREACHABLE)
    except DBAPIError as error:
        fail(f"the history database is unusable: {type(error.orig).__name__}", Exit.UNREACHABLE)
    except (BrokerAway, Gone, Silent):
        fail("the broker does not answer", Exit.UNREACHABLE)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        fail(f"{named}{error.strerror or type(error).__name__}", Exit.UNREACHABLE)
    except KeyboardInterrupt:
        fail("interrupted", Exit.INTERRUPTED)


def fail(message: str, code: Exit) -> None:
    """Print an error and exit.

    Raises:
        typer.Exit: always.
    """
    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    """Print one JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
