"""What is kept of a file that is sent with a report.

A text is masked and kept as UTF-8. A picture is drawn anew (`uploads.pictures`). Documents, sound and films (PDF, MP3,
MP4) stay unchanged, also with any data on their author and place.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from fastapi import Request

from services.kernel.core.problems import UnsupportedMedia
from services.kernel.masking import Listed, mask
from services.kernel.settings import Settings
from services.kernel.uploads import apart, contents, pictures
from services.kernel.uploads.blobs import Blob, Blobs
from services.kernel.uploads.contents import TEXT
from services.kernel.uploads.taking import Sent, parts, received, stored

MEDIA_TYPES = (*pictures.TYPES, "application/pdf", "audio/mpeg", "video/mp4", TEXT)


class Upload(NamedTuple):
    """A stored file, with the note about it."""

    blob: Blob
    media_type: str
    note: str | None


async def take(request: Request, note: str | None, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    """Stores the file of a request: the body itself with this note, or the one file of a form (`file`, and `note`).

    Raises `TooLarge`, `UnsupportedMedia` or `Malformed`; then nothing was stored.
    """
    async with received(request, "evidence", _limits(settings), ("note",)) as sent:
        return await keep(sent, note if sent.fields is None else sent.fields.get("note"), blobs, settings, listed)


async def keep(sent: Sent, note: str | None, blobs: Blobs, settings: Settings, listed: Listed) -> Upload:
    """Stores what is kept of a file. Raises as `take` does."""
    threads = apart.THREADS if sent.media_type in pictures.TYPES else None
    blob = await stored(sent, blobs, partial(_kept, settings.evidence_pixels, listed), threads)
    return Upload(blob, sent.media_type, note)


def _limits(settings: Settings) -> Mapping[str, int]:
    """The most bytes of a file of each type."""
    return {kind: settings.report_limit if kind == TEXT else settings.evidence_limit for kind in MEDIA_TYPES}


def _kept(pixels: int, listed: Listed, sent: Sent) -> Iterable[bytes]:
    """The stored content of a file."""
    if sent.media_type == TEXT:
        try:
            words = contents.text(sent.file.read(), sent.charset)
        except ValueError as error:
            raise UnsupportedMedia(str(error), code="not-plain-text") from None
        yield mask(words, listed).text.encode()
    elif sent.media_type in pictures.TYPES:
        with pictures.redrawn(sent.file, sent.media_type, pixels) as new:
            yield from parts(new)
    else:
        yield from parts(sent.file)
