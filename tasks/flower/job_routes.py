"""Flower routes for clients without access to the store, protected by Flower's password.

`PUT /voxchord/voices/NAME` registers a recording. `GET /voxchord/jobs/JOB` returns a job's state or manifest,
`…/audio` (with ranges) and `…/subtitles` its files, which are those named in the manifest.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from flower.views import BaseHandler
from tornado.web import HTTPError, url

from pipeline.errors import MissingArtifactError, VoiceError
from pipeline.file_formats import AUDIO_FORMATS, DEFAULT_SUBTITLE_FORMAT, SUBTITLE_FORMATS
from pipeline.jobs.jobs import Jobs
from pipeline.planning.request import JOB_ID
from pipeline.store.artifacts import Store
from pipeline.voices.library import Voices, free_name
from tasks.flower.byte_ranges import wanted
from tasks.flower.request_guard import VOICE_BYTES_MAX

JOB = rf"/voxchord/jobs/({JOB_ID})"
_BLOCK = 1 << 20


class Route(BaseHandler):  # type: ignore[misc]  # Flower has no types
    """Base of all routes: checks the password, returns errors as JSON, keeps the event loop free."""

    def prepare(self) -> None:
        if not self.current_user:
            raise HTTPError(401)

    async def away(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)

    def write_error(self, status_code: int, **details: Any) -> None:
        if status_code == 401:
            super().write_error(status_code, **details)
            return
        error = details.get("exc_info", (None, None))[1]
        reason = error.log_message if isinstance(error, HTTPError) and error.log_message else self._reason
        self.finish({"error": reason})


class StoreRoute(Route):
    def initialize(self, store_url: str) -> None:
        self.store_url = store_url

    @property
    def jobs(self) -> Jobs:
        return Jobs(Store(self.store_url))


class VoiceRoute(StoreRoute):
    def initialize(self, store_url: str, reserved: Callable[[], set[str]]) -> None:  # type: ignore[override]
        super().initialize(store_url)
        self.reserved = reserved

    async def put(self, name: str) -> None:
        """Register the audio file in the body; answers with its hash and what was found in it."""
        if self.application.options.read_only:
            raise HTTPError(403, "Flower is read-only")
        if len(self.request.body) > VOICE_BYTES_MAX:
            raise HTTPError(413, f"more than {VOICE_BYTES_MAX:,} bytes")
        try:
            digest, notices = await self.away(self._added, name)
        except VoiceError as error:
            raise HTTPError(422, str(error).replace("%", "%%")) from None
        self.set_status(201)
        self.write({"voice": name, "hash": digest, "notices": list(notices)})

    def _added(self, name: str) -> tuple[str, tuple[str, ...]]:
        voices = Voices(self.jobs.store)
        digest = voices.add(free_name(name, reserved=self.reserved()), self.request.body)
        return digest, voices.notices(name)


class JobRoute(StoreRoute):
    async def get(self, job: str) -> None:
        """Answer with the manifest, or with the progress or the error of the job."""
        self.write(await self.away(self._state, job))

    def _state(self, job: str) -> dict[str, Any]:
        plan = self.jobs.plans.get(job)
        if plan is None:
            refusal = self.jobs.intake.refusal(job)
            if refusal is None:
                raise HTTPError(404, "no such job")
            return {"job": job, "state": "failed", "error": str(refusal.error)}
        manifest = self.jobs.outcomes.manifest(job)
        if manifest is not None:
            return manifest
        failure = self.jobs.outcomes.failure(job)
        if failure is not None:
            return {"job": job, "state": "failed", "error": failure}
        missing = len(self.jobs.artifacts.missing(plan))
        return {"job": job, "state": "running", "segments": plan.segments, "missing": missing}

    def manifest(self, job: str) -> dict[str, Any]:
        """Read the manifest of a finished job.

        Raises:
            tornado.web.HTTPError: 404, the job does not exist or is not finished.
        """
        manifest = self.jobs.outcomes.manifest(job)
        if manifest is None:
            raise HTTPError(404, "no such job, or it is not finished")
        return manifest


class AudioRoute(JobRoute):
    etag: str | None = None
    """Entity tag of the file, once it is known."""

    async def head(self, job: str) -> None:
        await self._send(job, body=False)

    async def get(self, job: str) -> None:
        """Answer with the audio file, or the part selected by `Range`."""
        await self._send(job, body=True)

    async def _send(self, job: str, *, body: bool) -> None:
        manifest = await self.away(self.manifest, job)
        audio, file_format = manifest["audio"], manifest["file_format"]
        self.etag = f'"{audio["sha256"]}"'
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            return
        headers = self.request.headers
        part = wanted(audio["bytes"], headers.get("Range"), headers.get("If-Range"), self.etag)
        if part is None:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{audio['bytes']}")
            self.write({"error": "outside the file"})
            return
        start, end = part.start, part.end
        if part.partial:
            self.set_status(206)
            self.set_header("Content-Range", part.content_range)
        self.set_header("Content-Type", AUDIO_FORMATS[file_format].media_type)
        self.set_header("Content-Disposition", f'attachment; filename="{job}.{file_format}"')
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Content-Length", end - start)
        while body and start < end:
            until = min(start + _BLOCK, end)
            self.write(await self.away(self._part, audio["name"], start, until))
            await self.flush()
            start = until

    def compute_etag(self) -> str | None:
        return self.etag

    def _part(self, name: str, start: int, end: int) -> bytes:
        part = self.jobs.store.objects.read_range(name, start, end)
        if part is None or len(part) != end - start:
            raise MissingArtifactError(name)
        return part


class SubtitlesRoute(JobRoute):
    async def get(self, job: str) -> None:
        """Answer with the subtitles, `?format=srt` (default) or `vtt`."""
        kind = self.get_query_argument("format", DEFAULT_SUBTITLE_FORMAT)
        if kind not in SUBTITLE_FORMATS:
            raise HTTPError(400, f"unknown format; available: {', '.join(SUBTITLE_FORMATS)}")
        manifest = await self.away(self.manifest, job)
        data = await self.away(self.jobs.store.objects.read, manifest["subtitles"][kind]["name"])
        if data is None:
            raise HTTPError(404, "missing from the store")
        self.set_header("Content-Type", SUBTITLE_FORMATS[kind].media_type)
        self.write(data)

    def compute_etag(self) -> None:
        return None


def routes(store_url: str, reserved: Callable[[], set[str]]) -> list[Any]:
    """URL specifications, to be placed before Flower's.

    Args:
        reserved: returns the names that a voice cannot have.
    """
    given = {"store_url": store_url}
    pairs: list[tuple[str, type[StoreRoute]]] = [
        (JOB, JobRoute),
        (f"{JOB}/audio", AudioRoute),
        (f"{JOB}/subtitles", SubtitlesRoute),
    ]
    voices = url(r"/voxchord/voices/([^/]+)", VoiceRoute, {**given, "reserved": reserved})
    names = {AudioRoute: "voxchord-audio"}
    return [voices, *(url(pattern, handler, given, name=names.get(handler)) for pattern, handler in pairs)]
