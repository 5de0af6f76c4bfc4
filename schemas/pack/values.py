"""The values that a pack leaves open, and the pack with those that an office set.

A place is dotted and names rules by their codes: `clocks.explanation.limit`, `ladder.reminder.after`,
`roster.coverage`. A hop of a report stands under `reports` by its own code: `reports.report_to_town.limit`.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.pack import PolicyPack
from schemas.pack.clocks import Limit
from schemas.pack.source import Model, Setting, Source

Path = tuple[str | int, ...]
SET = {"kind": "derived", "reason": "set by the office"}


class Sourced(NamedTuple):
    """A rule, or a limit with a source of its own, as it is read beside its clause."""

    place: str
    """Dotted, by the codes of rules."""
    title: str | None
    source: Source
    value: dict[str, Any]
    """What it says, as JSON, without its source and without the rules within it."""


def sourced(pack: PolicyPack) -> Iterator[Sourced]:
    """Every rule of the pack in the order in which the pack is written."""
    yield from _sourced(pack, ())


def _sourced(part: object, names: tuple[str, ...]) -> Iterator[Sourced]:
    source = getattr(part, "source", None)
    if isinstance(part, Model) and isinstance(source, Source):
        within = {
            field.alias or name
            for name, field in type(part).model_fields.items()
            if name == "source" or any(True for _ in _sourced(getattr(part, name), ()))
        }
        said = part.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        value = {name: one for name, one in said.items() if name not in within}
        yield Sourced(".".join(names), getattr(part, "title_zh", None), source, value)
    if isinstance(part, Model):
        for name, field in type(part).model_fields.items():
            yield from _sourced(getattr(part, name), (*names, field.alias or name))
    elif isinstance(part, tuple):
        for index, item in enumerate(part):
            yield from _sourced(item, (*names, _named(item, index)))


def open_places(pack: PolicyPack) -> dict[str, Path]:
    """Each value that the pack leaves open -> its path in the pack's content."""
    return {".".join(names): path for names, path in _open(pack, (), ())}


def with_values(pack: PolicyPack, content: Mapping[str, Any], values: Mapping[str, Any]) -> PolicyPack:
    """The pack with values at some of its open places.

    `content` is the pack as it is written. A limit is given by its fields, another value as a pack writes it. Raises
    `KeyError` for a place that is not open, and `ValueError` for a value that the place does not take.
    """
    places, whole = open_places(pack), copy.deepcopy(dict(content))
    for place, value in values.items():
        *to, last = places[place]
        part: Any = whole
        for step in to:
            part = part[step]
        part[last] = {**(value if isinstance(value, dict) else {"value": value}), "source": SET}
    return PolicyPack.model_validate(whole)


def _open(part: object, names: tuple[str, ...], path: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    if (isinstance(part, Limit) and part.is_open) or (isinstance(part, Setting) and part.source.is_open):
        yield names, path
    elif isinstance(part, Model):
        for name, field in type(part).model_fields.items():
            under = () if name == "hops" else (field.alias or name,)
            yield from _open(getattr(part, name), (*names, *under), (*path, field.alias or name))
    elif isinstance(part, tuple):
        for index, item in enumerate(part):
            named = () if hasattr(item, "hops") else (_named(item, index),)
            yield from _open(item, (*names, *named), (*path, index))


def _named(item: object, index: int) -> str:
    codes = (getattr(item, name, None) for name in ("name", "code", "rung", "period", "kind"))
    return next((code for code in codes if isinstance(code, str)), str(index))
