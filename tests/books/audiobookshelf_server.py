"""Server of the routes of Audiobookshelf that uploads use, as strict as its source.

The rules follow advplyr/audiobookshelf: server/controllers/MiscController.js (handleUpload),
FileSystemController.js (checkPathExists) and LibraryController.js (findAll).
"""

import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

KEY = "abs-key-1234567890"


@dataclass
class AudiobookshelfServer:
    """A running server with two libraries, of books and of podcasts."""

    folder: Path
    """Folder of the library of books."""
    url: str = ""
    faults: list[int] = field(default_factory=list)
    """Statuses with which the next uploads are answered."""
    pause_s: float = 0.0
    """Pause after each part of a body that is read."""
    may_upload: bool = True
    page: str = ""
    """Page of a proxy in place of the answer about a book's directory."""
    listing: str = ""
    """Answer of another program in place of the list of libraries."""
    uploads: list[dict[str, str]] = field(default_factory=list)
    """Fields of the uploads that were accepted."""

    @property
    def libraries(self) -> list[dict[str, Any]]:
        def library(name: str, kind: str, path: Path) -> dict[str, Any]:
            folders = [{"id": f"fol_{name}", "fullPath": str(path), "libraryId": f"lib_{name}"}]
            return {"id": f"lib_{name}", "name": name, "folders": folders, "mediaType": kind}

        other = self.folder.with_name("podcasts")
        return [library("Books", "book", self.folder), library("Casts", "podcast", other)]

    async def list_libraries(self, request: Request) -> Response:
        if self.listing:
            return PlainTextResponse(self.listing)
        return _refusal(request) or JSONResponse({"libraries": self.libraries})

    async def path_exists(self, request: Request) -> Response:
        body = await request.json()
        refusal = _refusal(request)
        if refusal:
            return refusal
        if self.page:
            return PlainTextResponse(self.page)
        if not body.get("directory") or not body.get("folderPath"):
            return JSONResponse({"error": "Invalid request body"}, 400)
        if body["folderPath"] != str(self.folder):
            return Response(status_code=404)
        return JSONResponse({"exists": (self.folder / body["directory"]).exists()})

    async def upload(self, request: Request) -> Response:
        refusal = _refusal(request)
        if refusal:
            return refusal
        await self._read(request)
        if self.faults:
            return PlainTextResponse("a fault", self.faults.pop(0))
        async with request.form() as form:
            files = {name: each for name, each in form.items() if isinstance(each, UploadFile)}
            fields = {name: str(each) for name, each in form.items() if name not in files}
            refusal = self._upload_refusal(fields, files)
            if refusal is None:
                await self._put(fields, files)
                self.uploads.append(fields)
        return refusal or PlainTextResponse("OK")

    def _upload_refusal(self, fields: Mapping[str, str], files: Mapping[str, UploadFile]) -> Response | None:
        rules = (
            (self.may_upload, "Forbidden", 403),
            (bool(files), "Bad Request", 400),
            (all(fields.get(name) for name in ("library", "folder", "title")), "Invalid request body", 400),
            (fields.get("library") in [each["id"] for each in self.libraries], "Library not found", 404),
            (fields.get("folder") == "fol_Books", "Folder not found", 404),
        )
        return next((PlainTextResponse(text, status) for held, text, status in rules if not held), None)

    async def _put(self, fields: Mapping[str, str], files: Mapping[str, UploadFile]) -> None:
        assert list(files) == [str(number) for number in range(len(files))]
        parts = [fields.get(name, "") for name in ("author", "series", "title")]
        place = self.folder.joinpath(*filter(None, parts))
        assert place.is_relative_to(self.folder)
        place.mkdir(parents=True, exist_ok=True)
        for file in files.values():
            assert file.filename
            assert Path(file.filename).name == file.filename
            with (place / file.filename).open("wb") as target:
                await run_in_threadpool(shutil.copyfileobj, file.file, target)

    async def _read(self, request: Request) -> None:
        """Read the body, slowly if asked to, so that the form can be parsed from memory."""
        assert int(request.headers["content-length"]) > 0
        parts = []
        async for part in request.stream():
            parts.append(part)
            await run_in_threadpool(time.sleep, self.pause_s)
        request._body = b"".join(parts)


def _refusal(request: Request) -> Response | None:
    given = request.headers.get("authorization")
    return None if given == f"Bearer {KEY}" else PlainTextResponse("Unauthorized", 401)


@contextmanager
def running(folder: Path) -> Iterator[AudiobookshelfServer]:
    """Serve on a free port of loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    found = AudiobookshelfServer(folder)
    app = Starlette(
        routes=[
            Route("/api/libraries", found.list_libraries),
            Route("/api/filesystem/pathexists", found.path_exists, methods=["POST"]),
            Route("/api/upload", found.upload, methods=["POST"]),
        ]
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        found.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield found
        finally:
            server.should_exit = True
            thread.join(10)
