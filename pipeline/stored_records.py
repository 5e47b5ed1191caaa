"""Stored records: dataclasses as JSON with a version, readable by earlier and later releases.

A record may gain fields without a new version: a reader ignores fields that it does not know, and takes the
default of those that are missing. A higher version means that known fields have another meaning; a release
that does not know it leaves the record to one that does. Records of release 0.1.0 have no version.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import NewerRecordError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PLAN_VERSION = 1
"""Version of plans and of their pages."""
PLAN_VERSION_RATES = 2
"""Version of plans and pages with a rate: a release that does not know rates must not speak them."""
SEGMENT_VERSION = 1
"""Version of a segment's metadata."""
FAILURE_VERSION = 1
MANIFEST_VERSION = 1
REQUEST_VERSION = 1
"""Version of the record that names the job of a request."""
VOICE_VERSION = 1
"""Version of a recording's notices."""
TAKE_VERSION = 1
"""Version of the request of a take, and of the choice among takes."""
HTTP_JOB_VERSION = 1
"""Version of the record of a job over HTTP."""
ACTION_VERSION = 1
"""Version of an action on a job."""
BOOK_VERSION = 1
"""Version of the record of a job's book."""
READING_VERSION = 1
"""Version of the record of how a job's script was read."""
VERDICT_VERSION = 1
"""Version of a verdict on a take."""

Record = TypeVar("Record", bound="DataclassInstance")


@cache
def columns(kind: type["DataclassInstance"]) -> tuple[str, ...]:
    """Names of a dataclass' fields, in order."""
    return tuple(field.name for field in fields(kind))


def known(kind: type[Record], record: Mapping[str, Any]) -> Record:
    """Build a dataclass from a record, ignoring fields that it does not have.

    >>> from pipeline.planning.records import Span
    >>> known(Span, dict(start=0, samples=8, line=0, lines=1, text="", lufs=None, true_peak=0, mood="glad"))
    Span(start=0, samples=8, line=0, lines=1, text='', lufs=None, true_peak=0, words=())
    """
    return kind(**{name: record[name] for name in columns(kind) if name in record})


def row(value: "DataclassInstance") -> list[Any]:
    """Values of a dataclass' fields, in the order of `columns`."""
    return [getattr(value, name) for name in columns(type(value))]


def from_rows(kind: type[Record], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Record]:
    """Build dataclasses from rows, ignoring columns that they do not have.

    Args:
        names: the writer's columns.
    """
    return [known(kind, dict(zip(names, values, strict=True))) for values in rows]


def check_version(name: str, record: Mapping[str, Any], newest: int) -> None:
    """Check that this release can read a record; one without a version is the first form.

    Raises:
        NewerRecordError: a later release wrote it.
    """
    version = record.get("version", 1)
    if version > newest:
        raise NewerRecordError(name, version, newest)
