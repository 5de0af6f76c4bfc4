"""The judgement of limits that have passed: breaches, warnings, growth, and the rungs of the ladder. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from schemas import escalation as e
from schemas.fields import Fact
from schemas.pack.clocks import Rung
from services.escalation.clock.clocks import Clock
from services.escalation.clock.duties import by_pack, derive, pack_in_force, unsaid
from services.escalation.clock.growth import GROWTH
from services.escalation.clock.milestones import accountable, assigned, counted, is_own
from services.escalation.clock.terms import Terms
from services.escalation.commands import DetectBreaches
from services.escalation.rights import pack_of
from services.escalation.state import State
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.units import LoadedPack

EXPLAINS = frozenset(
    {"explained", "replied", "delay_explained", "returned", "resolved", "status_published", "facts_published"}
)
"""A reply or an explanation. After one of these, no circular names anybody."""


def detect(state: State, command: DetectBreaches, ctx: Ctx) -> Decided:
    """The breaches, warnings and rungs that are due before `command.until`."""
    pack = pack_in_force(state, ctx)
    if pack is None:
        return []
    derived = derive(state, pack, ctx)
    if grew := next((clock for clock in derived if clock.name == GROWTH and clock.overdue(command.until)), None):
        return _grown(state, grew, command, ctx)
    facts = unsaid(state, derived)
    annulled = {fact.clock for fact in facts if isinstance(fact, e.ClockBreachAnnulled)}
    for clock in derived:
        known = state.clocks.get(clock.name)
        by = (clock.policy and pack_of(clock.policy, state.unit or "", ctx.offices)) or pack
        ladder = [rung for rung in by.model.ladder if not (rung.after and rung.after.is_open)]
        if known and known.excused:
            continue
        stands = known is not None and known.breach is not None and clock.name not in annulled
        if not stands and clock.overdue(command.until):
            breached = e.ClockBreached(
                clock=clock.name,
                unit=clock.unit,
                due=clock.due,
                detected_at=ctx.now,
                incomplete=command.incomplete,
                next_at=_next_rung(_times(ladder, ctx.now, by, ctx, clock.unit), known.rungs if known else {}),
            )
            facts.append(Occurred(breached, time=clock.due))
        elif known and known.breach and stands and clock.runs:
            times = _times(ladder, known.breach.detected_at, by, ctx, clock.unit)
            facts += _climbed(state, clock, known.rungs, times, command.until, ctx)
        elif known and _warns(clock, known.warned, command.until):
            facts.append(e.ClockWarned(clock=clock.name, unit=clock.unit, due=clock.due))
    return by_pack(facts, pack, ctx)


def _grown(state: State, limit: Clock, command: DetectBreaches, ctx: Ctx) -> Decided:
    """A matter that did not end within the limit follows another level. That is no breach. The rest is judged then."""
    reached = e.ClockMilestoneReached(
        milestone="grown",
        happened_at=limit.due,
        recorded_at=command.until,
        event=ctx.ids.new(""),
        unit=state.unit,
    )
    after = replace(state, milestones=(*state.milestones, reached))
    recorded = Occurred(reached, time=reached.happened_at)
    return [*by_pack([recorded], pack_in_force(after, ctx), ctx), *detect(after, command, ctx)]


Times = Sequence[tuple[Rung, datetime]]
"""The rungs, each with its time if none of them is late."""


def _times(ladder: Sequence[Rung], detected_at: datetime, pack: LoadedPack, ctx: Ctx, unit: str) -> Times:
    """Each rung follows the detection by the pack's limit, or stands at the detection."""
    terms = Terms(own=ctx.offices.own_days(unit))
    return [
        (rung, terms.ends(detected_at, rung.after, pack.model).at if rung.after else detected_at) for rung in ladder
    ]


def _climbed(
    state: State, clock: Clock, sent: Mapping[e.Rung, datetime], times: Times, until: datetime, ctx: Ctx
) -> Iterator[Fact]:
    """The rung that is due, if any.

    Each follows the one before it by the difference of their times, and the first follows the detection.

    So nobody gets all rungs at once, neither for a matter that was entered late nor after a time without judging.
    """
    due = _next_rung(times, sent)
    if due is None or due >= until:
        return
    (rung, at), *later = [(rung, at) for rung, at in times if rung.rung not in sent]
    next_at = ctx.now + (later[0][1] - at) if later else None
    if rung.spares_explained and explained(state, clock):
        yield e.ClockReminderSpared(clock=clock.name, rung=rung.rung, unit=clock.unit, due=due, next_at=next_at)
        return
    for told in _told(rung, clock.unit, ctx):
        yield e.ClockReminderSent(
            clock=clock.name, rung=rung.rung, unit=clock.unit, told=told, due=due, next_at=next_at
        )


def _next_rung(times: Times, sent: Mapping[e.Rung, datetime]) -> datetime | None:
    """When the next rung is due; None after the last one."""
    waiting = [at for rung, at in times if rung.rung not in sent]
    if not waiting:
        return None
    return max([waiting[0], *(sent[rung.rung] + (waiting[0] - at) for rung, at in times if rung.rung in sent)])


def _warns(clock: Clock, warned: datetime | None, until: datetime) -> bool:
    """Whether the unit is to be warned now. Of several times that have passed, one warning is enough."""
    passed = [at for at in clock.warns if clock.since <= at < until]
    return clock.runs and bool(passed) and clock.paused_at is None and (warned is None or warned < passed[-1])


def _told(rung: Rung, unit: str, ctx: Ctx) -> list[str]:
    parent = ctx.offices.parent(unit) or unit
    return list(dict.fromkeys(unit if who == "unit" else parent for who in rung.tells))


def explained(state: State, clock: Clock) -> bool:
    """Whether the office replied or explained itself since the clock began (ESC-10)."""
    past = state.past
    return any(
        reached.milestone in EXPLAINS and reached.recorded_at >= clock.since and _speaks(reached, clock, past)
        for reached in counted(past)
    )


def _speaks(reached: e.ClockMilestoneReached, clock: Clock, past: Sequence[e.ClockMilestoneReached]) -> bool:
    """Whether this excuses the charged unit.

    A reply or an explanation is that of the office: of a unit that then worked on the matter. A unit that never did,
    such as the one that held a report, explains itself.
    """
    if reached.unit is None or not is_own(reached):
        return True
    if clock.unit not in (accountable(past, clock.due), assigned(past, clock.due)):
        return reached.unit == clock.unit
    at = reached.recorded_at
    working = (clock.unit, accountable(past, at), assigned(past, at))
    return reached.milestone != "delay_explained" or reached.unit in working
