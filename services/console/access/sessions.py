"""Sessions of a browser: a random token in a cookie, its digest in the store."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import delete, insert, or_, select, update

from services.console.access.accounts import Account, account_of
from services.console.store import ACCOUNTS, SESSIONS
from services.kernel.store.database import Database

LONGEST = 12 * 3600
"""Seconds for which a session lasts at most."""
IDLE = 2 * 3600
"""Seconds without a page after which a session ends."""
KEPT = 3600
"""Seconds for which it is known afterwards whose session ended by itself. It opens nothing."""
NOTED = 60
"""Seconds between two notes that a session is in use."""


class Origin(NamedTuple):
    """From which sign-in at the provider a session began. Both are keyed digests, and null for a local sign-in."""

    subject: str | None = None
    session: str | None = None


HERE = Origin()


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that signed in."""

    digest: str
    account: Account
    post: str | None
    passed: bool
    origin: Origin
    began_at: int
    """Seconds, UTC: when the person signed in."""
    ends_at: int
    """Seconds, UTC: the end if no further page is asked for."""


class Sessions:
    """The sessions of all browsers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        account: Account,
        now: int,
        *,
        passed: bool,
        post: str | None = None,
        origin: Origin = HERE,
        since: int | None = None,
    ) -> str:
        """A new session. Gives its token, which stands nowhere else. Old sessions are swept out.

        `since` is when the person signed in, if that was before.
        """
        token = secrets.token_urlsafe(32)
        row = {
            "digest": digest(token),
            "account": account.id,
            "post": post,
            "passed": passed,
            "provider_subject": origin.subject,
            "provider_session": origin.session,
            "began_at": now if since is None else since,
            "seen_at": now,
        }
        async with self._database.transaction() as connection:
            over = or_(SESSIONS.c.began_at < now - LONGEST - KEPT, SESSIONS.c.seen_at < now - IDLE - KEPT)
            await connection.execute(delete(SESSIONS).where(over))
            await connection.execute(insert(SESSIONS), [row])
        return token

    async def find(self, token: str, now: int, *, used: bool = True) -> Session | None:
        """The session of a token, if it lasts. `used` notes that somebody works in it."""
        joined = select(SESSIONS, ACCOUNTS).join(ACCOUNTS, SESSIONS.c.account == ACCOUNTS.c.id)
        async with self._database.read() as connection:
            row = (await connection.execute(joined.where(SESSIONS.c.digest == digest(token)))).mappings().first()
        if row is None or row["ended"] or row["began_at"] < now - LONGEST or row["seen_at"] < now - IDLE:
            return None
        if used and row["seen_at"] < now - NOTED:
            async with self._database.transaction() as connection:
                await connection.execute(update(SESSIONS).where(SESSIONS.c.digest == row["digest"]).values(seen_at=now))
        seen = now if used else row["seen_at"]
        return Session(
            digest=row["digest"],
            account=account_of(row),
            post=row["post"],
            passed=bool(row["passed"]),
            origin=Origin(row["provider_subject"], row["provider_session"]),
            began_at=row["began_at"],
            ends_at=min(row["began_at"] + LONGEST, seen + IDLE),
        )

    async def owner(self, token: str) -> str | None:
        """The account whose session this was, if it ended by itself a short time ago."""
        chosen = select(SESSIONS.c.account).where(SESSIONS.c.digest == digest(token))
        async with self._database.read() as connection:
            found: str | None = (await connection.execute(chosen)).scalar()
        return found

    async def renew(self, session: Session, now: int, *, post: str | None) -> str:
        """Another token for the same person, after a second factor or a choice of post. The old one is over."""
        token = await self.begin(
            session.account, now, passed=True, post=post, origin=session.origin, since=session.began_at
        )
        await self.end(session.digest)
        return token

    async def end(self, of: str) -> None:
        """Ends the session with this digest."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == of))

    async def end_of(self, origin: Origin, until: int) -> int:
        """Ends the sessions of this person or provider's session that began until then. Gives their number."""
        named = SESSIONS.c.began_at <= until
        if origin.subject is not None:
            named &= SESSIONS.c.provider_subject == origin.subject
        if origin.session is not None:
            named &= SESSIONS.c.provider_session == origin.session
        async with self._database.transaction() as connection:
            return (await connection.execute(delete(SESSIONS).where(named))).rowcount


def digest(token: str) -> str:
    """What the store holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
