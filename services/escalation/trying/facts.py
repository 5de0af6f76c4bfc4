"""The facts of a matter, as `huiying policy evaluate` reads them. Its shape is fixed: other programs write it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from schemas.fields import Code, Figure, PostCode, UnitCode, WrittenInstant
from schemas.triage import AnswerKind
from services.kernel.core.faults import faults_of
from services.kernel.rules.conditions import Figures

MAX_BYTES = 1_000_000
Act = Literal[
    "assigned",
    "accepted",
    "returned",
    "transferred",
    "explained",
    "replied",
    "status_published",
    "facts_published",
    "account_published",
    "conference_held",
    "solved",
    "resolved",
    "reported",
    "received",
    "followed_up",
    "reopened",
    "closed",
    "material_received",
    "delay_explained",
    "lead_asked",
    "lead_accepted",
    "extended",
    "paused",
    "resumed",
    "deferred",
    "note_problem",
    "note_answer",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counted(_Model):
    """A count of the reach at a time. None is unknown."""

    at: WrittenInstant
    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None


class Flagged(_Model):
    """A flag that a person set, and when; None means from the start."""

    code: Code
    at: WrittenInstant | None = None


def _flag(value: object) -> object:
    """A bare code is a flag from the start."""
    return {"code": value} if isinstance(value, str) else value


class Graded(_Model):
    """A person's grading."""

    level: Code
    at: WrittenInstant


def _gradings(value: object) -> object:
    """One grading, none, or several."""
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


class Above(_Model):
    """A unit above."""

    code: UnitCode
    kind: Code


class Office(Above):
    """The accountable unit, with the units above it, upward."""

    above: tuple[Above, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> "Office":
        codes = [self.code, *(unit.code for unit in self.above)]
        if len(set(codes)) < len(codes):
            raise ValueError("each unit stands once: the unit itself is not above itself")
        return self


class Special(_Model):
    """A special period. Without `until` it has not ended."""

    code: Code
    from_: WrittenInstant = Field(alias="from")
    until: WrittenInstant | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Special":
        if self.until is not None and self.until < self.from_:
            raise ValueError("until is before from; correct one of them")
        return self


class LimitSet(_Model):
    """A limit that a person set for this matter."""

    clock: Code
    due: WrittenInstant
    set_at: WrittenInstant


class Assignment(_Model):
    """A unit got the matter to handle."""

    unit: UnitCode
    at: WrittenInstant


class Done(_Model):
    """An act. `recorded_at` is `at` if it was entered at once; `to` is an addressee's code."""

    at: WrittenInstant
    recorded_at: WrittenInstant | None = None
    act: Act
    unit: UnitCode | None = None
    to: PostCode | None = None
    by: Annotated[str, Field(max_length=130)] | None = None

    @model_validator(mode="after")
    def _recorded_after(self) -> "Done":
        if self.recorded_at is not None and self.recorded_at < self.at:
            raise ValueError("recorded_at is before at; an act is recorded when it happens or later")
        return self

    @property
    def known_at(self) -> datetime:
        return self.recorded_at or self.at


class Facts(_Model):
    """All that is known of one matter. Times carry offsets. Without `as_of`, the last time that is named counts."""

    discovered_at: WrittenInstant
    recorded_at: WrittenInstant | None = None
    as_of: WrittenInstant | None = None
    figures: Figures | None = None
    figures_over_time: tuple[Counted, ...] = ()
    flags: tuple[Annotated[Flagged, BeforeValidator(_flag)], ...] = ()
    harm: Figure | None = None
    category: Code | None = None
    answer_kind: AnswerKind | None = None
    classified_at: WrittenInstant | None = None
    graded: Annotated[tuple[Graded, ...], BeforeValidator(_gradings)] = ()
    unit: Office = Office(code="unit", kind="unit")
    periods: tuple[Special, ...] = ()
    limits: tuple[LimitSet, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    events: tuple[Done, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> "Facts":
        if self.figures is not None and self.figures_over_time:
            raise ValueError("write figures or figures_over_time, not both")
        if self.classified_at is not None and self.answer_kind is None:
            raise ValueError("classified_at needs answer_kind")
        if self.recorded_at is not None and self.recorded_at < self.discovered_at:
            raise ValueError("recorded_at is before discovered_at; what was discovered later is recorded later")
        return self

    @property
    def opened_at(self) -> datetime:
        """When the matter was recorded."""
        return self.recorded_at or self.discovered_at

    @property
    def gradings(self) -> tuple[Graded, ...]:
        """All gradings, in order of time."""
        return tuple(sorted(self.graded, key=lambda one: one.at))

    @property
    def steps(self) -> int:
        """How many things are told that came one after the other."""
        lists = (self.figures_over_time, self.flags, self.graded, self.limits, self.assignments, self.events)
        return sum(map(len, lists)) + len(self.periods)

    @property
    def until(self) -> datetime:
        """As of when the matter is looked at."""
        return self.as_of or max(self._times())

    def _times(self) -> Iterator[datetime]:
        yield self.opened_at
        yield from (one.at for one in self.figures_over_time)
        yield from (one.at for one in self.gradings)
        yield from (one.at for one in self.assignments)
        yield from (one.at for one in self.flags if one.at)
        yield from (at for one in self.limits for at in (one.due, one.set_at))
        yield from (at for done in self.events for at in (done.at, done.known_at))
        yield from (at for one in self.periods for at in (one.from_, one.until) if at)
        if self.classified_at:
            yield self.classified_at


class Twice(ValueError):
    """Two equal names stand in one JSON object, so that one value would be lost."""


class Unfit(ValueError):
    """The facts cannot be used. The text is for their author: one line a fault."""


def loads(content: bytes, origin: str) -> Facts:
    """The facts in a JSON text. Raises `Unfit` with all faults."""
    if len(content) > MAX_BYTES:
        raise Unfit(f"{origin}: is larger than {MAX_BYTES:,} bytes; leave out what does not concern the rules")
    return parse(json_of(content, origin), origin)


def json_of(content: bytes, origin: str) -> Any:
    """What a JSON text says, with no name lost. Raises `Unfit`."""
    try:
        return json.loads(content, object_pairs_hook=each_once)
    except Twice as error:
        raise Unfit(f"{origin}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Unfit(f"{origin}: is not JSON: {error}") from None


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, in which each name stands once. Raises `Twice`."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise Twice(f"{next(name for name in names if names.count(name) > 1)}: stands twice in one object; keep one")
    return found


def parse(content: object, origin: str) -> Facts:
    """The facts in parsed JSON; `origin` names them in an `Unfit`."""
    try:
        return Facts.model_validate(content)
    except ValidationError as error:
        faults = [": ".join((origin, *_place(place), told)) for place, told in faults_of(error, _IN_JSON)]
        raise Unfit("\n".join(dict.fromkeys(faults))) from None


def _place(place: tuple[int | str, ...]) -> tuple[str, ...]:
    return (".".join(str(part) for part in place),) if place else ()


_IN_JSON = {
    "model_type": "write an object, such as {{}}",
    "tuple_type": "write a list, such as []",
    "int_type": "write a whole number, or null if nobody knows it",
}
