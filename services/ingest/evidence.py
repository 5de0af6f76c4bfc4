"""A file that is sent with a report: read within its limit, checked for what it is, written to the blob store.

The sender's file name is not kept. A text is masked like everything typed, and of a picture only what shows it is kept
(`pictures`). Documents, sound and films (PDF, MP3, MP4) stay as they are, with whatever they say of who made them and
where. Until it is known what of it is kept, a file lies where it has no name and is gone with the process.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator
from mmap import ACCESS_READ, mmap
from typing import IO, NamedTuple

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.ingest import pictures
from services.ingest.blobs import Blob, Blobs
from services.kernel.core.problems import Malformed, TooLarge, UnsupportedMedia
from services.kernel.core.texts import decoded
from services.kernel.masking import Listed, mask
from services.kernel.settings import Settings

PART = 65_536
HEAD = 16
"""Bytes that tell what a file is."""
FORM = 20_000
"""Bytes that a form may take beside its file."""
TEXT = "text/plain"
MEDIA_TYPES = (*pictures.TYPES, "application/pdf", "audio/mpeg", "video/mp4", TEXT)


class Upload(NamedTuple):
    """A file that was stored, and what was said about it."""

    blob: Blob
    media_type: str
    note: str | None


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


async def take(request: Request, note: str | None, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    """Stores the file of a request: the body itself with this note, or the one file of a form (`file`, and `note`).

    Raises `TooLarge`, `UnsupportedMedia` or `Malformed`; then nothing was stored.
    """
    kind = _media_type(request.headers.get("content-type"))
    if kind != "multipart/form-data":
        limit = _limit(kind, settings)
        with tempfile.TemporaryFile() as body:
            async for part in _limited(request, limit):
                body.write(part)
            return await _stored(body, kind, note, blobs, listed)
    stream = _limited(request, settings.evidence_limit, beside=FORM)
    # Read as Latin-1 every byte stays what it is; read as UTF-8, what is none would come out as something else.
    headers = Headers({"content-type": f"{request.headers['content-type']}; charset=latin-1"})
    try:
        form = await MultiPartParser(headers, stream, max_files=1, max_fields=1, max_part_size=FORM).parse()
    except MultiPartException:
        raise Malformed(
            "the form cannot be read; send it as multipart/form-data with its boundary", code="form-unreadable"
        ) from None
    try:
        file, typed = form.get("file"), form.get("note")
        for name in sorted(set(form) - {"file", "note"}):
            unknown = decoded(name.encode("latin-1"), "name")
            raise Malformed(
                f"{unknown} is not a field here; a form has file and note", code="field-unknown", field=unknown
            )
        if not isinstance(file, UploadFile):
            raise Malformed("the form has no file under the name file", code="field-missing", field="file")
        if isinstance(typed, UploadFile):
            raise Malformed("note is a text, not a file", code="field-unknown", field="note")
        if typed is not None:
            typed = decoded(typed.encode("latin-1"), "note")
        kind = _media_type(file.content_type)
        limit = _limit(kind, settings)
        if file.file.seek(0, os.SEEK_END) > limit:
            raise _too_large(limit)
        return await _stored(file.file, kind, typed, blobs, listed)
    finally:
        await form.close()


def _media_type(header: str | None) -> str:
    return (header or "").partition(";")[0].strip().lower()


def _limit(kind: str, settings: Settings) -> int:
    """Bytes that a file of this type may have."""
    if kind not in MEDIA_TYPES:
        raise UnsupportedMedia(
            f"evidence is one of {', '.join(MEDIA_TYPES)}, not {kind or 'without a Content-Type'}",
            known=list(MEDIA_TYPES),
            kind=kind,
        )
    return settings.report_limit if kind == TEXT else settings.evidence_limit


async def _limited(request: Request, limit: int, beside: int = 0) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit + beside:
            raise _too_large(limit)
        yield part


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the file has more than {limit} bytes", limit=limit)


async def _stored(file: IO[bytes], kind: str, note: str | None, blobs: Blobs, listed: Listed) -> Upload:
    """A thread that has begun goes to its end: where nobody waits for the file any more, it goes again."""
    storing = asyncio.ensure_future(asyncio.to_thread(_store, file, kind, note, blobs, listed))
    try:
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            blobs.delete([(await storing).blob.file])
        raise


def _store(file: IO[bytes], kind: str, note: str | None, blobs: Blobs, listed: Listed) -> Upload:
    file.seek(0)
    head = file.read(HEAD)
    if kind != TEXT and recognised(head) != kind:
        raise UnsupportedMedia(f"the file's first bytes are not those of {kind}", code="content-differs", kind=kind)
    writing = blobs.begin()
    try:
        for part in _kept(file, kind, listed):
            writing.write(part)
        return Upload(writing.keep(), kind, note)
    except BaseException:
        writing.drop()
        raise


def _kept(file: IO[bytes], kind: str, listed: Listed) -> Iterator[bytes]:
    """What is stored of a file."""
    file.seek(0)
    if kind == TEXT:
        yield _masked(file.read(), listed)
    elif kind in pictures.TYPES:
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            yield from pictures.cleaned(data, kind)
    else:
        while part := file.read(PART):
            yield part


def _masked(text: bytes, listed: Listed) -> bytes:
    try:
        words = text.decode()
    except UnicodeDecodeError as error:
        raise UnsupportedMedia(
            f"the file is no text in UTF-8: byte {error.start} is wrong", code="not-plain-text"
        ) from None
    if "\x00" in words or recognised(text[:HEAD]):
        raise UnsupportedMedia("the file is not a plain text", code="not-plain-text")
    return mask(words, listed).text.encode()
