"""The meaning of a database error: the infrastructure failed, another transaction was in the way, or code or rows are
wrong.

Infrastructure comes back, so callers and background work try again. A defect fails again at every try.
"""

import sqlite3
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.kernel.core.problems import Problem, Unavailable
from services.kernel.core.uuid7 import uuid7
from services.kernel.logging import Lasting, brief, frames

NOT_THERE = ("42P01", "42703", "42501")
"""PostgreSQL's codes for a missing table, column or right. The deployment is wrong, not the request."""
LIMITS = "54"
"""The class of PostgreSQL's codes for statements or values that are too large."""
OVERTAKEN = ("40001", "40P01")
"""PostgreSQL's codes for two transactions in each other's way, one of which it ended."""
LOCKED = "55P03"
"""PostgreSQL's code for a lock that somebody else held for too long."""
WAITED = (LOCKED, "57014", "25P03", "25P04")
"""PostgreSQL's codes for a lock or a statement that took too long."""
logger = structlog.get_logger()


def is_defect(error: DBAPIError) -> bool:
    """Whether code or rows are wrong, so that every other try would fail too. If not, the infrastructure failed."""
    if isinstance(error, DataError | IntegrityError) or _is_too_large(error):
        return True
    return isinstance(error, ProgrammingError | InterfaceError) and not _lacks(error)


def _is_too_large(error: DBAPIError) -> bool:
    """Whether the statement is too large for the database. Drivers report this like a lost connection."""
    text = str(error.orig)
    if (code := getattr(error.orig, "sqlite_errorcode", None)) is not None:
        return code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG) and "too " in text
    return _code(error).startswith(LIMITS) or "number of parameters" in text


def is_overtaken(error: DBAPIError) -> bool:
    """Whether the database ended this transaction for another one's sake. The next try may succeed."""
    return _code(error) in OVERTAKEN


def is_in_the_way(error: DBAPIError) -> bool:
    """Whether somebody else held what this transaction wanted to lock. The next try may succeed."""
    return _code(error) in (*OVERTAKEN, LOCKED)


def _code(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _lacks(error: DBAPIError) -> bool:
    return _code(error) in NOT_THERE or "no such" in str(error.orig)


def _says(error: DBAPIError | OSError, words: Sequence[str]) -> bool:
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    return any(word in text for word in words)


def _waited(error: DBAPIError | OSError) -> bool:
    if isinstance(error, DBAPIError):
        busy = isinstance(error.orig, PoolTimeout) or _says(error, ("database is locked",))
        return busy or _code(error) in WAITED
    return isinstance(error, TimeoutError)


def problem_of(error: DBAPIError | OSError, failing: Lasting) -> Problem:
    """The problem for the caller when the store fails under a request. A lasting failure is also logged, once."""
    if isinstance(error, DBAPIError) and is_defect(error):
        return defect(error)
    failing.told(brief(error))
    if _says(error, ("full", "No space")):
        return Unavailable(
            "the store has no room left; nothing of the request was kept. Free some space, then try again",
            30,
            code="store-full",
        )
    if isinstance(error, DBAPIError) and _lacks(error):
        return Unavailable(
            "the store lacks a table, a column or a right; nothing of the request was kept. The log names it",
            30,
            code="store-not-ready",
        )
    if _waited(error):
        return Unavailable(
            "the store is busy; nothing of the request was kept. Try again",
            5,
            code="store-busy",
        )
    return Unavailable(
        "the store cannot be reached; the request may not have been kept. Try again",
        5,
        code="store-unreachable",
    )


def defect(error: Exception, **known: str) -> Problem:
    """Logs a defect. Returns the problem for the caller, with the number of the log entry."""
    number = uuid7()
    logger.error("defect.found", defect=number, error=brief(error), stack=frames(error), **known)
    return Problem(
        f"the service has a defect here; it was logged as {number}. Nothing of the request was kept", defect=number
    )
