"""Time limits: how long something may take, from when to when, and what follows a breach."""

import re
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from schemas.escalation import Rung as RungName
from schemas.pack.source import LONGEST, Addressee, Duration, LocalTime, Model, Rule, Slug, Source, Text, When
from schemas.said import Said
from schemas.triage import AnswerKind

Act = Literal[
    "discovered",
    "opened",
    "graded",
    "regraded",
    "classified",
    "assigned",
    "accepted",
    "returned",
    "transferred",
    "fact_established",
    "verification_requested",
    "verified",
    "material_received",
    "plan_started",
    "team_named",
    "meeting_held",
    "measure_approved",
    "lead_asked",
    "lead_accepted",
    "explained",
    "replied",
    "status_published",
    "facts_published",
    "published",
    "account_published",
    "conference_held",
    "solved",
    "resolved",
    "reported",
    "received",
    "followed_up",
    "closed",
    "reopened",
]
"""What starts and meets clocks. `published` covers `status_published` and `facts_published`. A note is no act."""

_HOURS_OF_A_DAY = re.compile(r"T(\d+)H")


class Limit(Model):
    """How long something may take.

    `elapsed`: `duration` of time; a day is 24 hours. `end_of_day`: until the day ends in the pack's time zone, or as
    many days later as `duration` says. `working_time`: `duration` of time inside the working hours; a day is one whole
    working day, and hours stay below 24. `working_days`: `days` working days, until the end of the last one or until
    the same time of it. The day of the start counts only with `first_day: counted`.

    A limit without a mode is open: its own `source` is `unset` or `lost`. Nothing runs by it until the office sets it.
    """

    mode: Literal["elapsed", "end_of_day", "working_time", "working_days"] | None = None
    duration: Duration | None = None
    days: int | None = Field(None, ge=1, le=LONGEST.days)
    until: Literal["end_of_day", "same_time"] = "end_of_day"
    first_day: Literal["counted", "not_counted"] = "not_counted"
    source: Source | None = None
    """None: the source of the rule to which the limit belongs."""

    @property
    def is_open(self) -> bool:
        return self.mode is None

    @field_validator("duration", mode="before")
    @classmethod
    def _hours_of_working_time(cls, value: object, info: ValidationInfo) -> object:
        hours = _HOURS_OF_A_DAY.search(value) if isinstance(value, str) else None
        if info.data.get("mode") == "working_time" and hours and int(hours[1]) >= 24:
            raise ValueError(
                Said(
                    "write working days as days (P3D is three working days) and hours below 24",
                    "工作日请写成日（P3D 是三个工作日），小时要少于 24",
                )
            )
        return value

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        if (self.source is not None and self.source.is_open) != self.is_open:
            raise ValueError(
                Said(
                    "a limit has a mode, or a source of its own that is unset or lost",
                    "时限要有计算方式（mode），没有的要自带 unset 或 lost 的来源",
                )
            )
        if self.mode in ("elapsed", "working_time") and self.duration is None:
            raise ValueError(
                Said(f"a limit with mode {self.mode} needs a duration", f"{self.mode} 的时限要写时长（duration）")
            )
        if (self.mode == "working_days") != (self.days is not None):
            raise ValueError(
                Said(
                    "days belong to the mode working_days, and that mode needs them",
                    "days 只用于 working_days，用 working_days 就要写 days",
                )
            )
        if self.mode in ("working_days", None) and self.duration is not None:
            raise ValueError(
                Said(
                    "a duration belongs to elapsed, end_of_day or working_time",
                    "时长（duration）只用于 elapsed、end_of_day 或 working_time",
                )
            )
        if self.mode == "end_of_day" and self.duration is not None and self.duration.seconds:
            raise ValueError(Said("a limit with mode end_of_day takes whole days", "end_of_day 的时限要写整天"))
        return self


class Again(Rule):
    """A clock that runs again from a reopening."""


class Extension(Rule):
    """A unit may ask for more time; the post or body `approved_by` decides. The asker is told."""

    approved_by: Addressee
    at_most: Limit
    """How much may be added in all, counted from the original due instant."""
    times: int = Field(1, ge=1)


class PauseReason(Model):
    code: Slug
    title_zh: Text


class Pause(Rule):
    """The clock may stand still for these reasons. The original due instant stays on record."""

    reasons: tuple[PauseReason, ...] = Field(min_length=1)


class Deferral(Rule):
    """What cannot be solved yet is deferred (掛賬), with a plan and a date of review, which is a clock of its own.

    A unit asks for it, and the post or body `approved_by` decides; None is the head of the accountable unit.
    """

    review: Limit
    approved_by: Addressee | None = None


class ClockRule(Rule):
    """A named time limit: from one act to the first of several others.

    It applies at these levels, for these kinds of answer, and if the condition holds; None means always.

    `anchor` says where the time starts. The usual start is the act. With `level_known` it is also not before the first
    recorded fact by which any of `levels` was known, however late a person grades. A `first_answer` clock is not
    cancelled by regrading or hand-over, neither while it runs nor after its breach.
    """

    name: Slug
    title_zh: Text
    from_: Act = Field(alias="from")
    to: tuple[Act, ...] = Field(min_length=1)
    levels: tuple[Slug, ...] | None = None
    answer_kinds: tuple[AnswerKind, ...] | None = None
    when: When | None = None
    limit: Limit
    anchor: Literal["act", "level_known"] = "act"
    charged: Literal["accountable", "assigned"] = "accountable"
    """Who is charged: the accountable unit when it falls due, or the unit that handles the matter then."""
    first_answer: bool = False
    again: Again | None = None
    per_case: bool = False
    """Whether a person may set the limit for a single matter."""
    extension: Extension | None = None
    pause: Pause | None = None
    deferral: Deferral | None = None
    warn: tuple[Duration, ...] = ()
    """How long before the due instant the charged unit is warned."""

    def starts_at(self, act: Act) -> bool:
        return _covers(self.from_, act)

    def is_met_by(self, act: Act) -> bool:
        return act in self._ends

    @cached_property
    def _ends(self) -> frozenset[str]:
        """The acts that meet it. Each derivation asks for them for each milestone."""
        return frozenset(self.to).union(*(PUBLISHED for named in self.to if named == "published"))

    def applies(self, level: str | None, answer_kind: AnswerKind | None) -> bool:
        return (self.levels is None or level in self.levels) and (
            self.answer_kinds is None or answer_kind in self.answer_kinds
        )


PUBLISHED: tuple[Act, ...] = ("status_published", "facts_published")
"""The acts that `published` means."""


def _covers(named: Act, reached: Act) -> bool:
    return named == reached or (named == "published" and reached in PUBLISHED)


LADDER: tuple[RungName, ...] = ("reminder", "supervision", "circular")


class Rung(Rule):
    """A step of the ladder: these units are told so long `after` the breach was detected, or at once (None).

    The steps keep the difference of their times, even if one was late.
    """

    rung: RungName
    after: Limit | None = None
    tells: tuple[Literal["unit", "parent"], ...] = Field(min_length=1)
    spares_explained: bool = False
    """Left out if the unit has answered or explained by then."""


def rises(ladder: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """The ladder. Raises `ValueError` if its rungs are out of order."""
    for lower, upper in pairwise(ladder):
        if LADDER.index(lower.rung) >= LADDER.index(upper.rung):
            raise ValueError(
                Said(
                    "write the rungs in this order: reminder, supervision, circular",
                    "各级请按这个次序写：催办（reminder）、督办（supervision）、通报（circular）",
                )
            )
    return ladder


class Window(Model):
    """A part of a day, in local time. `to` is the first moment after it."""

    from_: LocalTime = Field(alias="from")
    to: LocalTime

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.from_ >= self.to:
            raise ValueError(
                Said("a window must end after its begin, on the same day", "时段要在同一天内，结束晚于开始")
            )
        return self

    @property
    def length(self) -> timedelta:
        return datetime.combine(date.min, self.to) - datetime.combine(date.min, self.from_)


def in_order(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """The windows. Raises `ValueError` if they overlap or are out of order."""
    if any(earlier.to > later.from_ for earlier, later in pairwise(windows)):
        raise ValueError(Said("write windows in order and without overlaps", "各时段请按先后写，不要重叠"))
    return windows


class Workday(Rule):
    """The working hours, the same on every working day. A break is the gap between two windows."""

    windows: tuple[Window, ...] = Field(min_length=1)

    @field_validator("windows")
    @classmethod
    def _in_order(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        return in_order(windows)

    @property
    def length(self) -> timedelta:
        return sum((window.length for window in self.windows), timedelta())
