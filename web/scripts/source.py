"""Scripts and books that requests name, as the task gets them."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from pipeline.books.limits import BOOK_BYTES_MAX
from pipeline.books.reader import book_form, read_book
from pipeline.books.recital import lines_of
from pipeline.script.encoding import decode
from pipeline.script.marks import PAUSE_MAX_MS
from web.access.clients import Client
from web.errors import ApiError
from web.numbers import Whole
from web.scripts.stored_books import ClientBooks
from web.service import Service
from web.uploaded_file import read_upload


class TurnInput(BaseModel):
    """One turn of a script in JSON."""

    model_config = ConfigDict(extra="forbid")

    speaker: str
    text: str
    pause_ms: Annotated[Whole, Field(ge=0, le=PAUSE_MAX_MS, description="Silence before it.")] | None = None
    begins_chapter: str | None = Field(
        None, max_length=200, description="Title of the chapter that begins with it."
    )


class GivenScript(BaseModel):
    """A script or an uploaded book."""

    input: (
        Annotated[
            str | Annotated[list[TurnInput], Field(min_length=1)],
            Field(min_length=1, description="Text, a script in any form, or its turns."),
        ]
        | None
    ) = None
    book: str | None = Field(None, max_length=64, description="ID of an uploaded book, in place of `input`.")
    form: str | None = Field(None, description="Form of the script; default: it is recognised.")


@dataclass(frozen=True, slots=True)
class Source:
    """A script as the task gets it."""

    script: str | bytes | list[dict[str, Any]]
    characters: int
    form: str | None = None
    """Form of a book; None where it is recognised."""

    @classmethod
    def of(cls, given: str | list[TurnInput]) -> "Source":
        if isinstance(given, str):
            return cls(given, len(given))
        turns = [turn.model_dump(exclude_none=True) for turn in given]
        return cls(turns, sum(len(turn.text) for turn in given))

    def digest(self) -> str:
        """Hash of the script."""
        return hashed(self.script) if not isinstance(self.script, bytes) else _sha256(self.script)


def hashed(content: Any) -> str:
    """Hash of JSON, also where text has unpaired surrogates, which the task refuses with their lines."""
    return _sha256(json.dumps(content, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def given_source(service: Service, client: Client, request: GivenScript) -> Source:
    """Script or book of a request.

    Raises:
        ApiError: 400, both or neither are given; 404, the client has no such book.
        ScriptError: the book cannot be read.
    """
    if request.input is not None and request.book is None:
        return Source.of(request.input)
    if request.book is None or request.input is not None:
        raise ApiError(400, "give either `input` or `book`", param="input", code="invalid_value")
    book = ClientBooks(service.jobs.store, client).find(request.book)
    return file_source(book.data, request.form or book.form)


def file_source(data: bytes, form: str | None, encoding: str | None = None) -> Source:
    """Content of a file, a script or a book, as the task gets it.

    Raises:
        ScriptError: it cannot be read.
        OptionError: an unknown encoding.
    """
    found = book_form(data, form)
    if found is not None:
        document = read_book(data, found, encoding=encoding)
        return Source(data, sum(map(len, lines_of(document))), found)
    text = decode(data, encoding)
    return Source(text, len(text))


def uploaded(file: BinaryIO) -> bytes:
    """Content of an uploaded file.

    Raises:
        ApiError: it is empty or too large.
    """
    data = read_upload(file, BOOK_BYTES_MAX, "file")
    if not data:
        raise ApiError(400, "the file is empty", param="file")
    return data
