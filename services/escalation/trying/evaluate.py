"""What a pack's rules say of a matter, from its facts alone. Pure: the same facts give the same answer.

Nothing is ruled here. The facts become the milestones that the services would have recorded, and the services' own
functions decide: grading proposes, escalation's decider runs the clocks and the ladder, publish chooses the approval.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter

from schemas import escalation as e
from schemas.fields import instant
from schemas.pack.clocks import Act, ClockRule
from schemas.pack.source import Rule, Source
from services.escalation.clock import growth
from services.escalation.clock.clocks import Clock
from services.escalation.clock.duties import terms_of
from services.escalation.clock.milestones import level_of
from services.escalation.state import OnRecord, State
from services.escalation.trying.course import Course, gravity
from services.escalation.trying.facts import Facts, Unfit
from services.escalation.upward import obligations
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.rules import approval, grading
from services.kernel.rules.conditions import Context, Figures

_DURATION = TypeAdapter(timedelta)


def evaluate(pack: LoadedPack, facts: Facts) -> dict[str, Any]:
    """The answer of the rules, ready for JSON, with its keys in a fixed order.

    Raises `Unfit` if the facts name a level, a step of harm or a clock that the pack does not have.
    """
    return answer(matter_of(pack, facts))


def matter_of(pack: LoadedPack, facts: Facts) -> "Matter":
    """What the rules look at, from the facts. Raises `Unfit`."""
    _fits(pack, facts)
    course = Course(pack, facts)
    classified = any(reached.milestone == "classified" for reached in course.state.milestones)
    grave = tuple(fact for fact in gravity(facts) if fact.at <= facts.until)
    nature = _nature(facts, classified)
    return Matter(pack, course.offices, course.state, grave, nature, facts.until, tuple(course.told))


def _fits(pack: LoadedPack, facts: Facts) -> None:
    levels = [level.code for level in pack.model.levels]
    for graded in facts.gradings:
        if graded.level not in levels:
            told = f"its levels are {', '.join(levels)}" if levels else "it has no levels; leave `graded` out"
            raise Unfit(f"graded: {graded.level!r} is no level of {pack.name}; {told}")
    steps = [step.value for step in pack.model.harm_scale]
    if facts.harm is not None and steps and facts.harm not in steps:
        raise Unfit(f"harm: {facts.harm} is no step of {pack.name}; its steps are {', '.join(map(str, steps))}")
    movable = [clock.name for clock in pack.model.clocks if clock.per_case or clock.extension]
    for limit in facts.limits:
        if limit.clock.partition("#")[0] not in movable:
            told = (
                f"a person sets or moves {', '.join(movable)}" if movable else "it has none that a person sets or moves"
            )
            raise Unfit(f"limits: {pack.name} lets nobody set {limit.clock!r}; {told}")


class Matter(NamedTuple):
    """What the rules look at: a matter's clock stream, how grave it is, and what chooses its chain of approvals."""

    pack: LoadedPack
    offices: Offices
    state: State
    gravity: tuple[grading.Fact, ...]
    nature: Context
    """All but its figures, flags, harm and level."""
    until: datetime
    told: tuple[tuple[datetime, e.ClockReminderSent], ...] = ()
    """What the ladder sent, and when."""
    reports: int | None = None
    """How many reports it has."""

    @property
    def level(self) -> str | None:
        """The level in force; before the first grading the one whose clocks run, if the pack has any."""
        return level_of(self.state.past) or self.pack.model.lowest

    @property
    def context(self) -> Context:
        """What conditions look at."""
        now = grading.gravity(self.gravity, self.reports)
        grave = {"flags": now.flags, "harm": now.harm} if now else {}
        figures = now.figures if now else Figures(reports=self.reports)
        periods = self.offices.periods_at(self.state.unit or "", self.until)
        return self.nature.model_copy(update={**grave, "figures": figures, "level": self.level, "periods": periods})


def answer(matter: Matter) -> dict[str, Any]:
    """What the rules say of the matter, ready for JSON, with its keys in a fixed order."""
    model, past, offices = matter.pack.model, matter.state.past, matter.offices
    proposal = grading.proposed(matter.pack, matter.gravity, matter.reports)
    leads = next((one.leads for one in model.levels if one.code == matter.level), None)
    chain = approval.chain_of(matter.pack, matter.context)
    reports = obligations.report_to(past, model, offices)
    found = derived(matter)
    running = [(clock, matter.state.clocks[clock.name]) for clock in found if clock.name in matter.state.clocks]
    return {
        "pack": matter.pack.name,
        "proposed": {"level": proposal.level, "rule": proposal.rule} if proposal else None,
        "level": matter.level,
        "lead": {"who": leads.who, "how": leads.how} if leads else None,
        "approval": [
            {"step": step.code, "who": list(step.who), "quorum": step.quorum} for step in (chain.steps if chain else ())
        ],
        "report_to": [
            {
                "who": owed.hop.to,
                "owed_by": owed.owed_by,
                "form": owed.hop.form,
                "clock": None if owed.hop.limit.is_open else owed.hop.code,
            }
            for owed in reports
        ],
        "clocks": [_clock(clock, record, matter) for clock, record in running],
        "ladder": [
            {
                "rung": sent.rung,
                "at": instant(at),
                "told": sent.told,
                "names": sent.unit if sent.rung == "circular" else None,
            }
            for at, sent in matter.told
        ],
        "rules": [{"rule": name, "clause": _clause(source), "basis": source.kind} for name, source in sources(matter)],
    }


def _nature(facts: Facts, classified: bool) -> Context:
    """What the facts say of the matter besides its gravity, as of the time at which it is looked at."""
    return Context(
        category=facts.category,
        unit=facts.unit.kind,
        answer_kind=facts.answer_kind if classified else None,
    )


def _clock(clock: Clock, record: OnRecord, matter: Matter) -> dict[str, Any]:
    started, until = record.started, matter.until
    spec = rule_of(clock.name, matter.pack)
    happened = _happened(clock, record, matter)
    if record.met_at is not None:
        state = "late" if clock.late else "met"
    elif record.breach is not None:
        state = "breached"
    else:
        state = "cancelled" if record.cancelled else "running"
    stopped = min(until, clock.cancelled.at) if clock.cancelled else until
    ended = record.met_at or (stopped if record.breach else None)
    late = state in ("late", "breached") and ended is not None
    return {
        "name": clock.name,
        "unit": started.unit,
        "from": instant(started.since),
        "due": instant(started.due),
        "provisional": started.provisional,
        "state": state,
        "met_at": instant(record.met_at) if record.met_at else None,
        "late_by": _lateness(ended, started.due) if late and ended else None,
        "late_by_happened": _lateness(happened or ended, started.due) if late and ended else None,
        "clause": _clause(spec.source) if spec else None,
    }


def _lateness(at: datetime, due: datetime) -> str:
    return str(_DURATION.dump_python(max(at - due, timedelta()), mode="json"))


def _happened(clock: Clock, record: OnRecord, matter: Matter) -> datetime | None:
    """When the act that met the clock happened, which may be long before its recording."""
    spec = rule_of(clock.name, matter.pack)
    return min(
        (
            reached.happened_at
            for reached in matter.state.milestones
            if reached.recorded_at == record.met_at
            and (
                spec.is_met_by(cast("Act", reached.milestone))
                if isinstance(spec, ClockRule)
                else reached.milestone == "received"
            )
        ),
        default=None,
    )


def rule_of(name: str, pack: LoadedPack) -> Rule | None:
    """The rule of a clock's name: a clock, a hop, or one of the limits that are named by what is owed."""
    code, model = name.partition("#")[0], pack.model
    rules: dict[str, Rule | None] = {
        obligations.BULLETIN: model.bulletin,
        obligations.WRITTEN_REPORT: model.review.written_report,
        growth.GROWTH: model.growth,
    }
    rules |= {hop.code: hop for report in model.reports for hop in report.hops}
    return (rules | {clock.name: clock for clock in model.clocks}).get(code)


def derived(matter: Matter) -> tuple[Clock, ...]:
    """The matter's clocks and hops by its pack, from its milestones."""
    terms = terms_of(matter.state, matter.offices)
    return obligations.derive(matter.state.past, matter.pack.model, matter.offices, terms)


def sources(matter: Matter) -> Iterator[tuple[str, Source]]:
    """The rules that apply, each by its name with its source."""
    model, past = matter.pack.model, matter.state.past
    proposal = grading.proposed(matter.pack, matter.gravity, matter.reports)
    for one in model.levels:
        for condition in one.conditions:
            if proposal and proposal.rule == f"{one.code}/{condition.code}":
                yield f"levels.{proposal.rule}", condition.source
        if one.code == matter.level:
            yield f"levels.{one.code}", one.source
            if one.leads:
                yield f"levels.{one.code}.leads", one.leads.source
    if chain := approval.chain_of(matter.pack, matter.context):
        yield f"approval.{chain.code}", chain.source
    for owed in obligations.report_to(past, model, matter.offices):
        yield f"reports.{owed.rule.code}.{owed.hop.code}", owed.hop.source
    names = {name.partition("#")[0] for name in matter.state.clocks}
    for spec in model.clocks:
        if spec.name in names:
            yield f"clocks.{spec.name}", spec.source
    reached = {sent.rung for _, sent in matter.told}
    for rung in model.ladder:
        if rung.rung in reached:
            yield f"ladder.{rung.rung}", rung.source


def _clause(source: Source) -> str | None:
    """Document and clause, such as `000 L18 三(三)`; None for a rule of our own."""
    return " ".join(part for part in (source.document, source.clause) if part) or None
