"""Column types that behave the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer
from sqlalchemy.types import TypeDecorator

BigId = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite assigns row numbers only to plain INTEGER keys."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC.

    SQLite silently drops the offset, so 12:00+02:00 would be read as 12:00. Times are converted to UTC when
    bound and are timezone-aware when read, on both databases.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> datetime | None:
        """Convert an aware datetime, or seconds since the epoch.

        Raises:
            ValueError: a datetime without an offset.
        """
        if value is None:
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)  # type: ignore[no-any-return]  # the value is a datetime by now

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
