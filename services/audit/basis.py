"""The basis of an answer: the size of the log, and both axes. Every answer of audit states it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.fields import instant
from services.audit import queries
from services.audit.log import growing
from services.audit.queries import Axes
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.core.units import Offices
from services.kernel.serving import paging
from services.kernel.serving.paging import At, Cursor, Limit, Number, must_be_known
from services.kernel.tlog import Refused

Size = Annotated[
    Number | None,
    Query(description="The number of events, in audit's order, on which the answer rests. By default all events."),
]
AsOf = Annotated[At | None, Query(description="Only what had happened by then.")]
KnownAt = Annotated[At | None, Query(description="Only what had been recorded by then.")]


@dataclass(frozen=True, slots=True)
class Basis:
    """The axes of a question, as they came."""

    as_of: datetime | None = None
    known_at: datetime | None = None
    log_size: int | None = None

    async def axes(self, connection: AsyncConnection) -> Axes:
        """The axes with the size of the log. Raises as `size_of` does."""
        return Axes(await size_of(connection, self.log_size), text_of(self.as_of), text_of(self.known_at))


@dataclass(frozen=True, slots=True)
class Page(Basis):
    """The axes of a list, and the page of it that is asked for. The cursor keeps the size of the log."""

    limit: int = 50
    place: int | None = None
    """The position of the last entry of the page before."""

    def next(self, last: int | None, axes: Axes) -> str | None:
        """The cursor after the last entry of this page; None if no page follows."""
        return None if last is None else paging.cursor_of(last, axes.size)


async def _basis(as_of: AsOf = None, known_at: KnownAt = None, log_size: Size = None) -> Basis:
    return Basis(as_of, known_at, log_size)


async def _page(
    as_of: AsOf = None, known_at: KnownAt = None, limit: Limit = 50, cursor: Cursor = None, log_size: Size = None
) -> Page:
    place, kept = paging.place_of(cursor, int, int) if cursor is not None else (None, None)
    must_agree(log_size, kept)
    return Page(as_of, known_at, log_size if kept is None else kept, limit, place)


OnAxes = Annotated[Basis, Depends(_basis)]
Paged = Annotated[Page, Depends(_page)]


def text_of(at: datetime | None) -> str | None:
    """An instant as audit stores it."""
    return None if at is None else instant(at)


def must_agree(asked: int | None, kept: int | None) -> None:
    """Raises `Malformed` if a cursor belongs to another `log_size` than the one in the request."""
    if kept is not None and asked not in (None, kept):
        raise Malformed(
            f"the cursor belongs to log_size {kept}, not {asked}",
            code="cursor-of-other-size",
            field="log_size",
            log_size=kept,
            asked=asked,
        )


async def size_of(connection: AsyncConnection, asked: int | None) -> int:
    """The size for the answer: the one in the request, or the newest.

    Raises `Malformed` for a size that the log never had, `Unavailable` for one that audit takes in again.
    """
    size, given = await queries.head(connection)
    if asked is None:
        return size
    if asked > given:
        raise Malformed(
            f"the log has {given} events, not {asked}",
            code="log-size-unknown",
            field="log_size",
            given=given,
            asked=asked,
        )
    if asked > size:
        raise _rebuilding(size, given)
    return asked


async def must_have_regained(connection: AsyncConnection, asked: int | None = None) -> None:
    """Raises `Unavailable` while audit, after a restore, lacks some of the first `asked` events, or of all."""
    size, given = await queries.head(connection)
    if size < (given if asked is None else asked):
        raise _rebuilding(size, max(given, asked or 0))


def _rebuilding(size: int, given: int) -> Unavailable:
    return Unavailable(
        f"audit is taking its earlier events in again: it has {size} of {given} events",
        5,
        code="audit-rebuilding",
        size=size,
        given=given,
    )


async def stated(connection: AsyncConnection, axes: Axes) -> dict[str, Any]:
    """The fields of `answers.Stated`."""
    complete = await queries.complete_until(connection, axes.size)
    basis = {"as_of": axes.as_of, "known_at": axes.known_at, "log_size": axes.size, "complete_until": complete}
    return {**basis, "root": await _root(connection, axes.size)}


def instant_of(basis: Mapping[str, Any]) -> str:
    """The instant at which an answer looks: what is overdue then is so whenever the same question is asked again."""
    return min(filter(None, (basis["as_of"], basis["known_at"], basis["complete_until"])), default="")


async def _root(connection: AsyncConnection, size: int) -> str | None:
    """The root as a checkpoint writes it. A damaged tree has none; readiness and the check tell of it."""
    try:
        return base64.b64encode(await growing.root(connection, size)).decode()
    except Refused:
        return None


async def must_stand_in_events(connection: AsyncConnection, offices: Offices, **given: str | None) -> None:
    """Raises `Malformed` for a code that neither exists now nor stands in any event.

    `given` are filters by name: `type`, `unit`, and `actor` or `post`.
    """
    types = {name.rpartition(".v")[0].removeprefix(catalogue.PREFIX) for name in catalogue.types()}
    posts = {f"{code}@{of}" for of, there in offices.posts.items() for code in there}
    columns = {
        "type": ("type", types),
        "unit": ("unit", offices.ever),
        "actor": ("actor", posts),
        "post": ("actor", posts),
    }
    for name, code in given.items():
        column, known = columns[name]
        if code is None or code in known or (name == "type" and code in catalogue.types()):
            continue
        if not await queries.stands_in_events(connection, column, code):
            must_be_known(name, code, known)


def types_of(name: str | None) -> tuple[str, ...] | None:
    """The full names for a filter: the name itself, or every version of a short name."""
    if name is None:
        return None
    if name.startswith(catalogue.PREFIX):
        return (name,)
    return tuple(full for full in catalogue.types() if full.rpartition(".v")[0] == catalogue.PREFIX + name)
