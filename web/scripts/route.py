"""`/v1/audio/books`: upload a book once, to see its chapters, to check it and to make a job of it."""

from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, File, Path, UploadFile
from pydantic import BaseModel

from pipeline.books.chapter_list import ListedChapter, book_record
from pipeline.books.document import Document
from pipeline.books.reader import read_book
from web import errors
from web.access.admission import admitted, ended
from web.access.clients import Client, ClientDep
from web.rendering import new_task
from web.scripts.source import uploaded
from web.scripts.stored_books import ClientBooks, StoredBook, form_of
from web.service import Service, ServiceDep
from web.speech.request import Translation

router = APIRouter(tags=["books"], responses=errors.RESPONSES)
PATH = "/v1/audio/books"
BookId = Annotated[str, Path(description="ID of the book.", max_length=200)]


class Book(BaseModel):
    """An uploaded book; requests name it by `book`."""

    id: str
    object: Literal["audio.book"] = "audio.book"
    expires_at: int
    form: str
    title: str
    authors: list[str]
    series: str
    series_position: str
    language: str
    cover: bool
    chapters: list[ListedChapter]
    """Chapters, with `read` for those that are read by default, and minutes by the default model."""
    left_out: dict[str, int]
    """Number of the parts within chapters that are not spoken, by kind."""
    notices: list[str]


class DeletedBook(BaseModel):
    """A book that was deleted."""

    id: str
    object: Literal["audio.book.deleted"] = "audio.book.deleted"
    deleted: bool = True


@router.post(PATH, status_code=201)
async def upload_book(
    service: ServiceDep,
    client: ClientDep,
    file: Annotated[UploadFile, File(description="EPUB, DOCX, HTML, Markdown or plain text.")],
) -> Book:
    """Upload a book. It is stored for a day; jobs that were made of it do not need it any more."""
    task = new_task()
    await admitted(service, client, task, 0)
    try:
        return await service.compute(_stored, service, client, file.file)
    finally:
        await ended(service, client, task)


@router.get(PATH + "/{id}")
async def get_book(service: ServiceDep, client: ClientDep, id: BookId) -> Book:
    """Get an uploaded book: title, chapters, and what is left out."""
    return await service.compute(_found, service, client, id)


@router.delete(PATH + "/{id}")
async def delete_book(service: ServiceDep, client: ClientDep, id: BookId) -> DeletedBook:
    """Delete an uploaded book. Jobs that were made of it remain."""
    await service.away(ClientBooks(service.jobs.store, client).remove, id)
    return DeletedBook(id=id)


def _stored(service: Service, client: Client, file: BinaryIO) -> Book:
    """Store a file that can be read as a book."""
    data = uploaded(file)
    document = read_book(data, form_of(data))
    return _shown(service, ClientBooks(service.jobs.store, client).put(data), document)


def _found(service: Service, client: Client, name: str) -> Book:
    book = ClientBooks(service.jobs.store, client).find(name)
    return _shown(service, book, read_book(book.data, book.form))


def _shown(service: Service, book: StoredBook, document: Document) -> Book:
    profile = Translation(service.settings, service.engines).profile({})
    return Book(
        id=book.id,
        expires_at=int(book.expires_s),
        **book_record(document, None, profile.words_per_s),
    )
