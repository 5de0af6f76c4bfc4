"""The addresses of posts: settings outside the log, encrypted at rest, and never shown again."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints
from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Post, instant
from schemas.titles import Language
from services.escalation.views import METADATA
from services.kernel.access.keys import Keys
from services.kernel.core.commands import Command, example
from services.kernel.core.uuid7 import uuid7
from services.kernel.store import sql

ADDRESSES = METADATA.tables["addresses"]
USE = "notice-address"


class SetAddress(
    Command, json_schema_extra=example(post="duty_officer@town-east", address="mailto://desk.example.gov.cn?to=duty")
):
    """Add an address to which notices for a post go. It is encrypted, and no answer shows it again."""

    post: Post
    """The post, such as `duty_officer@town-east`."""
    address: Annotated[str, StringConstraints(min_length=8, max_length=2_000, strip_whitespace=True)]
    """An address of Apprise with one recipient: `mailto://`, `mailtos://`, `json://`, `jsons://`, `wecombot://`,
    `dingtalk://` or `feishu://`."""
    language: Literal["zh", "en"] = "zh"
    """The language of its notices."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address of a post. `since` is when it was set; earlier notices never go there."""

    id: str
    post: str
    way: str
    language: Language
    since: str
    sealed: bytes

    def address(self, keys: Keys) -> str:
        """The address itself. Raises `ValueError` if it was sealed under another secret."""
        return keys.open(USE, self.sealed, self.id).decode()


async def add(connection: AsyncConnection, keys: Keys, asked: SetAddress, way: str, now: datetime) -> str:
    """Keeps an address. Returns the id of its place."""
    place = uuid7()
    row = {"place": place, "post": asked.post, "way": way, "language": asked.language, "since": instant(now)}
    sealed = keys.seal(USE, asked.address.encode(), place)
    await connection.execute(insert(ADDRESSES).values(**row, sealed=sealed))
    return place


async def same(connection: AsyncConnection, keys: Keys, asked: SetAddress) -> Place | None:
    """The place of the post that has this address and language already. It waits for others who set one."""
    await sql.lock(connection, sql.Hold("addresses", [asked.post]))
    mine = (ADDRESSES.c.post == asked.post, ADDRESSES.c.language == asked.language)
    for row in (await connection.execute(select(ADDRESSES).where(*mine).order_by(ADDRESSES.c.place))).mappings():
        # One that was sealed under another secret is another one.
        with suppress(ValueError):
            if (found := _place(row)).address(keys) == asked.address:
                return found
    return None


async def remove(connection: AsyncConnection, place: str) -> None:
    """Forgets an address."""
    await connection.execute(delete(ADDRESSES).where(ADDRESSES.c.place == place))


async def find(connection: AsyncConnection, place: str) -> Place | None:
    """The place with this id."""
    row = (await connection.execute(select(ADDRESSES).where(ADDRESSES.c.place == place))).mappings().first()
    return _place(row) if row else None


async def are_set(connection: AsyncConnection) -> bool:
    """Whether any post has an address."""
    return (await connection.execute(select(ADDRESSES.c.place).limit(1))).first() is not None


async def all_places(connection: AsyncConnection) -> list[Place]:
    """Every place, in the order of its making. A deployment has as many as its posts, a few hundred."""
    return [_place(row) for row in (await connection.execute(select(ADDRESSES).order_by(ADDRESSES.c.place))).mappings()]


def _place(row: RowMapping) -> Place:
    return Place(row["place"], row["post"], row["way"], row["language"], row["since"], row["sealed"])
