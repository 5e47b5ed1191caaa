"""`POST /v1/audio/speech`."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any

import anyio
from fastapi import APIRouter, Response

from pipeline.streaming.encoders import MEDIA_TYPES
from web import errors
from web.access.admission import admitted, ended
from web.access.clients import Client, ClientDep, segment_options
from web.access.voices import ClientVoices
from web.rendering import new_task, send_render, withdraw
from web.service import Service, ServiceDep
from web.speech.audio import AudioStream
from web.speech.opening import opening
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
    await admitted(service, client, task, len(request.input))
    try:
        ahead = await service.away(_send, service, client, task, request, arguments)
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
            for each in {ahead, task}:
                await _shielded(service.away(withdraw, service, each))
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


def _send(
    service: Service, client: Client, task: str, request: SpeechRequest, arguments: Mapping[str, Any]
) -> str:
    """Send a request, and before it the opening of a long text.

    Returns:
        The ID of the first task.
    """
    start = None if request.voices is not None else opening(request.input, request.first_segment_words)
    first = task if start is None else new_task()
    if start is not None:
        send_render(service, first, {**arguments, "script": start}, client.labels)
    send_render(service, task, arguments, client.labels)
    return first


async def _shielded(work: Awaitable[object]) -> None:
    """Finish work also while this task is being cancelled."""
    with anyio.CancelScope(shield=True):
        await work
