"""A scenario of a drill, `policies/drills/<id>.yaml`: the plan for a type of crisis, how it is rehearsed and judged.

Its texts are invented: they name no person and no real place. Times are ISO 8601 durations from the beginning of the
drill, and limits from the inject that they follow.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from schemas.lists import Title
from schemas.pack.source import Duration, Model, PackId, Slug, Text

OFFICE, ABOVE = "office", "above"
"""The parts that every scenario has: the office that is accountable, and the unit above it, where there can be one. The
departments are further parts.
"""
ONE_TEXT, LIMITS, APPROVAL = "one_text", "limits", "approval"
"""The criteria by which every drill is judged, besides the scenario's own."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _at(value: object) -> object:
    return timedelta() if value == "PT0S" else value


Act = Literal[
    "incident.verification_requested",
    "incident.verification_concluded",
    "incident.fact_established",
    "incident.classified",
    "incident.graded",
    "incident.regraded",
    "incident.flag_set",
    "incident.assigned",
    "incident.accepted",
    "incident.help_requested",
    "incident.team_named",
    "incident.plan_made",
    "incident.plan_started",
    "incident.meeting_held",
    "incident.handling_recorded",
    "incident.merged",
    "incident.replied",
    "incident.solved",
    "incident.resolved",
    "clock.reported_upward",
    "clock.office_informed",
    "statement.published",
    "statement.corrected",
    "statement.withdrawn",
]
"""The acts of posts that can be expected: types of events, without their version."""
ADDRESSED = frozenset(
    {
        "incident.verification_requested",
        "incident.assigned",
        "incident.help_requested",
        "clock.reported_upward",
        "clock.office_informed",
    }
)
"""Acts with an addressee."""
LEVELLED = frozenset({"incident.graded", "incident.regraded"})
Offset = Annotated[timedelta, BeforeValidator(_at)] | Duration
Count = Annotated[int, Field(ge=0, le=10**12)]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Department(Model):
    """A department of the office that rehearses."""

    code: Slug
    name: Title
    """The name of its unit while the drill goes on."""


class Criterion(Model):
    """By what the work is judged, in words."""

    code: Slug
    title: Title
    title_en: Title
    text: Text


class _Inject(Model):
    code: Slug
    at: Offset
    """How long after the beginning it is sent."""


class ReportInject(_Inject):
    """A citizen's message comes in. `{name}` in its texts is one of the values of `vary`, chosen by the seed."""

    kind: Literal["report"]
    to: Slug = OFFICE
    """The part that receives it."""
    channel: Slug
    subject: Said
    text: Said
    place: Said | None = None


class ReachInject(_Inject):
    """The matter has spread."""

    kind: Literal["reach"]
    about: Slug
    """The inject whose report spreads."""
    clicks: Count | None = None
    comments: Count | None = None
    mainstream_sites: Count | None = None
    shares: Count | None = None


class InstructionInject(_Inject):
    """A leader of the unit that leads the drill gives an instruction on a matter."""

    kind: Literal["instruction"]
    about: Slug
    """The inject whose matter it is on."""
    text: Said


Inject = Annotated[ReportInject | ReachInject | InstructionInject, Field(discriminator="kind")]


class Expected(Model):
    """An act that the office owes after an inject."""

    code: Slug
    criterion: Slug
    title: Title
    title_en: Title
    act: Act
    by: Slug = OFFICE
    """The part whose post acts."""
    after: Slug
    """The inject."""
    within: Duration | None = None
    """How long after it; by default until the drill ends."""
    to: Slug | None = None
    """The right addressee: a part, or the addressee of a report."""
    level: Slug | None = None
    """The right level of a grading."""
    approval: tuple[Slug, ...] = ()
    """The addressees of the pack who must have agreed to what is published."""


class Scenario(Model):
    """The file."""

    id: PackId
    version: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}$")]
    title: Title
    title_en: Title
    crisis: Slug
    """The type of crisis."""
    plan: Text
    """What the office does in such a crisis."""
    office: Title
    """The name of the office that rehearses."""
    departments: tuple[Department, ...] = ()
    lasts: Duration
    """How long the drill goes on."""
    vary: dict[Slug, tuple[Said, ...]] = Field(default_factory=dict)
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    injects: tuple[Inject, ...] = Field(min_length=1)
    expected: tuple[Expected, ...] = Field(min_length=1)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts, the office first."""
        return (OFFICE, ABOVE, *(one.code for one in self.departments))

    def inject(self, code: str) -> Inject:
        """The inject of this code. Raises `KeyError`."""
        return {one.code: one for one in self.injects}[code]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        for what, codes in (
            ("part", self.parts),
            ("criterion", (*(one.code for one in self.criteria), ONE_TEXT, LIMITS, APPROVAL)),
            ("inject", [one.code for one in self.injects]),
            ("expected act", [one.code for one in self.expected]),
        ):
            yield from (f"there are two of the {what} {code}; give each its own code" for code in _twice(codes))
        if (latest := max(one.at for one in self.injects)) >= self.lasts:
            yield f"an inject is sent after {latest}, when the drill has ended after {self.lasts}; let it last longer"
        if any(not values for values in self.vary.values()):
            yield "vary: each name needs at least one value"
        reports = {one.code: one for one in self.injects if isinstance(one, ReportInject)}
        for inject in self.injects:
            if isinstance(inject, ReportInject):
                yield from self._of_report(inject)
            elif inject.about not in reports or reports[inject.about].at > inject.at:
                yield f"{inject.code}: about names a report that is sent before; {inject.about} is none"
        for one in self.expected:
            yield from self._of_expected(one)

    def _of_report(self, inject: ReportInject) -> Iterator[str]:
        if inject.to not in self.parts or inject.to == ABOVE:
            yield f"{inject.code}: no report comes to {inject.to}; name the office or a department"
        for text in filter(None, (inject.subject, inject.text, inject.place)):
            for name in _PLACEHOLDER.findall(text):
                if name not in self.vary:
                    yield f"{inject.code}: {{{name}}} stands in no line of vary"

    def _of_expected(self, one: Expected) -> Iterator[str]:
        if one.criterion not in {criterion.code for criterion in self.criteria}:
            yield f"{one.code}: there is no criterion {one.criterion}"
        if one.after not in {inject.code for inject in self.injects}:
            yield f"{one.code}: there is no inject {one.after}"
        if one.by not in self.parts:
            yield f"{one.code}: there is no part {one.by}; there are {', '.join(self.parts)}"
        if one.to is not None and one.act not in ADDRESSED:
            yield f"{one.code}: {one.act} has no addressee; leave out to"
        if one.level is not None and one.act not in LEVELLED:
            yield f"{one.code}: {one.act} has no level; leave out level"
        if one.approval and one.act != "statement.published":
            yield f"{one.code}: only what is published carries its approvals; leave out approval"


def _twice(codes: Iterable[str]) -> list[str]:
    return [code for code, count in Counter(codes).items() if count > 1]
