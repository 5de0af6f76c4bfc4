"""Old data is converted at reading: one pure function for each step from `.vN` to `.vN+1`.

Stored bytes never change.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas import catalogue
from schemas.fields import Fact

Step = tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]

STEPS: dict[str, Step] = {}
"""Old type -> (new type, data -> data). No released type has needed a change yet."""


def newest(type_: str, data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The newest type that `type_` leads to, and its data."""
    while step := STEPS.get(type_):
        type_, convert = step
        data = convert(dict(data))
    return type_, data


def types_of(*models: type[Fact]) -> frozenset[str]:
    """Every type, old ones included, whose data is read as one of these models."""
    wanted = {catalogue.type_of(model) for model in models}
    return frozenset(wanted.union(type_ for type_ in STEPS if _last(type_) in wanted))


def _last(type_: str) -> str:
    while step := STEPS.get(type_):
        type_ = step[0]
    return type_
