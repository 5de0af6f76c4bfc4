"""Accounts of staff, and what protects them: wrong passwords in a row, one-time codes, ended accounts.

An account is a person. It may hold several posts, and one of them acts in a session.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyotp
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.access import passwords
from services.console.store import ACCOUNTS, FAILURES, SESSIONS
from services.console.words import plain
from services.kernel.access.keys import Keys
from services.kernel.core.ids import derived
from services.kernel.core.uuid7 import uuid7
from services.kernel.store.database import Database

FREE_FAILURES = 5
"""So many wrong passwords or codes in a row cost nothing."""
FIRST_LOCK, LONGEST_LOCK = 60, 3600
"""Seconds. Each further failure doubles the time of the lock."""
FORGOTTEN = 24 * 3600
"""Seconds after which failures are forgotten."""
STEP = 30
"""Seconds for which a one-time code holds."""
SEALED = "second-factor"


@dataclass(frozen=True, slots=True)
class Account:
    """A person who signs in."""

    id: str
    login: str
    """Empty for a person of the provider."""
    name: str
    posts: tuple[str, ...]
    must_change: bool
    has_second_factor: bool
    ended: bool
    locked_until: int
    is_local: bool
    """Whether the password is kept here. The provider knows all others."""


LONGEST, LONGEST_POSTS = 60, 2000
"""Characters of a login or name, and of all posts of a person."""


def fits(login: str, name: str, posts: Sequence[str]) -> bool:
    """Whether the store can hold them."""
    return max(len(login.casefold()), len(name)) <= LONGEST and len(" ".join(posts)) <= LONGEST_POSTS


class Locked(Exception):
    """Too many failures. `until` is in seconds, UTC."""

    def __init__(self, until: int) -> None:
        super().__init__(f"locked until {until}")
        self.until = until


class LoginTaken(Exception):
    """Another account has this login."""


class Accounts:
    """The accounts of a deployment. `now` is seconds, UTC, of the real time."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database, self._keys = database, keys

    async def exist(self) -> bool:
        """Whether there is any local one. If not, the first one is to be made."""
        local = select(ACCOUNTS.c.id).where(ACCOUNTS.c.subject.is_(None)).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(local)).first() is not None

    async def all(self) -> list[Account]:
        """Every account, by login and name."""
        async with self._database.read() as connection:
            found = await connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.login, ACCOUNTS.c.name))
            return [account_of(row) for row in found.mappings()]

    async def find(self, id_: str) -> Account | None:
        """The account with this id."""
        async with self._database.read() as connection:
            return _or_none(await _row(connection, ACCOUNTS.c.id == id_))

    async def of_subject(self, subject: str) -> Account | None:
        """The account of a person of the provider, by the digest under which it is known."""
        async with self._database.read() as connection:
            return _or_none(await _row(connection, ACCOUNTS.c.subject == subject))

    async def make(
        self, login: str, name: str, password: str, posts: Sequence[str], *, must_change: bool, first: bool = False
    ) -> Account:
        """A new local account. Raises `LoginTaken`; with `first`, also if there is any local account."""
        digest = await passwords.digest(password)
        row = _new(name, posts, login=login.casefold(), password=digest, must_change=must_change)
        if first:
            row["id"] = derived("first-account")  # so that of two at the same moment the store takes one
        there = ACCOUNTS.c.subject.is_(None) if first else ACCOUNTS.c.login == row["login"]
        try:
            async with self._database.transaction() as connection:
                if (await connection.execute(select(ACCOUNTS.c.id).where(there).limit(1))).first() is not None:
                    raise LoginTaken(login)
                await connection.execute(insert(ACCOUNTS), [row])
        except IntegrityError:
            raise LoginTaken(login) from None
        return account_of(row)

    async def admit(self, subject: str, name: str, posts: Sequence[str]) -> Account:
        """The account of a person whom the provider knows, with name and posts as the provider says now.

        `subject` is a digest. Sessions for posts that the person no longer holds end.
        """
        try:
            return await self._admit(subject, name, posts)
        except IntegrityError:
            # The person came twice at once, and the other sign-in has made the account.
            return await self._admit(subject, name, posts)

    async def _admit(self, subject: str, name: str, posts: Sequence[str]) -> Account:
        who = ACCOUNTS.c.subject == subject
        async with self._database.transaction() as connection:
            known = await _row(connection, who, lock=True)
            if known is None:
                row = _new(name, posts, subject=subject)
                await connection.execute(insert(ACCOUNTS), [row])
                return account_of(row)
            if not known["ended"]:
                await connection.execute(update(ACCOUNTS).where(who).values(name=name, posts=" ".join(posts)))
                gone = (SESSIONS.c.account == known["id"]) & SESSIONS.c.post.not_in(posts)
                await connection.execute(SESSIONS.delete().where(gone))
            return account_of({**known, "name": name, "posts": " ".join(posts)})

    async def enter(self, login: str, password: str, now: int, browser: str = "") -> Account | None:
        """The account, if login and password are right. Raises `Locked`.

        Failures are counted for a login, whether anybody has it or not. `browser` is the mark of a browser: in one in
        which this login was right before, failures are counted apart. So nobody elsewhere locks the person out.
        While it is locked no password is looked at. A login that nobody has takes as long as a wrong password. Of many
        tries at the same moment, those that end after the lock count for nothing, right or wrong.
        """
        login = login.strip().casefold()
        place = self._keys.digest("sign-in", login, browser if self.knows(browser, login) else "")
        row = await self._unlocked(login, place, now)
        is_right = await passwords.matches(row["password"] if row else None, password)
        row = await self._unlocked(login, place, now)
        if not is_right or row is None or row["ended"]:
            await self._fail_at(place, now)
            return None
        async with self._database.transaction() as connection:
            await connection.execute(FAILURES.delete().where(FAILURES.c.place == place))
        return account_of(row)

    def mark(self, login: str) -> str:
        """The mark of a browser in which this login was right."""
        nonce = secrets.token_hex(16)
        return f"{nonce}.{self._keys.digest('known-browser', login.casefold(), nonce)}"

    def knows(self, mark: str, login: str) -> bool:
        """Whether a browser has a mark for this login."""
        nonce, _, said = mark.partition(".")
        return secrets.compare_digest(said.encode(), self._keys.digest("known-browser", login, nonce).encode())

    async def has_password(self, id_: str, password: str) -> bool:
        """Whether this is the password of the account, for somebody who is signed in to it."""
        async with self._database.read() as connection:
            row = await _row(connection, ACCOUNTS.c.id == id_)
        return await passwords.matches(row["password"] if row else None, password)

    async def _unlocked(self, login: str, place: str, now: int) -> Any:
        """The account's row, if anybody has the login. Raises `Locked`."""
        async with self._database.read() as connection:
            held = select(FAILURES.c.locked_until).where(FAILURES.c.place == place)
            until = (await connection.execute(held)).scalar_one_or_none() or 0
            if until > now:
                raise Locked(until)
            return await _row(connection, ACCOUNTS.c.login == login)

    async def _fail_at(self, place: str, now: int) -> None:
        """One more failure. Places where nobody failed for a day are swept out."""
        async with self._database.transaction() as connection:
            await connection.execute(FAILURES.delete().where(FAILURES.c.locked_until < now - FORGOTTEN))
            chosen = select(FAILURES.c.times).where(FAILURES.c.place == place).with_for_update()
            times = (await connection.execute(chosen)).scalar_one_or_none()
            known = {"place": place, "times": (times or 0) + 1, "locked_until": _until((times or 0) + 1, now)}
            if times is None:
                await connection.execute(insert(FAILURES), [known])
            else:
                await connection.execute(update(FAILURES).where(FAILURES.c.place == place).values(known))

    async def pass_code(self, id_: str, code: str, now: int) -> bool:
        """Whether the one-time code is right. Each code serves once. Raises `Locked`."""
        async with self._database.transaction() as connection:
            row = await _row(connection, ACCOUNTS.c.id == id_, lock=True)
            if row is None or row["second_factor"] is None:
                return False
            if row["locked_until"] > now:
                raise Locked(row["locked_until"])
            step = _step_of(self._secret(row), code, now)
            if step is not None and step > row["last_step"]:
                changed = {"last_step": step, "failures": 0, "locked_until": 0}
                await connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(changed))
                return True
        await self._fail(id_, now)
        return False

    async def set_second_factor(self, id_: str, secret: str, code: str, now: int) -> bool:
        """Turns one-time codes on, if `code` shows that the person's device has the secret."""
        step = _step_of(secret, code, now)
        if step is None:
            return False
        await self._set(id_, second_factor=self._keys.seal(SEALED, secret.encode(), id_), last_step=step)
        return True

    async def change_password(self, id_: str, password: str, *, keeps: str | None = None) -> None:
        """A new password that the person chose. It ends all other sessions; `keeps` is the digest of this one."""
        digest = await passwords.digest(password)
        async with self._database.transaction() as connection:
            await connection.execute(
                update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(password=digest, must_change=False)
            )
            gone = (SESSIONS.c.account == id_) & (SESSIONS.c.digest != (keeps or ""))
            await connection.execute(SESSIONS.delete().where(gone))

    async def recover(self, id_: str) -> str:
        """A one-time password for a person who lost theirs. It ends the second factor, the lock and all sessions."""
        password = one_time_password()
        digest = await passwords.digest(password)
        fresh = {
            "password": digest,
            "must_change": True,
            "second_factor": None,
            "failures": 0,
            "locked_until": 0,
        }
        async with self._database.transaction() as connection:
            await connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(fresh))
            await connection.execute(SESSIONS.delete().where(SESSIONS.c.account == id_))
            login = (await _row(connection, ACCOUNTS.c.id == id_))["login"]
            await connection.execute(
                FAILURES.delete().where(FAILURES.c.place == self._keys.digest("sign-in", login, ""))
            )
        return password

    async def end(self, id_: str) -> None:
        """Ends the account and its sessions. Its login stays taken."""
        async with self._database.transaction() as connection:
            await connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(ended=True))
            await connection.execute(SESSIONS.delete().where(SESSIONS.c.account == id_))

    async def set_posts(self, id_: str, posts: Sequence[str]) -> None:
        """The posts of a person. Sessions go on only for posts that stay."""
        async with self._database.transaction() as connection:
            await connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(posts=" ".join(posts)))
            gone = (SESSIONS.c.account == id_) & SESSIONS.c.post.not_in(posts)
            await connection.execute(SESSIONS.delete().where(gone))

    async def _fail(self, id_: str, now: int) -> None:
        async with self._database.transaction() as connection:
            row = await _row(connection, ACCOUNTS.c.id == id_, lock=True)
            if row is None:
                return
            failures = row["failures"] + 1
            changed = {"failures": failures, "locked_until": _until(failures, now)}
            await connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(changed))

    async def _set(self, id_: str, **values: Any) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id_).values(values))

    def _secret(self, row: Any) -> str:
        return self._keys.open(SEALED, row["second_factor"], row["id"]).decode()


def _until(failures: int, now: int) -> int:
    """The end of the lock after so many failures; the present while they cost nothing."""
    over = failures - FREE_FAILURES
    return now + (min(LONGEST_LOCK, FIRST_LOCK * 2 ** min(over, 10)) if over >= 0 else 0)


def _new(name: str, posts: Sequence[str], **known: Any) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "login": None,
        "subject": None,
        "name": name,
        "password": None,
        "must_change": False,
        "posts": " ".join(posts),
        "second_factor": None,
        "last_step": 0,
        "failures": 0,
        "locked_until": 0,
        "ended": False,
    } | known


def one_time_password() -> str:
    """A password for one sign-in, easy to read aloud: five groups of four letters and digits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(5))


def _step_of(secret: str, code: str, now: int) -> int | None:
    """The step to which a code belongs: the present one, or one beside it."""
    digits = "".join(plain(code).split())
    for step in (now // STEP + shift for shift in (0, -1, 1)):
        if secrets.compare_digest(pyotp.TOTP(secret).at(step * STEP).encode(), digits.encode()):
            return step
    return None


async def _row(connection: AsyncConnection, which: Any, *, lock: bool = False) -> Any:
    chosen = select(ACCOUNTS).where(which)
    return (await connection.execute(chosen.with_for_update() if lock else chosen)).mappings().first()


def account_of(row: Any) -> Account:
    """The account of a row."""
    return Account(
        id=row["id"],
        login=row["login"] or "",
        name=row["name"],
        posts=tuple(row["posts"].split()),
        must_change=bool(row["must_change"]),
        has_second_factor=row["second_factor"] is not None,
        ended=bool(row["ended"]),
        locked_until=row["locked_until"],
        is_local=row["subject"] is None,
    )


def _or_none(row: Any) -> Account | None:
    return None if row is None else account_of(row)
