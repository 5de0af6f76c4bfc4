"""The basis of an answer: the size of the log, and both axes. Every answer of audit states it."""

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.fields import instant
from services.audit import queries
from services.audit.log import growing
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.core.units import Offices
from services.kernel.serving.paging import At, Number, must_be_known
from services.kernel.tlog import Refused

Size = Annotated[
    Number | None,
    Query(description="The number of events, in audit's order, on which the answer rests. By default all events."),
]
AsOf = Annotated[At | None, Query(description="Only what had happened by then.")]
KnownAt = Annotated[At | None, Query(description="Only what had been recorded by then.")]


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
        raise Unavailable(
            f"audit is taking its earlier events in again: it has {size} of {given} events",
            5,
            code="audit-rebuilding",
            size=size,
            given=given,
        )
    return asked


async def stated(
    connection: AsyncConnection, size: int, as_of: str | None = None, known_at: str | None = None
) -> dict[str, Any]:
    """The fields of `answers.Stated`."""
    complete = await queries.complete_until(connection, size)
    basis = {"as_of": as_of, "known_at": known_at, "log_size": size, "complete_until": complete}
    return {**basis, "root": await _root(connection, size)}


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
