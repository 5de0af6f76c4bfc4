"""Sign-ins that a provider has not answered yet. Each one belongs to one browser, and serves once."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, insert

from services.console.access.sessions import digest
from services.console.store import HANDSHAKES
from services.kernel.store.database import Database

LIFE = 600
"""Seconds within which the provider must send the person back."""
LONGEST_NEXT = 500


@dataclass(frozen=True, slots=True)
class Handshake:
    """One sign-in at the provider."""

    state: str
    nonce: str
    verifier: str
    """The verifier of PKCE, which never leaves the console before the code comes."""
    next: str


class Handshakes:
    """The open sign-ins of all browsers. A browser may have many."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, browser: str, next_: str, now: int) -> Handshake:
        """A new sign-in of the browser with this cookie. Old ones are swept out."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        made = Handshake(state, nonce, verifier, next_ if len(next_) <= LONGEST_NEXT else "")
        row = {
            "state": digest(made.state),
            "browser": digest(browser),
            "nonce": made.nonce,
            "verifier": made.verifier,
            "next": made.next,
            "began_at": now,
        }
        async with self._database.transaction() as connection:
            await connection.execute(delete(HANDSHAKES).where(HANDSHAKES.c.began_at < now - LIFE))
            await connection.execute(insert(HANDSHAKES), [row])
        return made

    async def take(self, state: str, browser: str, now: int) -> Handshake | None:
        """The sign-in with this state, if this browser began it and nobody took it before."""
        which = (HANDSHAKES.c.state == digest(state)) & (HANDSHAKES.c.browser == digest(browser))
        taken = delete(HANDSHAKES).where(which, HANDSHAKES.c.began_at >= now - LIFE).returning(HANDSHAKES)
        async with self._database.transaction() as connection:
            row = (await connection.execute(taken)).mappings().first()
        return None if row is None else Handshake(state, row["nonce"], row["verifier"], row["next"])
