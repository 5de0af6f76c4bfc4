"""The bytes of files of statements: what is kept of them when they come in, and when they are deleted.

A picture is drawn anew, a document written anew: only what they show is kept. A document in which a machine finds
personal numbers is refused, with the page. No machine reads what a picture shows, also not that of a scanned page.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from fastapi import Request, Response

from services.kernel import masking
from services.kernel.core.problems import Malformed, NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.streams import Streamed
from services.kernel.store.views import Row
from services.kernel.uploads import apart, documents, pictures, sweeping
from services.kernel.uploads.blobs import Blob, Blobs
from services.kernel.uploads.pictures import Area
from services.kernel.uploads.taking import Sent, parts, received, stored
from services.publish.attaching import queries

FOLDER = "attachments"
FIELDS = ("title", "persons")


class Upload(NamedTuple):
    """A stored file, with what its sender said of it."""

    blob: Blob
    media_type: str
    pages: int | None
    fields: dict[str, str]


def blobs_of(runtime: Runtime) -> Blobs:
    """The files of a deployment."""
    return Blobs(runtime.settings.data / FOLDER)


async def take(request: Request, runtime: Runtime) -> Upload:
    """Stores the file of a form. Raises `TooLarge`, `UnsupportedMedia` or `Malformed`; then nothing was stored."""
    settings, pages = runtime.settings, list[str]()
    limits = dict.fromkeys((documents.TYPE, *pictures.TYPES), settings.attachment_limit)
    async with received(request, "a file of a statement", limits, FIELDS) as sent:
        if sent.fields is None:
            raise Malformed(
                "send the file as a form (multipart/form-data) with file, title and, of a picture, persons",
                code="form-needed",
            )
        kept = partial(_kept, runtime, pages)
        blob = await stored(sent, blobs_of(runtime), kept, apart.THREADS)
        return Upload(blob, sent.media_type, len(pages) or None, dict(sent.fields))


def _kept(runtime: Runtime, pages: list[str], sent: Sent) -> Iterable[bytes]:
    settings = runtime.settings
    if sent.media_type != documents.TYPE:
        with pictures.redrawn(sent.file, sent.media_type, settings.evidence_pixels) as new:
            yield from parts(new)
        return
    with documents.rewritten(sent.file, settings.attachment_pages) as document:
        pages += document.pages
        _must_be_impersonal(document, runtime.lists.telephones)
        yield from parts(document.file)


def _must_be_impersonal(document: documents.Document, listed: masking.Listed) -> None:
    for _, _, kind in (found for words in document.beside for found in masking.find(words, listed)):
        raise Malformed(
            "the outline of the document, a description or the address of a link in it holds a personal number "
            f"({masking.MARKERS[kind]}); nothing personal goes public, take it out",
            code="document-personal-outline",
            kind=masking.MARKERS[kind],
        )
    for number, text in enumerate(document.pages, 1):
        for _, _, kind in masking.find(text, listed):
            raise Malformed(
                f"page {number} holds a personal number ({masking.MARKERS[kind]}); nothing personal goes public, take "
                "it out of the document, also where something lies over it",
                code="document-personal-number",
                page=number,
                kind=masking.MARKERS[kind],
            )


async def covered(runtime: Runtime, file: str, media_type: str, areas: Iterable[Area]) -> Blob:
    """A new file: the picture with black areas. Raises `FileNotFoundError` if the bytes are missing."""
    with await asyncio.to_thread(blobs_of(runtime).path(file).open, "rb+") as source:
        drawn = partial(_drawn, runtime.settings.evidence_pixels, tuple(areas))
        return await stored(Sent(source, media_type, None, None), blobs_of(runtime), drawn, apart.THREADS)


def _drawn(pixels: int, areas: tuple[Area, ...], sent: Sent) -> Iterable[bytes]:
    with pictures.redrawn(sent.file, sent.media_type, pixels, areas) as new:
        yield from parts(new)


def missing(file: str) -> NotFound:
    """The bytes are not there: they were erased, or the folder was not restored."""
    return NotFound(
        f"{file} is not in the folder of attachments; restore that from its backup", code="file-missing", file=file
    )


async def is_kept(runtime: Runtime, row: Row) -> bool:
    """Whether the bytes of a file are there."""
    return await asyncio.to_thread(blobs_of(runtime).path(row["stored"]).exists)


async def sent(runtime: Runtime, row: Row, headers: Mapping[str, str]) -> Response:
    """The bytes of a file. Raises `NotFound` if they are missing."""
    try:
        source = await asyncio.to_thread(blobs_of(runtime).path(row["stored"]).open, "rb")
    except FileNotFoundError:
        raise missing(row["file"]) from None
    told = {**headers, "Content-Length": str(row["size"]), "X-Content-Type-Options": "nosniff"}
    return Streamed(parts(source), close=source.close, headers=told, media_type=row["media_type"])


async def sweep(runtime: Runtime) -> None:
    """Deletes what nothing needs, and files that were never finished."""
    await sweeping.sweep(blobs_of(runtime), runtime.database, queries.to_delete)


async def keep_swept(runtime: Runtime) -> None:
    """Sweeps from time to time, also after words were erased."""
    await sweeping.keep_swept(blobs_of(runtime), runtime.database, queries.to_delete)
