"""A file that is sent with a report: read within its limit, checked by its content, written to the blob store.

The sender's file name is not kept. A text is masked and kept as UTF-8. A picture is drawn anew (`pictures`). Documents,
sound and films (PDF, MP3, MP4) stay unchanged, also with any data on their author and place.

Until the service knows what to keep, the file has no name on disk and vanishes with the process.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator
from typing import IO, NamedTuple

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.ingest import contents, pictures
from services.ingest.blobs import Blob, Blobs
from services.ingest.contents import TEXT
from services.kernel.core.problems import Malformed, TooLarge, UnsupportedMedia
from services.kernel.core.texts import decoded
from services.kernel.masking import Listed, mask
from services.kernel.settings import Settings

PART = 65_536
FORM = 20_000
"""Bytes that a form may hold besides its file."""
MEDIA_TYPES = (*pictures.TYPES, "application/pdf", "audio/mpeg", "video/mp4", TEXT)


class Sent(NamedTuple):
    """A file as it came, with the sender's statements about it."""

    file: IO[bytes]
    media_type: str
    charset: str | None
    note: str | None


class Upload(NamedTuple):
    """A stored file, with the note about it."""

    blob: Blob
    media_type: str
    note: str | None


async def take(request: Request, note: str | None, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    """Stores the file of a request: the body itself with this note, or the one file of a form (`file`, and `note`).

    Raises `TooLarge`, `UnsupportedMedia` or `Malformed`; then nothing was stored.
    """
    kind, charset = _media_type(request.headers.get("content-type"))
    if kind != "multipart/form-data":
        limit = _limit(kind, settings)
        with tempfile.TemporaryFile() as body:
            async for part in _limited(request, limit):
                body.write(part)
            return await _stored(Sent(body, kind, charset, note), blobs, settings, listed)
    stream = _limited(request, settings.evidence_limit, beside=FORM)
    # Latin-1 keeps every byte as it is. UTF-8 would change bytes that are not UTF-8.
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
        kind, charset = _media_type(file.content_type)
        limit = _limit(kind, settings)
        if file.file.seek(0, os.SEEK_END) > limit:
            raise _too_large(limit)
        return await _stored(Sent(file.file, kind, charset, typed), blobs, settings, listed)
    finally:
        await form.close()


def _media_type(header: str | None) -> tuple[str, str | None]:
    """The type, and the charset if one is named."""
    kind, options = parse_options_header(header or "")
    charset = options.get(b"charset")
    return kind.decode("latin-1").lower(), charset.decode("latin-1") if charset else None


def _limit(kind: str, settings: Settings) -> int:
    """The most bytes of a file of this type."""
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


async def _stored(sent: Sent, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    """Runs to its end once begun. If nobody waits for the file any more, the file is deleted again."""
    threads = pictures.THREADS if sent.media_type in pictures.TYPES else None
    loop = asyncio.get_running_loop()
    storing = loop.run_in_executor(threads, _store, sent, blobs, settings, listed)
    try:
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            blobs.delete([(await storing).blob.file])
        raise


def _store(sent: Sent, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    if sent.file.seek(0, os.SEEK_END) == 0:
        raise Malformed("the file is empty; send it again, whole", code="file-empty", field="file")
    found, kind = contents.recognised(sent.file), sent.media_type
    if kind == TEXT and found is not None:
        raise UnsupportedMedia("the file is not a plain text", code="not-plain-text")
    if kind not in (TEXT, found):
        is_heif = found == contents.HEIF
        raise UnsupportedMedia(
            "the file is a HEIC or AVIF picture; send it as JPEG" if is_heif else f"the file's content is not {kind}",
            code="picture-heic" if is_heif else "content-differs",
            kind=kind,
        )
    writing = blobs.begin()
    try:
        for part in _kept(sent, settings.evidence_pixels, listed):
            writing.write(part)
        return Upload(writing.keep(), kind, sent.note)
    except BaseException:
        writing.drop()
        raise


def _kept(sent: Sent, pixels: int, listed: Listed) -> Iterator[bytes]:
    """The stored content of a file."""
    sent.file.seek(0)
    if sent.media_type == TEXT:
        try:
            words = contents.text(sent.file.read(), sent.charset)
        except ValueError as error:
            raise UnsupportedMedia(str(error), code="not-plain-text") from None
        yield mask(words, listed).text.encode()
    elif sent.media_type in pictures.TYPES:
        with pictures.redrawn(sent.file, sent.media_type, pixels) as new:
            yield from _parts(new)
    else:
        yield from _parts(sent.file)


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    while part := file.read(PART):
        yield part
