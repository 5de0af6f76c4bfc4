"""Lists in pages: the parameters of a list, and the opaque cursor that marks where the next page begins."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Query
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from schemas.fields import WrittenInstant
from schemas.problems import SHOWN
from services.kernel.core.problems import Malformed

_BLANK_OFFSET = re.compile(r"^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d\S*) (\d\d:?\d\d)$")
R = TypeVar("R")


def digits(value: Any) -> Any:
    """Refuses the other forms that pydantic takes for a number, such as `1_0`."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise PydanticCustomError("wrong-form", "send a whole number", {"wanted": "integer"})
    return value


def _with_plus(value: Any) -> Any:
    """A `+` that was not written as `%2B` has become a blank."""
    return _BLANK_OFFSET.sub(r"\1+\2", value) if isinstance(value, str) else value


Number = Annotated[int, Field(ge=0, le=10**18), BeforeValidator(digits)]
"""A number in a query."""
At = Annotated[WrittenInstant, BeforeValidator(_with_plus)]
"""An instant in a query, with its offset."""
Limit = Annotated[int, Field(ge=1, le=500), BeforeValidator(digits), Query(description="The most entries of a page.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next` of the page before, unchanged.")]
Narrow = Annotated[str | None, Field(max_length=150)]
"""A filter of a list that takes a code from a list; see `must_be_known`."""


def must_be_known(field: str, value: str | None, known: Iterable[str]) -> None:
    """Raises `Malformed`, with the existing codes, if a filter names an unknown one."""
    known = sorted(known)
    if value is not None and value not in known:
        more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
        there = f"there are {', '.join(known[:SHOWN])}{more}" if known else "there is none yet"
        raise Malformed(
            f"{field} {value[:100]!r} does not exist; {there}", code="not-in-list", field=field, known=known
        )


def must_be_a_time(field: str, begin: datetime | None, end: datetime | None) -> None:
    """Raises `Malformed` if a filter by time ends before it begins. `field` is the name of its end."""
    if begin is not None and end is not None and end < begin:
        raise Malformed(
            f"{field}: {end.isoformat()} is before {begin.isoformat()}, where the time begins; exchange them",
            code="ends-before-it-begins",
            field=field,
            begins=begin,
            ends=end,
        )


def cursor_of(*place: str | int) -> str:
    """The cursor after a row, from the columns by which the list is ordered."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str, *kinds: type[str] | type[int]) -> tuple[Any, ...]:
    """The inverse of `cursor_of`, for a place of these kinds. Numbers count from 0. Raises `Malformed`."""
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
    """The rows of a page and the cursor of the next one, or None. The query reads `limit + 1` rows."""
    more = len(rows) > limit
    return list(rows[:limit]), cursor_of(*place(rows[limit - 1])) if more else None
