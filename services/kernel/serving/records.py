"""Records that a request names by their numbers: `town-east-2026-00042` in place of the id."""

from functools import lru_cache
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel

from schemas import catalogue
from schemas.fields import IncidentRef, StatementRef, StreamRef
from schemas.numbers import parts
from services.kernel.core.problems import Malformed
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import numbers

NUMBERED = ("incident", "statement")
"""The kinds of records that have numbers."""
_KINDS: tuple[tuple[Any, str | None], ...] = ((IncidentRef, "incident"), (StatementRef, "statement"), (StreamRef, None))
M = TypeVar("M", bound=BaseModel)


async def find(runtime: Runtime, kind: str | None, number: str) -> str | None:
    """The record of this kind, or of any, that has a number; None if the service knows none."""
    if parts(number) is None or "numbers" not in runtime.tables:
        return None
    async with runtime.database.read() as connection:
        found = (await numbers.streams_of(connection, runtime.service.metadata, [number])).get(number)
    return found if found is None or kind in (None, catalogue.kind_of(found)) else None


async def named(runtime: Runtime, kind: str | None, ref: str, field: str) -> str:
    """The id of a record that a field names by its id or its number. Raises `Malformed` for an unknown number."""
    if parts(ref) is None:
        return ref
    if (found := await find(runtime, kind, ref)) is None:
        raise Malformed(
            f"{field}: no {kind or 'record'} has the number {ref}; look it up again",
            code="number-unknown",
            field=field,
            number=ref,
        )
    return found


async def by_ids(runtime: Runtime, command: M) -> M:
    """The command with ids in place of the numbers in its fields. Raises `Malformed` for an unknown number."""
    change = {}
    for field, kind in _refs(type(command)):
        ref = getattr(command, field)
        if isinstance(ref, str) and parts(ref) is not None:
            change[field] = await named(runtime, kind, ref, field)
    return command.model_copy(update=change) if change else command


@lru_cache(256)
def _refs(model: type[BaseModel]) -> tuple[tuple[str, str | None], ...]:
    """The fields that name a record, each with the record's kind."""
    hints = get_type_hints(model, include_extras=True)
    return tuple(
        (field, kind)
        for field in model.model_fields
        for ref, kind in _KINDS
        if ref == hints[field] or ref in get_args(hints[field])
    )
