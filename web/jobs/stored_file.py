"""Response with a file of the store, whole or in part."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from pipeline.errors import MissingArtifactError
from tasks.flower.byte_ranges import ByteRange, wanted
from web.errors import ApiError
from web.service import Service

_BLOCK = 1 << 20


def stored_file(
    service: Service, request: Request, artifact: Mapping[str, Any], media_type: str, file_name: str
) -> Response:
    """Answer with an artifact of a manifest; honours `Range`, `If-Range` and `If-None-Match`.

    Raises:
        ApiError: 416, the range is outside the file.
    """
    etag = f'"{artifact["sha256"]}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    headers = request.headers
    part = wanted(artifact["bytes"], headers.get("range"), headers.get("if-range"), etag)
    if part is None:
        error = ApiError(416, "the range is outside the file", code="invalid_range").response()
        error.headers["Content-Range"] = f"bytes */{artifact['bytes']}"
        return error
    given = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Length": str(part.end - part.start),
        "Content-Disposition": f'attachment; filename="{file_name}"',
        **({"Content-Range": part.content_range} if part.partial else {}),
    }
    status = 206 if part.partial else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=given, media_type=media_type)
    body = _blocks(service, artifact["name"], part)
    return StreamingResponse(body, status, given, media_type)


async def _blocks(service: Service, name: str, part: ByteRange) -> AsyncIterator[bytes]:
    objects = service.jobs.store.objects
    for start in range(part.start, part.end, _BLOCK):
        end = min(start + _BLOCK, part.end)
        data = await service.away(objects.read_range, name, start, end)
        if data is None or len(data) != end - start:
            raise MissingArtifactError(name)
        yield data
