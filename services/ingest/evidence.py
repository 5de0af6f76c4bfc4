"""A file that is sent with a report: read within its limit, checked for what it is, written to the blob store.

The sender's file name is not kept. A text is masked like everything typed; pictures, sound and documents are kept as
they are, and are shown to nobody but the office.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.ingest.blobs import Blob, Blobs
from services.ingest.masking import mask
from services.kernel.problems import Malformed, TooLarge, UnsupportedMedia
from services.kernel.settings import Settings

PART = 65_536
HEAD = 16
"""Bytes that tell what a file is."""
FORM = 20_000
"""Bytes that a form may take beside its file."""
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "application/pdf", "audio/mpeg", "video/mp4", "text/plain")


class Upload(NamedTuple):
    """A file that was stored, and what was said about it."""

    blob: Blob
    media_type: str
    note: str | None


class _TooLong(MultiPartException):
    """Passes through the form parser, which closes its files on this kind alone."""


def recognised(head: bytes) -> str | None:
    """The media type that a file's first bytes show; None where they show none of those taken."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06):
        return "audio/mpeg"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return None


async def take(request: Request, blobs: Blobs, settings: Settings) -> Upload:
    """Stores the file of a request: the body itself, or the one file of a form (`file`, and optionally `note`).

    Raises `TooLarge`, `UnsupportedMedia` or `Malformed`; then nothing was stored.
    """
    kind = _media_type(request.headers.get("content-type"))
    if kind != "multipart/form-data":
        _check_declared(kind)
        return await _store(request.stream(), kind, request.query_params.get("note"), blobs, settings)
    stream = _limited(request, settings.evidence_limit + FORM, settings.evidence_limit)
    try:
        form = await MultiPartParser(request.headers, stream, max_files=1, max_fields=1, max_part_size=FORM).parse()
    except _TooLong as error:
        raise TooLarge(error.message) from None
    except MultiPartException as error:
        raise Malformed(f"the form cannot be read: {error.message}") from None
    try:
        file, note = form.get("file"), form.get("note")
        unknown = sorted(set(form) - {"file", "note"})
        if unknown:
            raise Malformed(f"{unknown[0]} is not a field here; a form has file and note", field=unknown[0])
        if not isinstance(file, UploadFile):
            raise Malformed("the form has no file under the name file", field="file")
        if isinstance(note, UploadFile):
            raise Malformed("note is a text, not a file", field="note")
        kind = _media_type(file.content_type)
        _check_declared(kind)
        return await _store(_parts(file), kind, note, blobs, settings)
    finally:
        await form.close()


def _media_type(header: str | None) -> str:
    return (header or "").partition(";")[0].strip().lower()


def _check_declared(kind: str) -> None:
    if kind not in MEDIA_TYPES:
        raise UnsupportedMedia(f"evidence is one of {', '.join(MEDIA_TYPES)}, not {kind or 'without a Content-Type'}")


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"the file has more than {limit} bytes")


def _check_head(head: bytes, kind: str) -> None:
    if recognised(head) != kind:
        raise UnsupportedMedia(f"the file's first bytes are not those of {kind}")


async def _limited(request: Request, limit: int, said: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _TooLong(f"the file has more than {said} bytes")
        yield part


async def _parts(file: UploadFile) -> AsyncIterator[bytes]:
    while part := await file.read(PART):
        yield part


async def _store(stream: AsyncIterator[bytes], kind: str, note: str | None, blobs: Blobs, settings: Settings) -> Upload:
    is_text = kind == "text/plain"
    limit = settings.report_limit if is_text else settings.evidence_limit
    writing = blobs.begin()
    try:
        head, size, held = b"", 0, []
        async for part in stream:
            size += len(part)
            _check_size(size, limit)
            head = (head + part)[:HEAD] if len(head) < HEAD else head
            if is_text:
                held.append(part)
            else:
                writing.write(part)
        if is_text:
            writing.write(await asyncio.to_thread(_masked, b"".join(held)))
        else:
            _check_head(head, kind)
        blob = await asyncio.to_thread(writing.keep)
    except BaseException:
        writing.drop()
        raise
    return Upload(blob, kind, note)


def _masked(text: bytes) -> bytes:
    try:
        words = text.decode()
    except UnicodeDecodeError as error:
        raise UnsupportedMedia(f"the file is no text in UTF-8: byte {error.start} is wrong") from None
    if "\x00" in words or recognised(text[:HEAD]):
        raise UnsupportedMedia("the file is not a plain text")
    return mask(words).text.encode()
