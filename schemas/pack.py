"""A policy pack: the rules by which an office grades, times, approves and answers, as data.

A pack is a YAML file; `services.kernel.rules.packs` reads it. Every rule names its source, so that anyone can tell what
a document says from what the office chose. Conditions are CEL over `reach.clicks`, `reach.comments` and
`reach.mainstream_sites` (totals of the matter), `flags` (list of codes) and `harm` (number on the pack's scale).
Durations are ISO 8601 without years and months, which have no fixed length.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Generic, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schemas.escalation import Rung as RungName
from schemas.lists import FactKey
from schemas.triage import AnswerKind

Milestone = Literal[
    "discovered",
    "opened",
    "graded",
    "regraded",
    "assigned",
    "accepted",
    "returned",
    "transferred",
    "fact_established",
    "handled_problem",
    "handled_answer",
    "resolved",
    "followed_up",
    "closed",
    "reopened",
    "status_published",
    "facts_published",
    "published",
    "reported_upward",
    "receipt_given",
]
"""What clocks start from and are met by. `published` stands for `status_published` or `facts_published`."""
ApprovalRole = Literal["approver", "chief"]
"""`approver` is the leader in charge, `chief` the principal leader."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
PackId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=30)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

_DURATION = re.compile(r"P(?!$)(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?")
_HOURS_OF_A_DAY = re.compile(r"T(\d+)H")


def _written_duration(value: object) -> object:
    """Keeps out the other spellings that pydantic takes for a duration, a bare number of seconds among them."""
    if isinstance(value, timedelta) or (isinstance(value, str) and _DURATION.fullmatch(value)):
        return value
    raise ValueError("write an ISO 8601 duration in weeks, days, hours, minutes or seconds, for example P1D or PT2H")


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("a duration must be longer than nothing")
    return value


def _always(value: bool) -> bool:
    if not value:
        raise ValueError("this holds in every pack; write true")
    return value


Duration = Annotated[timedelta, BeforeValidator(_written_duration), AfterValidator(_positive)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Model):
    """Where a rule comes from, and how far the document carries it.

    `stated`: the clause says so. `reading`: the clause is open, this is how we read it. `combined`: several documents
    together. `derived`: by design, no document says it. `lost`: it stands on a page that is lost. `unset`: the
    document gives no value, the office sets it; document and clause then say what asks for the value.
    """

    kind: Literal["stated", "reading", "unset", "lost", "derived", "combined"]
    document: Text | None = None
    """Code of a document of the pack, several separated by a comma."""
    clause: Text | None = None
    """Line and section, for example `L159 三(一)`."""
    quote: Text | None = None
    reason: Text | None = None

    @property
    def documents(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in (self.document or "").split(",") if part.strip())

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if self.kind == "stated" and not (self.document and self.clause):
            raise ValueError("a stated rule names its document and clause")
        if self.kind in ("reading", "derived") and not self.reason:
            raise ValueError(f"a rule that is {self.kind} gives its reason")
        if self.kind == "combined" and len(self.documents) < 2:
            raise ValueError("a combined rule names its documents, separated by a comma")
        if (self.clause or self.quote) and not self.document:
            raise ValueError("a clause or a quotation names its document")
        return self


class Rule(Model):
    """Anything that a pack lays down."""

    source: Source


T = TypeVar("T")


class Setting(Rule, Generic[T]):
    """A rule that is a single value."""

    value: T


class Flag(Rule):
    """A subject that a grader may set on a matter, with a reason."""

    code: Slug
    title_zh: Text


class HarmStep(Rule):
    """One step of the scale of harm to the public. Harm to anyone's image is no harm."""

    value: int = Field(ge=0)
    title_zh: Text


class Condition(Rule):
    """A condition by which a level is proposed; the rule that fired is named `<level>/<code>`."""

    code: Slug
    when: Text


class Lead(Rule):
    """Who leads: the unit that is accountable, or its parent. The accountable unit stays the same either way."""

    by: Literal["unit", "parent"]
    title_zh: Text


class Level(Rule):
    """A grade of severity. It is proposed where any of its conditions holds; a person judges."""

    code: Slug
    rank: int = Field(ge=1)
    title_zh: Text
    conditions: tuple[Condition, ...] = ()
    leads: Lead


class Ungraded(Rule):
    """What a matter owes until somebody grades it. That leaving it ungraded stops no clock is no choice of a pack."""

    owes: Literal["lowest"] = "lowest"


class Category(Rule):
    """A kind of answer, what the office does for it, and at which levels it may be chosen."""

    kind: AnswerKind
    title_zh: Text
    office_does_zh: Text
    levels: tuple[Slug, ...] = Field(min_length=1)


class Limit(Model):
    """How long something may take.

    `elapsed`: `duration` of time, a day being 24 hours. `end_of_day`: until the day ends in the pack's time zone, or
    as many days later as `duration` says. `working`: `duration` of time inside the working hours, a day being one
    whole working day; there hours go below 24, so that a day is never mistaken for 24 working hours.
    """

    mode: Literal["elapsed", "end_of_day", "working"]
    duration: Duration | None = None

    @field_validator("duration", mode="before")
    @classmethod
    def _hours_of_working_time(cls, value: object, info: ValidationInfo) -> object:
        hours = _HOURS_OF_A_DAY.search(value) if isinstance(value, str) else None
        if info.data.get("mode") == "working" and hours and int(hours[1]) >= 24:
            raise ValueError("write working days as days (P3D is three working days) and hours below 24")
        return value

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        if self.mode != "end_of_day" and self.duration is None:
            raise ValueError(f"a limit with mode {self.mode} needs a duration")
        if self.mode == "end_of_day" and self.duration is not None and self.duration.seconds:
            raise ValueError("a limit with mode end_of_day counts whole days")
        return self


class ClockRule(Rule):
    """A named time limit: from one milestone until any one of others, at some levels and for some kinds of answer.

    `anchor` says where the time starts: at the milestone; or, with `level_known`, not before the first recorded fact
    (figure, flag, report) by which the pack proposes one of `levels`, however late a person grades. A clock that is a
    `first_answer` is not cancelled by regrading or hand-over while it runs or after its breach.
    """

    name: Slug
    title_zh: Text
    from_: Milestone = Field(alias="from")
    to: tuple[Milestone, ...] = Field(min_length=1)
    levels: tuple[Slug, ...] = Field(min_length=1)
    answer_kinds: tuple[AnswerKind, ...] | None = None
    """None: whatever the kind of answer, also before it is chosen."""
    limit: Limit
    anchor: Literal["milestone", "level_known"] = "milestone"
    first_answer: bool = False
    start_again_on_reopen: bool = False
    extendable: bool = False

    def starts_at(self, milestone: Milestone) -> bool:
        return _covers(self.from_, milestone)

    def is_met_by(self, milestone: Milestone) -> bool:
        return any(_covers(named, milestone) for named in self.to)

    def applies(self, level: str, answer_kind: AnswerKind | None) -> bool:
        return level in self.levels and (self.answer_kinds is None or answer_kind in self.answer_kinds)


def _covers(named: Milestone, reached: Milestone) -> bool:
    return named == reached or (named == "published" and reached in ("status_published", "facts_published"))


class Rung(Rule):
    """A step of the ladder: `after` the breach was detected, these units are told.

    The steps follow each other by the difference of their times, also where one was late.
    """

    rung: RungName
    after: Duration
    tells: tuple[Literal["unit", "parent"], ...] = Field(min_length=1)
    spares_explained: bool = False
    """Left out where the unit has answered or explained by then."""


class DualReport(Rule):
    """A report goes to each of these posts, not to the nearest one alone."""

    levels: tuple[Slug, ...] = Field(min_length=1)
    recipients: tuple[ApprovalRole, ...] = Field(min_length=1)


class ReportUpward(Rule):
    """Matters of these levels are reported upward, unit by unit, up to the first unit of the kind `up_to`."""

    levels: tuple[Slug, ...] = Field(min_length=1)
    up_to: Literal["city", "county", "town"]


LADDER: tuple[RungName, ...] = ("reminder", "supervision", "circular")


class Escalation(Model):
    """What follows a breach, and what goes upward."""

    ladder: tuple[Rung, ...]
    report_upward: ReportUpward
    dual_reporting: DualReport | None = None
    receipt_needed: Setting[bool]

    @field_validator("ladder")
    @classmethod
    def _rises(cls, ladder: tuple[Rung, ...]) -> tuple[Rung, ...]:
        for lower, upper in pairwise(ladder):
            if LADDER.index(lower.rung) >= LADDER.index(upper.rung) or lower.after >= upper.after:
                raise ValueError("the rungs rise: reminder, supervision, circular, each later than the one before")
        return ladder


class ApprovalStep(Rule):
    """One approval; anyone who holds one of `roles` may give it."""

    code: Slug
    title_zh: Text
    roles: tuple[ApprovalRole, ...] = Field(min_length=1)


class Approval(Model):
    """Who approves a statement, by level, in order. `by_person`: who drafts does not approve, no one approves twice."""

    chains: dict[Slug, Annotated[tuple[ApprovalStep, ...], Field(min_length=1)]]
    separation: Setting[Literal["by_person", "none"]]


class StatementRule(Rule):
    """What a kind of statement rests on."""

    needs_established_facts: bool


class Publication(Model):
    """How the office speaks. That it speaks as itself and with one text a matter is no choice of a pack."""

    speaks_as: Setting[Literal["unit"]]
    single_text: Setting[Annotated[bool, AfterValidator(_always)]]
    status: StatementRule
    facts: StatementRule
    corrections: Setting[Literal["new_statement"]]


class FollowUp(Model):
    """How long a matter is looked after once it is answered."""

    dedicated_post: Setting[bool]
    ends_with: Setting[Literal["decision"]]
    recurrence: Setting[Literal["reopen"]]


class WrittenReport(Rule):
    """The closing report on origin, spread and handling. Without `limit` no clock runs for it."""

    levels: tuple[Slug, ...] = Field(min_length=1)
    recipient: ApprovalRole
    limit: Limit | None = None


class Evaluation(Rule):
    """Who evaluates the handling afterwards."""

    levels: tuple[Slug, ...] = Field(min_length=1)
    title_zh: Text


class Review(Model):
    written_report: WrittenReport
    evaluation: Evaluation


class ArchivePart(Rule):
    """What belongs into the file of a matter; a part that is missing needs a reason."""

    code: Slug
    title_zh: Text


class Archive(Model):
    parts: tuple[ArchivePart, ...]


class Roster(Model):
    """Duty at the intake desk: hours a day, more in a special period where the pack says so.

    `outside_hours` says when the office knows of a report that arrives while nobody is on duty.
    """

    coverage: Setting[Duration]
    special_period: Setting[Duration] | None = None
    outside_hours: Setting[Literal["arrival", "window_start"]]


class Window(Model):
    """Part of a working day, local time; `to` is the first moment after it."""

    from_: time = Field(alias="from")
    to: time

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.from_ >= self.to:
            raise ValueError("a window ends later than it begins, on the same day")
        return self

    @property
    def length(self) -> timedelta:
        return datetime.combine(date.min, self.to) - datetime.combine(date.min, self.from_)


class Workday(Rule):
    """The working hours, the same on every working day; a break is the gap between two windows."""

    windows: tuple[Window, ...] = Field(min_length=1)

    @field_validator("windows")
    @classmethod
    def _in_order(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        if any(earlier.to > later.from_ for earlier, later in pairwise(windows)):
            raise ValueError("windows stand in order and do not overlap")
        return windows

    @property
    def length(self) -> timedelta:
        return sum((window.length for window in self.windows), timedelta())


class PackFact(Rule, FactKey):
    """A fact that the pack's office establishes besides those that the deployment lists."""


class PolicyPack(Model):
    """A whole pack. Levels rise from the first to the last; the first is what no condition lifts."""

    id: PackId
    version: int = Field(ge=1)
    title: Text
    effective_from: date
    timezone: ZoneInfo
    documents: dict[Text, Text]
    """Code of a source document -> its title."""
    flags: tuple[Flag, ...] = ()
    harm_scale: tuple[HarmStep, ...] = ()
    levels: tuple[Level, ...] = Field(min_length=1)
    ungraded: Ungraded | None = None
    """Where the pack says what it rests on; it holds all the same."""
    facts: tuple[PackFact, ...] = ()
    categories: tuple[Category, ...]
    clocks: tuple[ClockRule, ...]
    workday: Workday | None = None
    """Needed where a limit counts working time."""
    escalation: Escalation
    approval: Approval
    publication: Publication
    follow_up: FollowUp
    review: Review
    archive: Archive
    roster: Roster

    @property
    def effective_at(self) -> datetime:
        """The first instant of `effective_from` in the pack's time zone, in UTC."""
        return datetime.combine(self.effective_from, time.min, self.timezone).astimezone(UTC)

    def level(self, code: str) -> Level:
        """The level, or `KeyError` where the pack has none of this code."""
        for level in self.levels:
            if level.code == code:
                return level
        raise KeyError(code)

    def clocks_for(self, level: str, answer_kind: AnswerKind | None) -> tuple[ClockRule, ...]:
        """The clocks of a matter of this level; `answer_kind` is None while it is not chosen."""
        return tuple(clock for clock in self.clocks if clock.applies(level, answer_kind))

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        levels = [level.code for level in self.levels]
        _once("levels", levels)
        _once("flags", [flag.code for flag in self.flags])
        _once("categories", [category.kind for category in self.categories])
        _once("clocks", [clock.name for clock in self.clocks])
        _once("archive.parts", [part.code for part in self.archive.parts])
        for level in self.levels:
            _once(f"conditions of the level {level.code}", [condition.code for condition in level.conditions])
        if any(lower.rank >= upper.rank for lower, upper in pairwise(self.levels)):
            raise ValueError("levels: write them from the lowest to the highest, with rising rank")
        if self.levels[0].conditions:
            raise ValueError(f"levels: {levels[0]} is what no condition lifts; the lowest level has no conditions")
        for place, rule in rules(self):
            for code in getattr(rule, "levels", ()):
                if code not in levels:
                    raise ValueError(f"{place}: {code!r} is no level of this pack; these are: {', '.join(levels)}")
            for document in rule.source.documents:
                if document not in self.documents:
                    raise ValueError(f"{place}.source: the document {document!r} is missing under `documents`")
        if set(self.approval.chains) != set(levels):
            raise ValueError(f"approval.chains: give one chain for each level, and no other: {', '.join(levels)}")
        for code, chain in self.approval.chains.items():
            _once(f"approval.chains.{code}", [step.code for step in chain])
        limits = [clock.limit for clock in self.clocks] + [self.review.written_report.limit]
        if self.workday is None and any(limit and limit.mode == "working" for limit in limits):
            raise ValueError("workday: a limit counts working time; say which hours that is")
        return self


def _once(what: str, codes: list[str]) -> None:
    if twice := {code for code in codes if codes.count(code) > 1}:
        raise ValueError(f"{what}: each stands once, but these do not: {', '.join(sorted(twice))}")


def rules(part: object, place: str = "") -> Iterator[tuple[str, Rule]]:
    """Every rule in a pack or a part of one, each with its dotted place (`levels.1.conditions.0`)."""
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
