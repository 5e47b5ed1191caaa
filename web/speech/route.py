"""`POST /v1/audio/speech`."""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing

import anyio
from fastapi import APIRouter, Response

from pipeline.planning.opening import LONG
from pipeline.streaming.encoders import MEDIA_TYPES
from web import errors
from web.access.admission import admitted, ended
from web.access.clients import ClientDep, segment_options
from web.access.voices import ClientVoices
from web.rendering import new_task, send_render, withdraw
from web.service import Service, ServiceDep
from web.speech.audio import AudioStream
from web.speech.request import SpeechRequest, Translation
from web.speech.response import StreamResponse, error_event, events
from web.speech.segments import accepted

router = APIRouter(tags=["speech"], responses=errors.RESPONSES)
_EVENTS = "text/event-stream"
_AUDIO = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/v1/audio/speech",
    response_class=Response,
    responses={
        200: {
            "description": "Audio as it is made, or events with `stream_format: sse`",
            "content": {**dict.fromkeys(MEDIA_TYPES.values(), _AUDIO), _EVENTS: {}},
        },
        409: {"model": errors.ErrorObject, "description": "The job was cancelled"},
    },
)
async def speech(request: SpeechRequest, service: ServiceDep, client: ClientDep) -> Response:
    """Speak a text; the response begins with the first finished segment."""
    translation = Translation(service.settings, service.engines)
    arguments = await service.away(translation.arguments, request, ClientVoices(service.voices, client))
    arguments["options"] |= segment_options(service, client)
    profile = translation.profile(arguments["options"])
    task = new_task()
    ahead = new_task() if request.voices is None and len(request.input) > LONG else None
    await admitted(service, client, task, len(request.input))
    try:
        await service.away(send_render, service, task, arguments, client.labels, ahead)
    except BaseException:
        await _shielded(ended(service, client, task))
        raise
    sse = request.stream_format == "sse"

    async def parts() -> AsyncGenerator[bytes, None]:
        try:
            plan = await accepted(service, task)
            stream = AudioStream(service, plan, profile, request.response_format)
            audio = stream.blocks(task)
            async with aclosing(events(audio, stream.usage) if sse else audio) as found:
                async for part in found:
                    yield part
        except BaseException:
            await _shielded(service.away(_withdraw, service, ahead, task))
            raise
        finally:
            await _shielded(ended(service, client, task))

    ignored = {"X-Ignored-Fields": ", ".join(request.ignored)} if request.ignored else {}
    return StreamResponse(
        parts,
        media_type=_EVENTS if sse else MEDIA_TYPES[request.response_format],
        headers={"X-Request-Id": task, **ignored},
        on_error=error_event if sse else None,
    )


def _withdraw(service: Service, ahead: str | None, task: str) -> None:
    """Withdraw a request and its opening, whose task exists only once a worker has accepted it."""
    if ahead is not None and service.jobs.intake.job_of(ahead) is not None:
        withdraw(service, ahead)
    withdraw(service, task)


async def _shielded(work: Awaitable[object]) -> None:
    """Finish work also while this task is being cancelled."""
    with anyio.CancelScope(shield=True):
        await work
