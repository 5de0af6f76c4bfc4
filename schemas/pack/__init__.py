"""A policy pack: an office's rules for grading, time limits, reports, approval and answers, as data.

A pack is a YAML file; `services.kernel.rules.packs` reads it. Every rule names its source, so that anyone can tell a
document's rule from the office's choice. Every section is optional: what a pack does not declare, it does not ask for.
Durations are ISO 8601 without years and months, which have no fixed length.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from itertools import pairwise
from typing import NamedTuple, Self, get_args

from pydantic import Field, field_validator, model_validator

from schemas.lists import FactKey
from schemas.offices import UnitKind
from schemas.pack.answering import Answering
from schemas.pack.approval import Approval
from schemas.pack.assigning import Assigning, EmergencyPlan
from schemas.pack.clocks import ClockRule, Limit, Rung, Workday, rises
from schemas.pack.gates import Gate
from schemas.pack.levels import AnswerRule, Flag, Growth, HarmStep, Level, LevelMap, Period, Ungraded
from schemas.pack.office import Archive, Findings, FollowUp, Outgoing, Publication, Review, Roster, Surge
from schemas.pack.press import Press
from schemas.pack.reports import Bulletin, DecisionRule, Notice, ReportRule
from schemas.pack.source import Model, PackId, Rule, Text, TimeZone, WrittenDay, once, rules
from schemas.pack.templates import Template
from schemas.pack.verification import Verification
from schemas.publish import StatementForm, StatementKind
from schemas.said import Said
from schemas.titles import titled
from schemas.triage import AnswerKind


class PackFact(Rule, FactKey):
    """A fact that the pack's office establishes, besides the facts on the deployment's list."""


OWN_CLOCKS = ("bulletin", "written_report", "growth", "notice", "promised_update", "statement_update")
"""Sections of a pack that are clocks under their own name."""


class Timed(NamedTuple):
    """What becomes a clock: its Chinese title and its limit."""

    title_zh: str
    limit: Limit


class PolicyPack(Model):
    """A whole pack. Levels rise from the first to the last."""

    id: PackId
    version: int = Field(ge=1)
    title: Text
    effective_from: WrittenDay
    timezone: TimeZone
    documents: dict[Text, Text]
    """Code of a source document -> its title."""
    flags: tuple[Flag, ...] = ()
    harm_scale: tuple[HarmStep, ...] = ()
    periods: tuple[Period, ...] = ()
    levels: tuple[Level, ...] = ()
    ungraded: Ungraded | None = None
    growth: Growth | None = None
    level_maps: tuple[LevelMap, ...] = ()
    facts: tuple[PackFact, ...] = ()
    verification: Verification | None = None
    answers: tuple[AnswerRule, ...] = ()
    clocks: tuple[ClockRule, ...] = ()
    workday: Workday | None = None
    """Needed if a limit counts working time."""
    reports: tuple[ReportRule, ...] = ()
    bulletin: Bulletin | None = None
    decisions: tuple[DecisionRule, ...] = ()
    notice: Notice | None = None
    ladder: tuple[Rung, ...] = ()
    assigning: Assigning | None = None
    emergency_plans: tuple[EmergencyPlan, ...] = ()
    """The plans that somebody may put in force; without any, a plan has any code."""
    answering: Answering = Answering()
    approval: Approval | None = None
    publication: Publication | None = None
    press: Press = Press()
    gates: tuple[Gate, ...] = ()
    """What texts must pass before they are approved."""
    templates: tuple[Template, ...] = ()
    """Texts with which drafts may begin."""
    follow_up: FollowUp | None = None
    review: Review = Review()
    archive: Archive | None = None
    roster: Roster | None = None
    surge: Surge | None = None
    findings: Findings | None = None
    outgoing: tuple[Outgoing, ...] | None = None
    """Of what posts are told outside of the product; None for everything."""

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

    def level_from(self, pack: str, level: str | None) -> str | None:
        """This pack's level for a level of the pack `pack`; None if it has none.

        Versions of one pack share their levels, unless the pack maps its own id.
        """
        mapped = next((one.levels for one in self.level_maps if one.pack == pack), None)
        if mapped is not None:
            return mapped.get(level or "")
        return level if pack == self.id and level in {one.code for one in self.levels} else None

    @property
    def lowest(self) -> str | None:
        """The level whose clocks run until a person grades the matter; None if none run."""
        return self.levels[0].code if self.levels and self.ungraded else None

    @property
    def codes(self) -> dict[str, tuple[str, ...]]:
        """The texts that names in conditions can have."""
        return {
            "flags": tuple(flag.code for flag in self.flags),
            "periods": tuple(period.code for period in self.periods),
            "level": tuple(level.code for level in self.levels),
            "answer_kind": get_args(AnswerKind),
            "statement_kind": get_args(StatementKind),
            "statement.form": get_args(StatementForm),
            "unit.kind": get_args(UnitKind),
        }

    @property
    def sees_periods(self) -> bool:
        """Whether a limit or report of the pack depends on the special periods of an office."""
        conditions = [*(clock.when for clock in self.clocks), *(report.when for report in self.reports)]
        return any("periods" in when for when in conditions if when) or bool(
            self.roster and self.roster.special and self.roster.outside_hours.value == "window_start"
        )

    @property
    def timed(self) -> dict[str, Timed]:
        """Everything that becomes a clock, by the clock's name."""
        found = {clock.name: Timed(clock.title_zh, clock.limit) for clock in self.clocks}
        for rule in self.reports:
            for hop in rule.hops:
                # Several hops of one report have one title: who gets it tells them apart.
                to = f"（{titled(hop.to, 'zh')}）" if len(rule.hops) > 1 else ""
                found[hop.code] = Timed(rule.title_zh + to, hop.limit)
        if self.bulletin:
            found["bulletin"] = Timed("报送舆情通报", self.bulletin.every)
        if written := self.review.written_report:
            found["written_report"] = Timed("书面总结报告", written.limit)
        if self.growth:
            found["growth"] = Timed("未平息即升级", self.growth.unless_ended)
        return found

    def clocks_for(self, level: str | None, answer_kind: AnswerKind | None) -> tuple[ClockRule, ...]:
        """The clocks of a matter of this level. `answer_kind` is None until it is chosen."""
        return tuple(clock for clock in self.clocks if clock.applies(level, answer_kind))

    @field_validator("ladder")
    @classmethod
    def _rises(cls, ladder: tuple[Rung, ...]) -> tuple[Rung, ...]:
        return rises(ladder)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        levels = [level.code for level in self.levels]
        once("levels", levels)
        once("flags", [flag.code for flag in self.flags])
        once("periods", [period.code for period in self.periods])
        once("answers", [answer.kind for answer in self.answers])
        hops = [hop.code for report in self.reports for hop in report.hops]
        timed = Said("clocks, and hops of reports", "clocks 和 reports 的各段")
        once(timed, [*(clock.name for clock in self.clocks), *hops])
        if taken := {*(clock.name for clock in self.clocks), *hops}.intersection(OWN_CLOCKS):
            others = ", ".join(sorted(taken))
            raise ValueError(
                Said(
                    f"{timed}: {others} names another section; rename it",
                    f"{timed.zh}: {others} 是另一部分的名称，请改名",
                )
            )
        once("gates", [gate.code for gate in self.gates])
        once("templates", [template.code for template in self.templates])
        once("emergency_plans", [plan.code for plan in self.emergency_plans])
        once("outgoing", [told.rule for told in self.outgoing or ()])
        once("archive.parts", [part.code for part in (self.archive.parts if self.archive else ())])
        for at, level in enumerate(self.levels):
            once(f"levels.{at}.conditions", [condition.code for condition in level.conditions])
        if any(lower.rank >= upper.rank for lower, upper in pairwise(self.levels)):
            raise ValueError(
                Said(
                    "levels: write them from the lowest to the highest, with rising rank",
                    "levels: 各等级请从低到高写，rank 依次增大",
                )
            )
        if self.levels and self.levels[0].conditions:
            raise ValueError(
                Said(
                    f"levels: {levels[0]} is the lowest level, and the lowest level has no conditions",
                    f"levels: {levels[0]} 是最低等级，最低等级没有条件",
                )
            )
        if self.ungraded and not levels:
            raise ValueError(
                Said("ungraded: this pack has no levels; remove it", "ungraded: 这个规则包没有等级，请删去")
            )
        if self.growth and self.growth.follows not in levels:
            raise ValueError(
                Said(
                    f"growth.follows: {self.growth.follows!r} is no level of this pack",
                    f"growth.follows: 这个规则包没有等级“{self.growth.follows}”",
                )
            )
        screening = self.answering.screening
        for name in screening.ends if screening else ():
            if name not in {clock.name for clock in self.clocks}:
                raise ValueError(
                    Said(
                        f"answering.screening.ends: {name!r} is no clock of this pack",
                        f"answering.screening.ends: 这个规则包没有时限“{name}”",
                    )
                )
        periods = [period.code for period in self.periods]
        for coverage in self.roster.special if self.roster else ():
            if coverage.period not in periods:
                raise ValueError(
                    Said(
                        f"roster.special: {coverage.period!r} is no period of this pack",
                        f"roster.special: 这个规则包没有特殊时期“{coverage.period}”",
                    )
                )
        for place, rule in rules(self):
            named = getattr(rule, "levels", None) or ()
            for code in named.values() if isinstance(named, dict) else named:
                if isinstance(code, str) and code not in levels:
                    raise ValueError(
                        Said(
                            f"{place}: {code!r} is no level of this pack; its levels are {', '.join(levels)}",
                            f"{place}: 这个规则包没有等级“{code}”，它的等级有：{'、'.join(levels)}",
                        )
                    )
            for document in rule.source.documents:
                if document not in self.documents:
                    raise ValueError(_no_document(place, document))
        limits = list(limits_of(self))
        for place, limit in limits:
            for document in limit.source.documents if limit.source else ():
                if document not in self.documents:
                    raise ValueError(_no_document(place, document))
        if self.workday is None and any(limit.mode == "working_time" for _, limit in limits):
            raise ValueError(
                Said(
                    "workday: a limit counts working time; give the working hours",
                    "workday: 有的时限按工作时间计算，请写出上下班时间",
                )
            )
        return self


def limits_of(part: object, place: str = "") -> Iterator[tuple[str, Limit]]:
    """Every limit in a pack, with its dotted place (`clocks.3.limit`)."""
    if isinstance(part, Limit):
        yield place, part
    elif isinstance(part, Model):
        for name, field in type(part).model_fields.items():
            yield from limits_of(getattr(part, name), f"{place}.{field.alias or name}" if place else name)
    elif isinstance(part, tuple):
        for index, item in enumerate(part):
            yield from limits_of(item, f"{place}.{index}")


def _no_document(place: str, document: str) -> Said:
    return Said(
        f"{place}.source: the document {document!r} is missing under `documents`",
        f"{place}.source: `documents` 里没有文件“{document}”",
    )
