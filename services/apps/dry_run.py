"""A pack tried on matters of the record."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from schemas.fields import WrittenInstant
from services.apps.records import Record
from services.apps.terminal import CannotDo
from services.escalation.trying.dry_run import Difference, Result, differences
from services.kernel.core.units import LoadedPack


class Matters(Protocol):
    """Where matters come from."""

    def since(self, at: datetime) -> AsyncIterator[Record]:
        """The matters that were opened since a time."""
        ...


async def judge(matters: Matters, pack: LoadedPack, since: datetime) -> Result:
    """Judges each matter by its own pack and by `pack`."""
    own, found = dict[str, LoadedPack](), list[Difference]()
    async for record in matters.since(since):
        own[record.incident] = record.pack
        found += differences(record.incident, record.matter, pack)
    return Result(tuple(found), own)


def instant_of(text: str) -> datetime:
    """The time of an option. Raises `CannotDo` without an offset."""
    try:
        return TypeAdapter(WrittenInstant).validate_python(text)
    except ValidationError as error:
        raise CannotDo(f"--since {text!r}: {error.errors()[0]['msg']}") from None
