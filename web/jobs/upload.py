"""Scripts and books that are uploaded as files."""

from typing import Annotated, BinaryIO

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from web.access.clients import ClientDep
from web.jobs.create import create
from web.jobs.paths import PATH, RESPONSES
from web.jobs.request import JobFields
from web.jobs.views import JobView
from web.scripts.source import Source, file_source, uploaded
from web.service import ServiceDep

router = APIRouter(tags=["jobs"], responses=RESPONSES)


@router.post(
    PATH + "/upload", status_code=201, responses={200: {"model": JobView, "description": "It exists"}}
)
async def upload_job(
    service: ServiceDep,
    client: ClientDep,
    response: Response,
    file: Annotated[UploadFile, File(description="A script in any form, or a book.")],
    request: Annotated[str, Form(description="The request of a job as JSON, without `input`.")] = "{}",
) -> JobView:
    """Create a job from a file: a script in any encoding, or a book."""
    wanted = _parsed(request)
    source = await service.compute(_read, file.file, wanted)
    return await create(service, client, wanted, source, response)


def _parsed(text: str) -> JobFields:
    """Parse the request beside a file."""
    try:
        return JobFields.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("request", *each["loc"])} for each in error.errors()]
        ) from None


def _read(file: BinaryIO, request: JobFields) -> Source:
    """Read a file as the task is given it.

    Raises:
        ApiError: it is empty or too large.
        ScriptError: it cannot be read.
        OptionError: an unknown encoding.
    """
    encoding = request.options.get("encoding")
    return file_source(uploaded(file), request.form, None if encoding is None else str(encoding))
