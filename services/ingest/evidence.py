"""What is kept of a file that is sent with a report.

A text is masked and kept as UTF-8. A picture is drawn anew (`uploads.pictures`), and so is each page of a document
(`uploads.documents`), with black over the boxes that came with it. Only then is anything stored: the original never is.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from fastapi import Request

from services.ingest import redaction
from services.ingest.redaction import Redaction
from services.kernel.core.problems import Malformed, UnsupportedMedia
from services.kernel.masking import Listed, mask
from services.kernel.settings import Settings
from services.kernel.uploads import apart, contents, documents, pictures
from services.kernel.uploads.blobs import Blob, Blobs
from services.kernel.uploads.contents import TEXT
from services.kernel.uploads.taking import Sent, parts, received, stored

DRAWN = (*pictures.READ, documents.TYPE)
"""The types over which boxes can be drawn."""
MEDIA_TYPES = (*DRAWN, "audio/mpeg", "video/mp4", TEXT)


class Upload(NamedTuple):
    """A stored file, with the note about it and the boxes that were drawn over it."""

    blob: Blob
    media_type: str
    note: str | None
    redactions: Sequence[Redaction] = ()


async def take(request: Request, note: str | None, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    """Stores the file of a request: the body itself with this note, or the one file of a form.

    A form has `file`, and perhaps `note` and `redactions`. Raises `TooLarge`, `UnsupportedMedia` or `Malformed`; then
    nothing was stored.
    """
    async with received(request, "evidence", limits(settings), ("note", "redactions")) as sent:
        told = sent.fields or {}
        boxes = redaction.read(told.get("redactions", ""))
        return await keep(sent, note if sent.fields is None else told.get("note"), blobs, settings, listed, boxes)


async def keep(
    sent: Sent,
    note: str | None,
    blobs: Blobs,
    settings: Settings,
    listed: Listed,
    redactions: Sequence[Redaction] = (),
    threads: Executor = apart.THREADS,
) -> Upload:
    """Stores what is kept of a file, with black over the boxes; it is drawn in `threads`. Raises as `take` does."""
    must_fit(sent.media_type, redactions)
    drawing = threads if sent.media_type in DRAWN else None
    blob = await stored(sent, blobs, partial(kept, settings, listed, redactions), drawing)
    return Upload(blob, pictures.READ.get(sent.media_type, sent.media_type), note, redactions)


def must_fit(media_type: str, redactions: Sequence[Redaction]) -> None:
    """Raises `Malformed` if files of this type have no such places."""
    if redactions and media_type not in DRAWN:
        raise Malformed(
            "only a picture or the pages of a PDF can be covered; send this file without redactions",
            code="redactions-elsewhere",
            field="redactions",
        )
    if media_type != documents.TYPE:
        for at, one in enumerate(redactions):
            if one.page != 1:
                raise Malformed(
                    "a picture has one page; leave page out",
                    code="redaction-page",
                    field=f"redactions.{at}.page",
                    count=1,
                )


@asynccontextmanager
async def previewed(request: Request, settings: Settings) -> AsyncIterator[tuple[Sent, Sequence[Redaction], int]]:
    """The picture or the document of a form that is only to be seen, its boxes, and the page. Raises as `take` does."""
    drawn = {kind: limit for kind, limit in limits(settings).items() if kind in DRAWN}
    async with received(request, "a picture to cover", drawn, ("redactions", "page")) as sent:
        told = sent.fields or {}
        boxes, page = redaction.read(told.get("redactions", "")), told.get("page", "1")
        must_fit(sent.media_type, boxes)
        if not (page.isascii() and page.isdecimal() and 0 < int(page[:6]) <= 10_000):
            raise Malformed("page: write the number of a page, from 1", code="redaction-page", field="page", count=1)
        yield sent, boxes, int(page[:6])


def preview(settings: Settings, redactions: Sequence[Redaction], page: int, sent: Sent) -> Iterable[bytes]:
    """The picture as it would be kept, or a page of the document as JPEG. It blocks: use `apart.THREADS`."""
    if sent.media_type != documents.TYPE:
        yield from kept(settings, None, redactions, sent)
        return
    boxes = [(one.page, one.box) for one in redactions]
    with documents.drawn(sent.file, settings.evidence_pages, boxes, page) as new:
        yield from parts(new.file)


def limits(settings: Settings) -> Mapping[str, int]:
    """The most bytes of a file of each type that is taken."""
    return {kind: settings.report_limit if kind == TEXT else settings.evidence_limit for kind in MEDIA_TYPES}


def kept(settings: Settings, listed: Listed | None, redactions: Sequence[Redaction], sent: Sent) -> Iterable[bytes]:
    """The stored content of a file."""
    if sent.media_type == TEXT:
        try:
            words = contents.text(sent.file.read(), sent.charset)
        except ValueError as error:
            raise UnsupportedMedia(str(error), code="not-plain-text") from None
        yield mask(words, listed or frozenset()).text.encode()
    elif sent.media_type == documents.TYPE:
        boxes = [(one.page, one.box) for one in redactions]
        with documents.drawn(sent.file, settings.evidence_pages, boxes) as new:
            yield from parts(new.file)
    elif sent.media_type in pictures.READ:
        boxed = [one.box for one in redactions]
        with pictures.redrawn(sent.file, sent.media_type, settings.evidence_pixels, boxed) as new:
            yield from parts(new)
    else:
        yield from parts(sent.file)
