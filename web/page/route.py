"""`GET /`: the page, and its files. They are public; what they ask of the API needs the client's key."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from web.errors import not_found

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    media_type: str
    etag: str


@cache
def _files() -> dict[str, _File]:
    found = {}
    for path in FOLDER.iterdir():
        data = path.read_bytes()
        tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        found[path.name] = _File(data, _TYPES[path.suffix], tag)
    return found


@router.get("/")
async def index(request: Request) -> Response:
    """Get the page."""
    return _response(request, INDEX)


@router.get("/page/{name}")
async def file(request: Request, name: str) -> Response:
    """Get a file of the page."""
    return _response(request, name)


def _response(request: Request, name: str) -> Response:
    found = _files().get(name)
    if found is None:
        raise not_found(f"the file {name[:64]!r}")
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "ETag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(None, 304, headers)
    return Response(found.data, 200, headers, found.media_type)
