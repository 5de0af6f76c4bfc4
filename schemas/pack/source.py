"""What every rule of a pack has: its source, and the plain types of its fields."""

import functools
import re
from collections.abc import Iterator
from datetime import date, time, timedelta
from importlib import resources
from typing import Annotated, Generic, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

from schemas.said import Said, chinese

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
PackId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=30)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
When = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True, max_length=500)]
"""A condition in CEL. `services.kernel.rules.conditions` lists the names that it may use."""
Addressee = Slug
"""The code of a post or body in a unit's directory, such as `leader_in_charge` or `leading_group`."""
Place = Literal["unit", "parent", "town", "county", "city"]
"""A unit as seen from another one: itself, the one above, or the nearest of a kind above it."""
Around = Literal["beside", "below"]
"""A unit beside another one, which has the same unit above, or one below it.

Of several units, it is the one that handles the matter, or else the only one that has the addressee.
"""

LONGEST = timedelta(days=3660)
"""Ten years. A longer limit could end after the last date that exists."""
_DURATION = re.compile(r"P(?!$)(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?")


def _written_duration(value: object) -> object:
    """Refuses the other forms that pydantic takes for a duration, such as a bare number of seconds."""
    if isinstance(value, timedelta) or (isinstance(value, str) and _DURATION.fullmatch(value)):
        return value
    raise ValueError(
        Said(
            "write an ISO 8601 duration in weeks, days, hours, minutes or seconds, for example P1D or PT2H",
            "时长请按 ISO 8601 写，用周、日、时、分、秒，例如 P1D、PT2H",
        )
    )


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError(Said("a duration must be longer than zero", "时长要大于零"))
    if value > LONGEST:
        raise ValueError(
            Said("a duration is at most 3660 days, so that its end has a date", "时长最多 3660 天，超过的算不出到期日")
        )
    return value


Duration = Annotated[timedelta, BeforeValidator(_written_duration), AfterValidator(_positive)]

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_DAY = re.compile(r"(19[7-9]\d|2\d{3})-\d\d-\d\d")


def _written_time(value: object) -> object:
    """Refuses the other forms that pydantic takes. An offset would be dropped, since the pack's time zone counts."""
    if isinstance(value, time) or (isinstance(value, str) and _TIME.fullmatch(value)):
        return value
    raise ValueError(
        Said(
            "write a time of day in the pack's time zone, without seconds and offset, for example 08:30",
            "请写规则包所在时区的时刻，不带秒和时差，例如 08:30",
        )
    )


def _written_day(value: object) -> object:
    """Refuses the other forms that pydantic takes, such as a bare number of seconds."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError(
        Said("write a date with a year from 1970 on, for example 2026-01-01", "请写 1970 年以后的日期，例如 2026-01-01")
    )


def _named_zone(value: object) -> object:
    """Refuses names that mean another zone on another computer, such as `localtime`."""
    if isinstance(value, ZoneInfo) or (isinstance(value, str) and value in _zones()):
        return value
    raise ValueError(
        Said("write a time zone by its name, for example Asia/Shanghai", "请写时区的名称，例如 Asia/Shanghai")
    )


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


LocalTime = Annotated[time, BeforeValidator(_written_time)]
WrittenDay = Annotated[date, BeforeValidator(_written_day)]
TimeZone = Annotated[ZoneInfo, BeforeValidator(_named_zone)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Model):
    """The source of a rule, and how far the document supports it.

    `stated`: the clause says so. `reading`: the clause is open, and this is our reading. `combined`: several documents
    together say so. `derived`: our design, in no document. `lost`: the value was on a page that is lost. `unset`: the
    document gives no value; document and clause then say what asks for it. Only a value that is left out is `lost` or
    `unset`.
    """

    kind: Literal["stated", "reading", "unset", "lost", "derived", "combined"]
    document: Text | None = None
    """Code of a document of the pack. Several codes are separated by a comma."""
    clause: Text | None = None
    """Line and section, for example `L159 三(一)`."""
    quote: Text | None = None
    reason: Text | None = None

    @property
    def is_open(self) -> bool:
        """Whether an office must set the value by itself."""
        return self.kind in ("lost", "unset")

    @property
    def documents(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in (self.document or "").split(",") if part.strip())

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if self.kind == "stated" and not (self.document and self.clause):
            raise ValueError(
                Said("a stated rule names its document and clause", "stated 的规则要写出 document 和 clause")
            )
        if self.kind in ("reading", "derived") and not self.reason:
            raise ValueError(
                Said(f"a rule that is {self.kind} gives its reason", f"{self.kind} 的规则要写出理由（reason）")
            )
        if self.kind == "combined" and len(self.documents) < 2:
            raise ValueError(
                Said(
                    "a combined rule names its documents, separated by a comma",
                    "combined 的规则要写出各个文件，用逗号隔开",
                )
            )
        if (self.clause or self.quote) and not self.document:
            raise ValueError(
                Said("a clause or a quotation names its document", "写了条款或原文，就要写出文件（document）")
            )
        return self


class Rule(Model):
    """Any rule of a pack."""

    source: Source

    @model_validator(mode="after")
    def _has_a_source_of_its_own(self) -> Self:
        if self.source.is_open and not isinstance(self, Setting):
            raise ValueError(
                Said(
                    f"only a value that is left out is {self.source.kind}: write that source into the limit or setting",
                    f"只有留空的数值才能是 {self.source.kind}：请把这个来源写到时限或设置里",
                )
            )
        return self


T = TypeVar("T")


class Setting(Rule, Generic[T]):
    """A rule that is a single value. Without a value its source is `unset` or `lost`, and the office sets it."""

    value: T | None = None

    @model_validator(mode="after")
    def _is_set_or_open(self) -> Self:
        if (self.value is None) != self.source.is_open:
            raise ValueError(
                Said(
                    "a setting has a value, or a source that is unset or lost",
                    "设置要有数值，没有数值的来源要写 unset 或 lost",
                )
            )
        return self


def once(what: str, codes: list[str]) -> None:
    """Raises `ValueError` if a code stands twice. `what` is the place of the codes, or their name in both languages."""
    if twice := {code for code in codes if codes.count(code) > 1}:
        named = ", ".join(sorted(twice))
        raise ValueError(
            Said(
                f"{what}: each code may stand only once; these stand twice: {named}",
                f"{chinese(what)}: 每个代码只能出现一次，重复的有：{named}",
            )
        )


def rules(part: object, place: str = "") -> Iterator[tuple[str, Rule]]:
    """Every rule in a pack or in a part of one, each with its dotted place (`levels.1.conditions.0`)."""
    if isinstance(part, Rule):
        yield place, part
    if isinstance(part, Model):
        inner = [(field.alias or name, getattr(part, name)) for name, field in type(part).model_fields.items()]
    elif isinstance(part, dict):
        inner = list(part.items())
    elif isinstance(part, tuple):
        inner = [(str(index), item) for index, item in enumerate(part)]
    else:
        return
    for name, value in inner:
        yield from rules(value, f"{place}.{name}" if place else name)
