"""Passwords, by Argon2id. Each one takes memory and time, so few are computed at once, in threads."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST, LONGEST = 12, 200
COMMON = ("password", "123456", "abcdef", "qwerty", "huiying", "letmein", "admin", "iloveyou", "woaini", "111111")
"""Beginnings of what is guessed first."""
_hasher = PasswordHasher()
_few = asyncio.Semaphore(2)
_NOBODY = _hasher.hash("the password of nobody")


def fault(password: str, login: str) -> str | None:
    """Why a password cannot be taken: `short`, `long`, `login`, `common`, `uniform`; None if it can."""
    plain = password.casefold()
    if len(password) < SHORTEST:
        return "short"
    if len(password) > LONGEST:
        return "long"
    if len(login) > 2 and login.casefold() in plain:
        return "login"
    if len(set(password)) < 5:
        return "uniform"
    return "common" if plain.startswith(COMMON) and len(password) < SHORTEST + 4 else None


async def digest(password: str) -> str:
    """What is stored of a password."""
    async with _few:
        return await asyncio.to_thread(_hasher.hash, password)


async def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one. Without a stored one, it takes as long and says no."""
    async with _few:
        return await asyncio.to_thread(_verify, stored, password[: LONGEST + 1])


def _verify(stored: str | None, password: str) -> bool:
    try:
        _hasher.verify(stored or _NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return stored is not None
