"""Takes the one file of a request within its limit, tells its type by its content, and stores what is kept of it.

The sender's file name is not kept.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import IO, NamedTuple

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException

from services.kernel.core.problems import Malformed, TooLarge, UnsupportedMedia
from services.kernel.core.texts import decoded
from services.kernel.uploads import contents, multipart
from services.kernel.uploads.blobs import Blob, Blobs
from services.kernel.uploads.contents import TEXT

PART = 65_536
FORM = 20_000
"""Bytes that a form may hold besides its file."""


class Sent(NamedTuple):
    """A file as it came. `fields` are the texts of its form; None if the body itself is the file."""

    file: IO[bytes]
    media_type: str
    charset: str | None
    fields: Mapping[str, str] | None


Kept = Callable[[Sent], Iterable[bytes]]
"""What is stored of a file. It runs in a thread and raises problems of the kernel."""


@asynccontextmanager
async def received(request: Request, what: str, limits: Mapping[str, int], named: Iterable[str]) -> AsyncIterator[Sent]:
    """The file of a request: the body itself, or the field `file` of a form that may have the `named` fields, too.

    `limits` are the most bytes of each media type that is taken, `what` the word for the file in sentences. Raises
    `TooLarge`, `UnsupportedMedia` or `Malformed`.
    """
    kind, charset = _media_type(request.headers.get("content-type"))
    if kind != "multipart/form-data":
        limit = _limit(kind, what, limits)
        with tempfile.TemporaryFile() as body:
            async for part in _limited(request, limit):
                body.write(part)
            yield Sent(body, kind, charset, None)
        return
    fields = frozenset(named)
    stream = _limited(request, max(limits.values()), beside=FORM)
    # Latin-1 keeps every byte as it is. UTF-8 would change bytes that are not UTF-8.
    headers = Headers({"content-type": f"{request.headers['content-type']}; charset=latin-1"})
    try:
        parser = multipart.Parser(headers, stream, max_files=1, max_fields=len(fields), max_part_size=FORM)
        form = await parser.parse()
    except MultiPartException:
        raise Malformed(
            "the form cannot be read; send it as multipart/form-data with its boundary", code="form-unreadable"
        ) from None
    try:
        file, texts = form.get("file"), dict[str, str]()
        for name in sorted(set(form) - {"file", *fields}):
            unknown, known = decoded(name.encode("latin-1"), "name"), " and ".join(["file", *sorted(fields)])
            raise Malformed(f"{unknown} is not a field here; a form has {known}", code="field-unknown", field=unknown)
        if not isinstance(file, UploadFile):
            raise Malformed("the form has no file under the name file", code="field-missing", field="file")
        for name in fields & set(form):
            typed = form[name]
            if isinstance(typed, UploadFile):
                raise Malformed(f"{name} is a text, not a file", code="field-unknown", field=name)
            texts[name] = decoded(typed.encode("latin-1"), name)
        kind, charset = _media_type(file.content_type)
        limit = _limit(kind, what, limits)
        if file.file.seek(0, os.SEEK_END) > limit:
            raise _too_large(limit)
        yield Sent(file.file, kind, charset, texts)
    finally:
        await form.close()


def _media_type(header: str | None) -> tuple[str, str | None]:
    """The type, and the charset if one is named."""
    kind, options = parse_options_header(header or "")
    charset = options.get(b"charset")
    named = kind.decode("latin-1").lower()
    return contents.HEIF if named in contents.HEIF_NAMES else named, charset.decode("latin-1") if charset else None


def _limit(kind: str, what: str, limits: Mapping[str, int]) -> int:
    """The most bytes of a file of this type."""
    if kind not in limits:
        raise UnsupportedMedia(
            f"{what} is one of {', '.join(limits)}, not {kind or 'without a Content-Type'}",
            known=list(limits),
            kind=kind,
        )
    return limits[kind]


async def _limited(request: Request, limit: int, beside: int = 0) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit + beside:
            raise _too_large(limit)
        yield part


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the file has more than {limit} bytes", limit=limit)


async def stored(sent: Sent, blobs: Blobs, kept: Kept, threads: Executor | None = None) -> Blob:
    """Stores what is kept of a file. Runs to its end once begun; if nobody waits any more, it deletes the file again.

    Raises `UnsupportedMedia` or `Malformed`; then nothing was stored.
    """
    loop = asyncio.get_running_loop()
    storing = loop.run_in_executor(threads, _store, sent, blobs, kept)
    try:
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            blobs.delete([(await storing).file])
        raise


async def looking(sent: Sent, kept: Kept, threads: Executor | None = None) -> bytes:
    """What would be kept of a file. Nothing is stored. Raises as `stored` does."""

    def look() -> bytes:
        _must_be_what_it_says(sent)
        return b"".join(kept(sent))

    return await asyncio.get_running_loop().run_in_executor(threads, look)


def _store(sent: Sent, blobs: Blobs, kept: Kept) -> Blob:
    _must_be_what_it_says(sent)
    writing = blobs.begin()
    try:
        for part in kept(sent):
            writing.write(part)
        return writing.keep()
    except BaseException:
        writing.drop()
        raise


def _must_be_what_it_says(sent: Sent) -> None:
    """Leaves the file at its start. Raises `UnsupportedMedia` or `Malformed`."""
    if sent.file.seek(0, os.SEEK_END) == 0:
        raise Malformed("the file is empty; send it again, whole", code="file-empty", field="file")
    found, kind = contents.recognised(sent.file), sent.media_type
    if found == contents.ARCHIVE:
        raise UnsupportedMedia(
            "the file is an archive or a document of an office program; send what is in it as pictures, PDF or plain "
            "text",
            code="archive-not-taken",
        )
    if kind == TEXT and found is not None:
        raise UnsupportedMedia("the file is not a plain text", code="not-plain-text")
    if kind not in (TEXT, found):
        is_heif = found == contents.HEIF
        raise UnsupportedMedia(
            "the file is a HEIC or AVIF picture; send it as JPEG" if is_heif else f"the file's content is not {kind}",
            code="picture-heic" if is_heif else "content-differs",
            kind=kind,
        )
    sent.file.seek(0)


def parts(file: IO[bytes]) -> Iterable[bytes]:
    """The rest of a file, part by part."""
    while part := file.read(PART):
        yield part
