"""Drafts of packs: the text of a person that no service has yet. Comments stay as they were typed."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from services.console.store import DRAFTS
from services.kernel.store.database import Database

MOST = 20
"""Drafts of one person."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft, and what it is tried on."""

    id: str
    base: str
    """The version from which it began, `id@version`; empty if from nothing."""
    text: str
    cases: str | None
    """The cases, JSON; null until the person changes those of the policy folder."""
    facts: str
    changed_at: int


class Drafts:
    """The drafts of all people. Each person has their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, account: str) -> list[Draft]:
        """The drafts of a person, the last one that changed first."""
        chosen = select(DRAFTS).where(DRAFTS.c.account == account).order_by(DRAFTS.c.changed_at.desc(), DRAFTS.c.id)
        async with self._database.read() as connection:
            return [_draft(row) for row in (await connection.execute(chosen)).mappings()]

    async def find(self, account: str, id_: str) -> Draft | None:
        """A draft of this person."""
        return next((one for one in await self.of(account) if one.id == id_), None)

    async def begin(self, account: str, base: str, text: str, now: int) -> str | None:
        """The id of a new draft; None if the person has too many."""
        if len(await self.of(account)) >= MOST:
            return None
        row = {"id": str(uuid.uuid4()), "account": account, "base": base, "text": text, "facts": "", "changed_at": now}
        async with self._database.transaction() as connection:
            await connection.execute(insert(DRAFTS), [row])
        return str(row["id"])

    async def keep(self, account: str, id_: str, now: int, **parts: str | None) -> None:
        """Keeps what was typed: `text`, `cases` or `facts`."""
        mine = (DRAFTS.c.account == account, DRAFTS.c.id == id_)
        async with self._database.transaction() as connection:
            await connection.execute(update(DRAFTS).where(*mine).values(**parts, changed_at=now))

    async def drop(self, account: str, id_: str) -> None:
        """Throws a draft away."""
        mine = (DRAFTS.c.account == account, DRAFTS.c.id == id_)
        async with self._database.transaction() as connection:
            await connection.execute(delete(DRAFTS).where(*mine))


def _draft(row: Any) -> Draft:
    return Draft(**{name: row[name] for name in Draft.__slots__})
