"""Lists in pages: what a list is asked with, and the opaque cursor that says behind which row the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import Field

from services.kernel.core.problems import Malformed

R = TypeVar("R")
Limit = Annotated[int, Field(ge=1, le=500)]
Cursor = Annotated[str | None, Field(max_length=400)]
Narrow = Annotated[str | None, Field(max_length=150)]
"""What a list is narrowed to, where that is a code or an id."""


def cursor_of(*place: str | int) -> str:
    """The cursor behind a row, from what the list is ordered by."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str, *kinds: type[str] | type[int]) -> tuple[Any, ...]:
    """The inverse of `cursor_of`, for a place of these kinds; numbers count from 0. Raises `Malformed`."""
    try:
        place = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        place = None
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds) or not all(map(_fits, place)):
        raise Malformed(
            "take the cursor from `next` of the page before, as it is", code="cursor-invalid", field="cursor"
        )
    return tuple(place)


def _fits(part: str | int) -> bool:
    return "\x00" not in part if isinstance(part, str) else 0 <= part < 2**63


def page(rows: Sequence[R], limit: int, place: Callable[[R], Sequence[str | int]]) -> tuple[list[R], str | None]:
    """The rows of a page and the cursor of the next one, or None, from the rows of a query for `limit + 1`."""
    more = len(rows) > limit
    return list(rows[:limit]), cursor_of(*place(rows[limit - 1])) if more else None
