"""JSON in its only form."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from schemas.envelope import Event, Undecodable
from services.kernel.tlog import Refused


def compact(value: bytes, where: str) -> Any:
    """The value of compact JSON, as the record writes it.

    Raises `Refused` for white space, a name that stands twice, and every other way of writing.
    """
    try:
        found = orjson.loads(value)
        if orjson.dumps(found) == value:
            return found
        json.loads(value, object_pairs_hook=_once)
    except (RecursionError, TypeError, ValueError) as error:
        raise Refused(f"{where}: this is not JSON as the record writes it: {error}") from None
    raise Refused(f"{where}: this is not JSON as the record writes it")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def members(value: Any, names: tuple[str, ...], where: str) -> tuple[Any, ...]:
    """The members of an object that has these in this order, and no others. Raises `Refused`."""
    if not isinstance(value, dict) or tuple(value) != names:
        raise Refused(f"{where}: it is not made of {', '.join(names)}")
    return tuple(value.values())


def event_of(value: bytes, where: str) -> Event:
    """The event in these bytes. Raises `Refused`."""
    compact(value, where)
    try:
        return Event.parse(value)
    except Undecodable as error:
        raise Refused(f"{where}: {error}") from None


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)
