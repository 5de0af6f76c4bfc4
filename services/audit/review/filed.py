"""The review as a part of a matter's sealed file. It holds no typed word: these stand apart, so they can be erased."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.titles import Language
from services.audit.basis import stated
from services.audit.queries import Axes
from services.audit.review import printing, reading
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime

PLACES: dict[Language, str] = {"zh": "data/review.zh.html", "en": "data/review.en.html"}
"""Language -> the file of the review in the archive."""


async def pages(runtime: Runtime, connection: AsyncConnection, incident: str, size: int) -> dict[str, bytes]:
    """Path -> page of the review in each language, from the first `size` positions; empty if there is none.

    Where words stand in the review, the page names their file in the archive.
    """
    found, basis = {}, await stated(connection, Axes(size))
    try:
        chinese = await reading.review(runtime, connection, incident, Axes(size), "zh")
    except NotFound:
        return {}
    for language, place in PLACES.items():
        is_it = language == chinese.names.language
        review = chinese if is_it else await reading.in_language(runtime, connection, chinese, language)
        apart = replace(review, read=lambda ref: f"words/{ref}.txt" if ref else None)
        found[place] = printing.html(reading.document(apart, language, basis)).encode()
    return found
