"""Authentication of a request by its key."""

import hashlib
import hmac
import logging
import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError
from starlette.requests import HTTPConnection

from db import http_clients
from db.http_clients import HttpClient, Quota
from web.errors import ApiError
from web.service import Service, ServiceDep

log = logging.getLogger(__name__)

_bearer = HTTPBearer(auto_error=False, description="Key of a client: `python voxchord.py keys create NAME`.")
_REFRESH_S = 2.0
"""Longest time until a created or revoked key has its effect."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the service."""

    name: str = ""
    """Name of its key; empty if the service asks for none."""
    quota: Quota = field(default_factory=Quota)

    @property
    def namespace(self) -> str:
        """Prefix of everything that belongs to this client alone, as part of a hash."""
        return f"client:{self.name}"

    @property
    def labels(self) -> dict[str, str]:
        """Labels of its jobs in the history."""
        return {"client": self.name} if self.name else {}


def owner_of(client: Client) -> str:
    """Name of a client in the store, from a hash."""
    return hashlib.sha256(client.namespace.encode()).hexdigest()[:32]


def segment_options(service: Service, client: Client) -> dict[str, str]:
    """Option that gives a client segments of its own, where the settings say so."""
    shared = service.settings.http_shared_segments or not client.name
    return {} if shared else {"segment_owner": owner_of(client)}


class Keys:
    """Valid keys, read from the database every few seconds. If it does not answer, the last ones count."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._clients: list[HttpClient] | None = None
        self._read_s = 0.0

    async def client(self, key: str | None) -> Client | None:
        """Client with a key; None if there is none. Without any key in the database everybody is admitted.

        Raises:
            sqlalchemy.exc.DBAPIError: the database has never answered.
        """
        clients = await self._known()
        if not clients and self._service.loopback:
            return Client()
        if key is None:
            return None
        given = http_clients.hashed(key)
        for each in clients:
            if hmac.compare_digest(each.key_hash, given):
                return Client(each.name, each.quota)
        return None

    async def _known(self) -> list[HttpClient]:
        if self._clients is None or time.monotonic() - self._read_s > _REFRESH_S:
            try:
                self._clients = await self._service.away(self._valid)
            except DBAPIError:
                if self._clients is None:
                    raise
                log.warning("the database does not answer; the last known keys count")
            self._read_s = time.monotonic()
        return self._clients

    def _valid(self) -> list[HttpClient]:
        return [each for each in http_clients.clients(self._service.database) if each.revoked_at is None]


async def authenticated(
    service: ServiceDep, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Client:
    """Authenticate a request.

    Raises:
        ApiError: 401, the key is missing, unknown or revoked.
    """
    client = await service.resource(Keys).client(given.credentials if given else None)
    if client is None:
        what = "no key was given" if given is None else "the key is unknown or revoked"
        raise ApiError(401, f"{what}; send `Authorization: Bearer KEY`", code="invalid_api_key")
    return client


async def authenticated_by_headers(service: Service, connection: HTTPConnection) -> Client:
    """Authenticate a request before its body is read.

    Raises:
        ApiError: 401, as `authenticated` does.
    """
    return await authenticated(service, await _bearer(connection))


ClientDep = Annotated[Client, Depends(authenticated)]
