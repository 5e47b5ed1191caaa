"""Scripts and books that are uploaded as files."""

from typing import Annotated, BinaryIO

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from pipeline.books.limits import BOOK_BYTES_MAX
from pipeline.books.reader import book_form, read_book
from pipeline.books.recital import lines_of
from pipeline.script.encoding import decode
from web.access.clients import ClientDep
from web.errors import ApiError
from web.jobs.create import create
from web.jobs.paths import PATH, RESPONSES
from web.jobs.request import JobFields, Source
from web.jobs.views import JobView
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
    data = file.read(BOOK_BYTES_MAX + 1)
    if len(data) > BOOK_BYTES_MAX:
        raise ApiError(413, f"more than {BOOK_BYTES_MAX:,} bytes", param="file", code="too_large")
    if not data:
        raise ApiError(400, "the file is empty", param="file")
    form = request.form
    if book_form(data, form) is not None:
        return Source(data, sum(map(len, lines_of(read_book(data, form)))))
    encoding = request.options.get("encoding")
    text = decode(data, None if encoding is None else str(encoding))
    return Source(text, len(text))
