"""`/v1/audio/voices`: the voices that a client can use, and its own recordings."""

from datetime import UTC, datetime
from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel

from pipeline.voices.consents import ID
from pipeline.voices.library import Voices, free_name
from tasks.flower.request_guard import VOICE_BYTES_MAX
from web import errors
from web.access.clients import Client, ClientDep
from web.access.voices import ClientVoices
from web.errors import ApiError, not_found
from web.routes.voice_consents import consents_of
from web.service import Service, ServiceDep
from web.speech.request import OPENAI_VOICES
from web.uploaded_file import read_upload

router = APIRouter(tags=["voices"], responses=errors.RESPONSES)
_PATH = "/v1/audio/voices"
_CONSENT_MAX = 2000


class Voice(BaseModel):
    """A voice."""

    id: str
    name: str
    kind: str
    """preset, variation, recording, or alias for OpenAI's name of a preset."""


class VoiceList(BaseModel):
    """Voices that a client can use."""

    voices: list[Voice]


class CreatedVoice(BaseModel):
    """A registered recording."""

    id: str
    name: str
    object: str = "audio.voice"
    type: Literal["audio_sample"] = "audio_sample"
    created_at: int
    notices: list[str]
    """Findings in the recording, such as silence that was cut off."""


class DeletedVoice(BaseModel):
    """A voice that was deleted."""

    id: str
    object: str = "audio.voice.deleted"
    deleted: bool = True


@router.get(_PATH)
async def list_voices(service: ServiceDep, client: ClientDep) -> VoiceList:
    """List presets, variations and recordings."""
    return await service.away(_listed, service, client)


def _listed(service: Service, client: Client) -> VoiceList:
    profile = service.engines.load(service.settings.engine).profile
    recordings = ClientVoices(service.voices, client).names()
    kinds = {
        "preset": profile.presets,
        "variation": profile.variations,
        "recording": recordings,
        "alias": OPENAI_VOICES if profile.presets else (),
    }
    found = {name: kind for kind, names in reversed(kinds.items()) for name in names}
    order = [name for names in kinds.values() for name in names]
    return VoiceList(voices=[Voice(id=n, name=n, kind=found[n]) for n in dict.fromkeys(order)])


@router.post(_PATH, status_code=201)
async def create_voice(
    service: ServiceDep,
    client: ClientDep,
    *,
    type: Annotated[Literal["audio_sample"], Form(description="No other kind exists.")] = "audio_sample",
    name: Annotated[str, Form(min_length=1, description="Letters, digits, space, `_`, `.` and `-`.")],
    audio_sample: Annotated[UploadFile, File(description="Recording of one person, 1 s to 5 min.")],
    consent: Annotated[
        str,
        Form(
            min_length=1,
            max_length=_CONSENT_MAX,
            description="The person's consent: the ID of a recorded one, or words; it is stored.",
        ),
    ],
) -> CreatedVoice:
    """Register a recording, in place of an earlier one of that name."""
    if not consent.strip():
        raise ApiError(400, "the consent of the recorded person is empty", param="consent")
    return await service.compute(_created, service, client, name, audio_sample.file, consent)


def _created(service: Service, client: Client, name: str, file: BinaryIO, consent: str) -> CreatedVoice:
    data = read_upload(file, VOICE_BYTES_MAX, "audio_sample")
    recorded = _recorded(service, client, consent)
    voices, now = service.voices, datetime.now(UTC)
    own = ClientVoices(voices, client).own(free_name(name, reserved=service.engines.presets()))
    voices.add(own, data)
    given = {"consent": consent, "client": client.name, "given_at": now.isoformat(timespec="seconds")}
    voices.record_consent(own, given | recorded)
    notices = list(voices.notices(own))
    return CreatedVoice(id=name, name=name, created_at=int(now.timestamp()), notices=notices)


def _recorded(service: Service, client: Client, consent: str) -> dict[str, str]:
    """Label, language and hash of a recorded consent; nothing for a consent in words.

    Raises:
        ApiError: 400, the client has no recorded consent of this ID.
    """
    if not ID.fullmatch(consent):
        return {}
    found = consents_of(service, client).find(consent)
    if found is None:
        raise ApiError(400, f"there is no voice consent {consent!r}", param="consent", code="invalid_consent")
    return {"name": found.name, "language": found.language, "sha256": found.sha256}


@router.delete(_PATH + "/{voice}")
async def delete_voice(service: ServiceDep, client: ClientDep, voice: str) -> DeletedVoice:
    """Delete an own recording; what was made with it stays."""
    if not await service.away(_removed, service.voices, client, voice):
        raise not_found(f"voice {voice[:64]!r}")
    return DeletedVoice(id=voice)


def _removed(voices: Voices, client: Client, name: str) -> bool:
    return voices.remove(ClientVoices(voices, client).own(name))
