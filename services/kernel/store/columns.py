"""Column types that behave alike in PostgreSQL and SQLite."""

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.types import TypeEngine


def key(length: int = 64) -> TypeEngine[str]:
    """An identifier or an instant. It is compared byte by byte, whatever the database's locale."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def serial() -> TypeEngine[int]:
    """A number that the database assigns."""
    return BigInteger().with_variant(Integer, "sqlite")
