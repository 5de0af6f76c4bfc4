"""What a browser posts from a page: texts, and files that lie in temporary files until the request ends."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, NamedTuple
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException

from services.kernel.core.problems import Malformed, TooLarge, UnsupportedMedia
from services.kernel.core.texts import decoded
from services.kernel.serving.bodies import read_body
from services.kernel.uploads import multipart

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
FILES = 3
FIELDS = 10
TEXTS = 100_000
"""Bytes of a form besides its files."""


class Posted(NamedTuple):
    """The texts in order, and the files with the media types that the browser named."""

    fields: list[tuple[str, str]]
    files: list[tuple[IO[bytes], str]]


@asynccontextmanager
async def posted(request: Request, limit: int) -> AsyncIterator[Posted]:
    """The fields and files of a request. `limit` are the most bytes of all files together.

    Raises `TooLarge`, `UnsupportedMedia` or `Malformed`.
    """
    header = request.headers.get("content-type", "")
    kind = header.partition(";")[0].strip().lower()
    if kind == URLENCODED:
        body = await read_body(request, TEXTS)
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="latin-1", max_num_fields=FIELDS)
        except ValueError:
            raise _unreadable() from None
        yield Posted([_text(name, value) for name, value in pairs], [])
        return
    if kind != MULTIPART:
        raise UnsupportedMedia(
            f"send {MULTIPART} or {URLENCODED}, as the page does", known=[MULTIPART, URLENCODED], kind=kind[:60]
        )
    # Latin-1 keeps every byte as it is. UTF-8 would change bytes that are not UTF-8.
    headers = Headers({"content-type": f"{header}; charset=latin-1"})
    try:
        stream = _limited(request, limit)
        parser = multipart.Parser(headers, stream, max_files=FILES, max_fields=FIELDS, max_part_size=TEXTS)
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, LookupError):
        raise _unreadable() from None
    try:
        texts, files = [], list[tuple[IO[bytes], str]]()
        for name, value in form.multi_items():
            if isinstance(value, str):
                if name == "files" and not value:
                    continue  # some clients send the empty file of a form without a file's name
                texts.append(_text(name, value))
            elif name != "files":
                raise Malformed(f"{name[:60]!r} is no field for files", code="field-unknown", field=name[:60])
            elif value.filename or value.size:  # a browser sends an empty one where nobody chose a file
                files.append((value.file, _media_type(value)))
        yield Posted(texts, files)
    finally:
        await form.close()


def _text(name: str, value: str) -> tuple[str, str]:
    known = decoded(name.encode("latin-1"), "name")
    return known, decoded(value.encode("latin-1"), known)


def _media_type(file: UploadFile) -> str:
    return parse_options_header(file.content_type or "")[0].decode("latin-1").lower()


def _unreadable() -> Malformed:
    return Malformed("the form cannot be read; send it as the page does", code="form-unreadable")


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit + TEXTS:
            raise TooLarge(f"the files have more than {limit} bytes together", limit=limit)
        yield part
