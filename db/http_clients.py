"""Clients of the HTTP service: their keys, of which only hashes are stored, and their quotas.

Quotas are counted in the database, so that they hold over all server processes and machines.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from db.database import writing
from db.schema import http_client, http_request

MINUTE_S, DAY_S = 60, 86_400
_KEY_BYTES = 32


class ClientError(Exception):
    """A client that cannot be created or revoked."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of a client; None is unlimited."""

    characters_per_day: int | None = None
    jobs_at_once: int | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class HttpClient:
    """A client."""

    name: str
    key_hash: str
    quota: Quota
    created_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OverQuota:
    """A request that exceeds a quota."""

    quota: str
    """Field of `Quota`."""
    limit: int
    retry_after_s: int


def hashed(key: str) -> str:
    """Hash of a key. Keys are 256 random bits, so a fast hash cannot be searched."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def create(engine: Engine, name: str, quota: Quota) -> str:
    """Create a client, or give a revoked one another key; returns the key, which is stored nowhere.

    Raises:
        ClientError: the client has a valid key.
    """
    key = f"vx-{secrets.token_urlsafe(_KEY_BYTES)}"
    row: dict[str, Any] = {
        "key_hash": hashed(key),
        "characters_per_day": quota.characters_per_day,
        "jobs_at_once": quota.jobs_at_once,
        "requests_per_minute": quota.requests_per_minute,
        "created_at": datetime.now(UTC),
        "revoked_at": None,
    }
    with writing(engine) as connection:
        found = connection.execute(select(http_client.c.revoked_at).where(http_client.c.name == name)).first()
        if found is None:
            connection.execute(insert(http_client).values(name=name, **row))
        elif found.revoked_at is None:
            raise ClientError(f"{name!r} has a key already; revoke it first")
        else:
            connection.execute(update(http_client).where(http_client.c.name == name).values(**row))
    return key


def revoke(engine: Engine, name: str) -> None:
    """Revoke a client's key.

    Raises:
        ClientError: there is no such client, or its key is revoked.
    """
    valid = (http_client.c.name == name) & http_client.c.revoked_at.is_(None)
    with writing(engine) as connection:
        done = connection.execute(update(http_client).where(valid).values(revoked_at=datetime.now(UTC)))
    if not done.rowcount:
        raise ClientError(f"there is no valid key of {name!r}")


def clients(engine: Engine) -> list[HttpClient]:
    """All clients, by name."""
    with engine.connect() as connection:
        rows = connection.execute(select(http_client).order_by(http_client.c.name)).all()
    return [
        HttpClient(
            row.name,
            row.key_hash,
            Quota(row.characters_per_day, row.jobs_at_once, row.requests_per_minute),
            row.created_at,
            row.revoked_at,
        )
        for row in rows
    ]


def admit(
    engine: Engine, client: str, quota: Quota, task: str, characters: int, *, now: float
) -> OverQuota | None:
    """Record a request unless it exceeds a quota; returns the quota that it exceeds.

    Requests of one client are judged one after another.
    """
    with writing(engine) as connection:
        own = select(http_client.c.name).where(http_client.c.name == client).with_for_update()
        connection.execute(own)
        over = _over(connection, client, quota, characters, int(now))
        if over is None:
            row = {"task_id": task, "client": client, "chars_in": characters, "requested_epoch": int(now)}
            connection.execute(insert(http_request).values(**row))
    return over


def _over(connection: Connection, client: str, quota: Quota, characters: int, now: int) -> OverQuota | None:
    of_client = http_request.c.client == client
    if quota.requests_per_minute is not None:
        recent = of_client & (http_request.c.requested_epoch > now - MINUTE_S)
        count, oldest = connection.execute(
            select(func.count(), func.min(http_request.c.requested_epoch)).where(recent)
        ).one()
        if count >= quota.requests_per_minute:
            return OverQuota("requests_per_minute", quota.requests_per_minute, _wait(oldest, MINUTE_S, now))
    if quota.characters_per_day is not None:
        today = of_client & (http_request.c.requested_epoch > now - DAY_S)
        used, oldest = connection.execute(
            select(func.sum(http_request.c.chars_in), func.min(http_request.c.requested_epoch)).where(today)
        ).one()
        if (used or 0) + characters > quota.characters_per_day:
            return OverQuota("characters_per_day", quota.characters_per_day, _wait(oldest, DAY_S, now))
    if quota.jobs_at_once is not None and len(_open(connection, client, now)) >= quota.jobs_at_once:
        return OverQuota("jobs_at_once", quota.jobs_at_once, 5)
    return None


def _wait(oldest: int | None, window_s: int, now: int) -> int:
    """Seconds until the oldest request leaves the window."""
    return max(1, (oldest or now) + window_s - now)


def _open(connection: Connection, client: str, now: int) -> list[str]:
    unended = http_request.c.ended_epoch.is_(None) & (http_request.c.requested_epoch > now - DAY_S)
    query = select(http_request.c.task_id).where((http_request.c.client == client) & unended)
    return list(connection.execute(query).scalars())


def unended(engine: Engine, client: str, *, now: float) -> list[str]:
    """Task IDs of a client's requests whose end is not recorded."""
    with engine.connect() as connection:
        return _open(connection, client, int(now))


def end(engine: Engine, task: str, *, now: float) -> None:
    """Record the end of a request."""
    with writing(engine) as connection:
        connection.execute(
            update(http_request).where(http_request.c.task_id == task).values(ended_epoch=int(now))
        )
