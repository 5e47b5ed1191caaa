"""`/v1/audio/voice_consents`: recordings in which people consent to the use of their voices."""

from itertools import dropwhile, islice
from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from pipeline.voices.consents import BYTES_MAX, Consent, Consents
from web import errors
from web.access.clients import Client, ClientDep, owner_of
from web.errors import not_found
from web.service import Service, ServiceDep
from web.uploaded_file import read_upload

router = APIRouter(tags=["voices"], responses=errors.RESPONSES)
_PATH = "/v1/audio/voice_consents"
_NAME_MAX = 200
_LIMIT, _LIMIT_MAX = 20, 100
_LANGUAGE = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$"
Name = Annotated[str, Field(min_length=1, max_length=_NAME_MAX, pattern=r"\S")]


class VoiceConsent(BaseModel):
    """A recorded consent."""

    id: str
    object: Literal["audio.voice_consent"] = "audio.voice_consent"
    created_at: int
    language: str
    name: str


class VoiceConsentList(BaseModel):
    """A page of recorded consents."""

    object: Literal["list"] = "list"
    data: list[VoiceConsent]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool


class DeletedVoiceConsent(BaseModel):
    """A consent that was deleted."""

    id: str
    object: Literal["audio.voice_consent"] = "audio.voice_consent"
    deleted: bool = True


class UpdateVoiceConsent(BaseModel):
    """Another label for a consent."""

    model_config = ConfigDict(extra="forbid")

    name: Name


@router.post(_PATH, status_code=201)
async def create_voice_consent(
    service: ServiceDep,
    client: ClientDep,
    *,
    name: Annotated[Name, Form(description="A label.")],
    language: Annotated[str, Form(pattern=_LANGUAGE, description="BCP 47 tag of the language spoken.")],
    recording: Annotated[UploadFile, File(description="The person's consent, spoken; 1 s to 5 min.")],
) -> VoiceConsent:
    """Store a recording of a person's consent, which voices can name by its ID."""
    return await service.compute(_created, service, client, name, language, recording.file)


def _created(service: Service, client: Client, name: str, language: str, file: BinaryIO) -> VoiceConsent:
    data = read_upload(file, BYTES_MAX, "recording")
    return _shown(consents_of(service, client).add(name, language, data))


@router.get(_PATH)
async def list_voice_consents(
    service: ServiceDep,
    client: ClientDep,
    after: Annotated[str | None, Query(description="ID after which the list continues.")] = None,
    limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = _LIMIT,
) -> VoiceConsentList:
    """List the client's recorded consents, newest first."""
    return await service.away(_listed, service, client, after, limit)


def _listed(service: Service, client: Client, after: str | None, limit: int) -> VoiceConsentList:
    found = iter(consents_of(service, client).newest())
    if after is not None:
        found = islice(dropwhile(lambda each: each.id != after, found), 1, None)
    page = [_shown(each) for each in islice(found, limit)]
    ids = [each.id for each in page]
    more = next(found, None) is not None
    return VoiceConsentList(
        data=page, first_id=ids[0] if ids else None, last_id=ids[-1] if ids else None, has_more=more
    )


@router.get(_PATH + "/{consent}")
async def get_voice_consent(service: ServiceDep, client: ClientDep, consent: str) -> VoiceConsent:
    """Get a recorded consent."""
    return await service.away(lambda: _shown(consent_of(service, client, consent)))


@router.post(_PATH + "/{consent}")
async def update_voice_consent(
    service: ServiceDep, client: ClientDep, consent: str, request: UpdateVoiceConsent
) -> VoiceConsent:
    """Change the label of a recorded consent."""

    def renamed() -> VoiceConsent:
        found = consent_of(service, client, consent)
        return _shown(consents_of(service, client).rename(found, request.name))

    return await service.away(renamed)


@router.delete(_PATH + "/{consent}")
async def delete_voice_consent(service: ServiceDep, client: ClientDep, consent: str) -> DeletedVoiceConsent:
    """Delete a recorded consent. Voices that were registered with it remain, and keep its hash."""

    def removed() -> DeletedVoiceConsent:
        found = consent_of(service, client, consent)
        consents_of(service, client).remove(found)
        return DeletedVoiceConsent(id=found.id)

    return await service.away(removed)


def consents_of(service: Service, client: Client) -> Consents:
    """Recorded consents of a client."""
    return Consents(service.jobs.store, owner_of(client))


def consent_of(service: Service, client: Client, id: str) -> Consent:
    """A recorded consent of a client.

    Raises:
        ApiError: 404, the client has none of this ID.
    """
    found = consents_of(service, client).find(id)
    if found is None:
        raise not_found(f"voice consent {id[:64]!r}")
    return found


def _shown(consent: Consent) -> VoiceConsent:
    return VoiceConsent(
        id=consent.id, created_at=int(consent.created_s), language=consent.language, name=consent.name
    )
