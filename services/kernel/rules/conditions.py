"""The conditions of a pack's levels, and the level that they propose for a matter."""

import functools
import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cel
from pydantic import BaseModel, ConfigDict, Field

from services.kernel.core.units import LoadedPack


class Figures(BaseModel):
    """Totals of a matter.

    A figure that nobody measured is 0, so it raises no level. `harm` is a step of the pack's scale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clicks: int = Field(0, ge=0)
    comments: int = Field(0, ge=0)
    mainstream_sites: int = Field(0, ge=0)
    harm: int = Field(0, ge=0)


class Context(BaseModel):
    """What conditions may look at besides figures, flags and harm. None means unknown or none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str | None = None
    channel: str | None = None
    unit: str | None = None
    """The kind of the accountable unit; `unit.kind` in conditions."""
    answer_kind: str | None = None
    level: str | None = None
    statement_kind: str | None = None
    period: str | None = None
    doubtful: bool = False
    secret: bool = False
    major_information: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """The level that the figures propose; a person decides. `inputs` is what the conditions saw, ready for JSON."""

    level: str
    rule: str
    """`<level>/<condition>`, or `<level>/otherwise` if no condition held."""
    inputs: Mapping[str, Any]


def propose_level(pack: LoadedPack, figures: Figures, flags: Collection[str] = ()) -> Proposal | None:
    """The highest level with a true condition; the lowest level if no condition is true. Pure.

    None if the pack's levels have no conditions: then a person judges without a proposal.

    A flag that the pack does not declare counts for nothing and is not among the inputs.
    """
    if not any(level.conditions for level in pack.model.levels):
        return None
    declared = {flag.code for flag in pack.model.flags}
    inputs = _inputs(figures, sorted(declared.intersection(flags)))
    known = tuple(flag.code for flag in pack.model.flags)
    for level in reversed(pack.model.levels):
        for condition in level.conditions:
            if compiled(condition.when, known).execute(inputs) is True:
                return Proposal(level.code, f"{level.code}/{condition.code}", inputs)
    lowest = pack.model.levels[0].code
    return Proposal(lowest, f"{lowest}/otherwise", inputs)


def holds(when: str | None, context: Context) -> bool:
    """Whether a condition of a chain, a clock or a report holds. None always holds. Pure."""
    if when is None:
        return True
    given = context.model_dump()
    known = {**given, "unit": {"kind": given["unit"]}, **_inputs(Figures(), ())}
    return checked(when).execute(known) is True


@functools.lru_cache(maxsize=1024)
def checked(when: str) -> cel.Program:
    """The condition, if it uses known names only. Raises `ValueError`."""
    program = _parsed(when)
    known = _VARIABLES | set(Context.model_fields)
    for name in program.variables():
        if name not in known:
            raise ValueError(f"{name!r} is unknown; conditions know {', '.join(sorted(known))}")
    return program


def _inputs(figures: Figures, flags: Sequence[str]) -> dict[str, Any]:
    return {"figures": figures.model_dump(exclude={"harm"}), "flags": list(flags), "harm": figures.harm}


_REACH = tuple(name for name in Figures.model_fields if name != "harm")
_VARIABLES = frozenset(_inputs(Figures(), ()))
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_REACH_FIELD = re.compile(r"\bfigures\s*\.\s*(\w+)")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_MAX_TRIALS = 50_000


@functools.lru_cache(maxsize=1024)
def compiled(when: str, flags: tuple[str, ...]) -> cel.Program:
    """The condition, checked. The language has no types, so the check evaluates it and sees whether it fails.

    Raises `ValueError`, with line and column within the condition if the fault has a place.
    """
    program = _parsed(when)
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), when)
    for name in program.variables():
        if name not in _VARIABLES:
            at = re.search(rf"\b{name}\b", bare)
            raise ValueError(f"{_at(when, at)}{name!r} is unknown; conditions know {', '.join(sorted(_VARIABLES))}")
    for used in _REACH_FIELD.finditer(bare):
        if used[1] not in _REACH:
            raise ValueError(f"{_at(when, used)}'figures.{used[1]}' is unknown; figures has {', '.join(_REACH)}")
    for quoted in _QUOTED.finditer(when):
        if quoted[0][1:-1] not in flags:
            raise ValueError(f"{_at(when, quoted)}{quoted[0]} is no flag of this pack; declare it under `flags`")
    for inputs in _trials(bare, flags):
        try:
            result = program.execute(inputs)
        except (TypeError, KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"fails for {json.dumps(inputs)}: {error}") from None
        if result is not True and result is not False:
            raise ValueError(f"gives {result!r}; a condition is true or false")
    return program


def _parsed(when: str) -> cel.Program:
    try:
        return cel.compile(when)
    except ValueError as error:
        found = _PLACE.search(str(error))
        raise ValueError(f"line {found[1]}, column {found[2]}: {found[3]}" if found else str(error)) from None


def _trials(bare: str, flags: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Inputs on, just below and just above every number in the condition. They reach each of its parts."""
    figures = [name for name in Figures.model_fields if re.search(rf"\b{name}\b", bare)]
    numbers = {int(number) for number in re.findall(r"\b\d+\b", bare)}
    values = sorted({0} | {max(0, number + step) for number in numbers for step in (-1, 0, 1)})
    sets_of_flags = [(), tuple(flags), *((flag,) for flag in flags)]
    if len(values) ** len(figures) * len(sets_of_flags) > _MAX_TRIALS:
        raise ValueError("too many numbers in one condition; write several, any of which may hold")
    for chosen in itertools.product(values, repeat=len(figures)):
        for flagged in sets_of_flags:
            yield _inputs(Figures(**dict(zip(figures, chosen, strict=True))), flagged)


def _at(when: str, found: re.Match[str] | None) -> str:
    start = found.start() if found else 0
    return f"line {when.count(chr(10), 0, start) + 1}, column {start - when.rfind(chr(10), 0, start)}: "
