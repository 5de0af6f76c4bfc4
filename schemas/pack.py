"""A policy pack: an office's rules for grading, time limits, approval and answers, as data.

A pack is a YAML file; `services.kernel.rules.packs` reads it. Every rule names its source, so that anyone can tell a
document's rule from the office's choice. Conditions are CEL over `reach.clicks`, `reach.comments` and
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
"""The milestones that start and meet clocks. `published` covers `status_published` and `facts_published`."""
ApprovalRole = Literal["approver", "chief"]
"""`approver` is the leader in charge, `chief` the principal leader."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
PackId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=30)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]

_DURATION = re.compile(r"P(?!$)(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?")
_HOURS_OF_A_DAY = re.compile(r"T(\d+)H")


def _written_duration(value: object) -> object:
    """Refuses the other forms that pydantic takes for a duration, such as a bare number of seconds."""
    if isinstance(value, timedelta) or (isinstance(value, str) and _DURATION.fullmatch(value)):
        return value
    raise ValueError("write an ISO 8601 duration in weeks, days, hours, minutes or seconds, for example P1D or PT2H")


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("a duration must be longer than zero")
    return value


def _always(value: bool) -> bool:
    if not value:
        raise ValueError("this holds in every pack; write true")
    return value


Duration = Annotated[timedelta, BeforeValidator(_written_duration), AfterValidator(_positive)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Model):
    """The source of a rule, and how far the document supports it.

    `stated`: the clause says so. `reading`: the clause is open, and this is our reading. `combined`: several documents
    together say so. `derived`: our design, in no document. `lost`: it was on a page that is lost. `unset`: the document
    gives no value, and the office sets it; document and clause then say what asks for the value.
    """

    kind: Literal["stated", "reading", "unset", "lost", "derived", "combined"]
    document: Text | None = None
    """Code of a document of the pack. Several codes are separated by a comma."""
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
    """Any rule of a pack."""

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
    """A step of the scale of harm to the public. Harm to anyone's image is no harm."""

    value: int = Field(ge=0)
    title_zh: Text


class Condition(Rule):
    """A condition that proposes a level. The name of the rule that fired is `<level>/<code>`."""

    code: Slug
    when: Text


class Lead(Rule):
    """Who leads: the accountable unit, or its parent. The accountable unit stays the same in both cases."""

    by: Literal["unit", "parent"]
    title_zh: Text


class Level(Rule):
    """A grade of severity. It is proposed if any of its conditions holds; a person decides."""

    code: Slug
    rank: int = Field(ge=1)
    title_zh: Text
    conditions: tuple[Condition, ...] = ()
    leads: Lead


class Ungraded(Rule):
    """What a matter owes until somebody grades it. In every pack, clocks run also for an ungraded matter."""

    owes: Literal["lowest"] = "lowest"


class Category(Rule):
    """A kind of answer: what the office does, and at which levels it may be chosen."""

    kind: AnswerKind
    title_zh: Text
    office_does_zh: Text
    levels: tuple[Slug, ...] = Field(min_length=1)


class Limit(Model):
    """How long something may take.

    `elapsed`: `duration` of time; a day is 24 hours. `end_of_day`: until the day ends in the pack's time zone, or as
    many days later as `duration` says. `working`: `duration` of time inside the working hours; a day is one whole
    working day. Its hours stay below 24, so that nobody takes a day for 24 working hours.
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
            raise ValueError("a limit with mode end_of_day takes whole days")
        return self


class ClockRule(Rule):
    """A named time limit: from one milestone to the first of several others, at some levels and for some kinds of
    answer.

    `anchor` says where the time starts. The usual start is the milestone. With `level_known` it is also not before the
    first recorded fact (figure, flag, report) that makes the pack propose one of `levels`, however late a person
    grades. A `first_answer` clock is not cancelled by regrading or hand-over, neither while it runs nor after its
    breach.
    """

    name: Slug
    title_zh: Text
    from_: Milestone = Field(alias="from")
    to: tuple[Milestone, ...] = Field(min_length=1)
    levels: tuple[Slug, ...] = Field(min_length=1)
    answer_kinds: tuple[AnswerKind, ...] | None = None
    """None: for every kind of answer, also before one is chosen."""
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
    """A step of the ladder: these units are told `after` the detection of the breach.

    The steps keep the difference of their times, even if one was late.
    """

    rung: RungName
    after: Duration
    tells: tuple[Literal["unit", "parent"], ...] = Field(min_length=1)
    spares_explained: bool = False
    """Left out if the unit has answered or explained by then."""


class DualReport(Rule):
    """The report goes to each of these posts, not only to the nearest one."""

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
                raise ValueError(
                    "write the rungs in this order: reminder, supervision, circular, each later than the one before"
                )
        return ladder


class ApprovalStep(Rule):
    """One approval. Anyone with one of `roles` may give it."""

    code: Slug
    title_zh: Text
    roles: tuple[ApprovalRole, ...] = Field(min_length=1)


class Approval(Model):
    """Who approves a statement, by level, in order.

    With `by_person`, a drafter does not approve, and no one approves twice.
    """

    chains: dict[Slug, Annotated[tuple[ApprovalStep, ...], Field(min_length=1)]]
    separation: Setting[Literal["by_person", "none"]]


class StatementRule(Rule):
    """What a kind of statement rests on."""

    needs_established_facts: bool


class Publication(Model):
    """How the office speaks. In every pack it speaks as itself, with one text for a matter."""

    speaks_as: Setting[Literal["unit"]]
    single_text: Setting[Annotated[bool, AfterValidator(_always)]]
    status: StatementRule
    facts: StatementRule
    corrections: Setting[Literal["new_statement"]]


class FollowUp(Model):
    """How long the office watches a matter after the answer."""

    dedicated_post: Setting[bool]
    ends_with: Setting[Literal["decision"]]
    recurrence: Setting[Literal["reopen"]]


class WrittenReport(Rule):
    """The closing report on origin, spread and handling. Without `limit`, no clock runs for it."""

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
    """The parts of a matter's file. A missing part needs a reason."""

    code: Slug
    title_zh: Text


class Archive(Model):
    parts: tuple[ArchivePart, ...]


class Roster(Model):
    """Duty at the intake desk: hours a day, and more in a special period if the pack says so.

    `outside_hours` says when the office knows of a report that arrives while nobody is on duty.
    """

    coverage: Setting[Duration]
    special_period: Setting[Duration] | None = None
    outside_hours: Setting[Literal["arrival", "window_start"]]


class Window(Model):
    """A part of a working day, in local time. `to` is the first moment after it."""

    from_: time = Field(alias="from")
    to: time

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.from_ >= self.to:
            raise ValueError("a window must end after its begin, on the same day")
        return self

    @property
    def length(self) -> timedelta:
        return datetime.combine(date.min, self.to) - datetime.combine(date.min, self.from_)


class Workday(Rule):
    """The working hours, the same on every working day. A break is the gap between two windows."""

    windows: tuple[Window, ...] = Field(min_length=1)

    @field_validator("windows")
    @classmethod
    def _in_order(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        if any(earlier.to > later.from_ for earlier, later in pairwise(windows)):
            raise ValueError("write windows in order and without overlaps")
        return windows

    @property
    def length(self) -> timedelta:
        return sum((window.length for window in self.windows), timedelta())


class PackFact(Rule, FactKey):
    """A fact that the pack's office establishes, besides the facts on the deployment's list."""


class PolicyPack(Model):
    """A whole pack. Levels rise from the first to the last. The first level applies if no condition holds."""

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
    """Here the pack may name its source for this rule. The rule holds in any case."""
    facts: tuple[PackFact, ...] = ()
    categories: tuple[Category, ...]
    clocks: tuple[ClockRule, ...]
    workday: Workday | None = None
    """Needed if a limit counts working time."""
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
        """The level. Raises `KeyError` if the pack has no such code."""
        for level in self.levels:
            if level.code == code:
                return level
        raise KeyError(code)

    def clocks_for(self, level: str, answer_kind: AnswerKind | None) -> tuple[ClockRule, ...]:
        """The clocks of a matter of this level. `answer_kind` is None until it is chosen."""
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
            raise ValueError(f"levels: {levels[0]} is the lowest level, and the lowest level has no conditions")
        for place, rule in rules(self):
            for code in getattr(rule, "levels", ()):
                if code not in levels:
                    raise ValueError(f"{place}: {code!r} is no level of this pack; its levels are {', '.join(levels)}")
            for document in rule.source.documents:
                if document not in self.documents:
                    raise ValueError(f"{place}.source: the document {document!r} is missing under `documents`")
        if set(self.approval.chains) != set(levels):
            raise ValueError(f"approval.chains: give one chain for each level, and no other: {', '.join(levels)}")
        for code, chain in self.approval.chains.items():
            _once(f"approval.chains.{code}", [step.code for step in chain])
        limits = [clock.limit for clock in self.clocks] + [self.review.written_report.limit]
        if self.workday is None and any(limit and limit.mode == "working" for limit in limits):
            raise ValueError("workday: a limit counts working time; give the working hours")
        return self


def _once(what: str, codes: list[str]) -> None:
    if twice := {code for code in codes if codes.count(code) > 1}:
        raise ValueError(f"{what}: each code may stand only once; these stand twice: {', '.join(sorted(twice))}")


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
