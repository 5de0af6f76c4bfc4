"""What a matter owes by its milestones, and what the record does not say of it yet. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest

from schemas import escalation as e
from schemas.fields import Fact
from schemas.pack import PolicyPack
from services.escalation.clock import clocks, eras, promises
from services.escalation.clock.clocks import Clock
from services.escalation.clock.eras import Era, Move
from services.escalation.clock.milestones import accountable, is_own
from services.escalation.clock.terms import Office, Terms
from services.escalation.rights import pack_of
from services.escalation.state import OnRecord, State
from services.escalation.upward import notices, obligations
from services.kernel.core.decider import Ctx, Occurred
from services.kernel.core.units import LoadedPack, Offices


def pack_in_force(state: State, ctx: Ctx) -> LoadedPack | None:
    """The matter's pack. None while the unit or the pack has not arrived yet: the duties are derived later."""
    return pack_of(state.policy, state.unit or "", ctx.offices)


def by_pack(facts: Sequence[Fact | Occurred], pack: LoadedPack | None, ctx: Ctx) -> list[Occurred]:
    """The facts as events that rest on the pack and on the tree of units."""
    ref = pack.ref if pack else None
    items = (fact if isinstance(fact, Occurred) else Occurred(fact) for fact in facts)
    return [replace(item, policy=ref, basis=ctx.offices.basis) for item in items]


def derive(state: State, pack: LoadedPack | None, ctx: Ctx) -> tuple[Clock, ...]:
    """All clocks of the matter, past and present; none without a pack."""
    if pack is None:
        return ()
    own = notices.clocks(state.notices, state.milestones)
    public = _of_public_texts(state, pack, ctx.offices)
    return tuple(_kept(clock, state, ctx) for clock in (*by_eras(state, pack, ctx.offices), *own, *public))


def _of_public_texts(state: State, pack: LoadedPack, offices: Offices) -> Iterator[Clock]:
    """What public texts owe; nothing is looked at while there are none."""
    if all(one.statement is None for one in state.milestones):
        return
    told = _eras(state, pack, offices)

    def pack_at(at: datetime) -> PolicyPack:
        found = (era.pack.model for era in reversed(told) if era.since is None or era.since <= at)
        return next(found, pack.model)

    yield from promises.clocks(state.past, pack_at, terms_of(state, offices))


def by_eras(state: State, pack: LoadedPack, offices: Offices) -> tuple[Clock, ...]:
    """The matter's clocks and hops under its packs, one after the other; `pack` is the present one."""
    terms = terms_of(state, offices)

    def under(past: Sequence[e.ClockMilestoneReached], pack: LoadedPack) -> tuple[Clock, ...]:
        return obligations.derive(past, pack.model, offices, terms)

    def anew(clock: Clock, at: datetime, pack: LoadedPack) -> Clock:
        return clocks.anew(clock, at, pack.model, terms)

    return eras.derive(state.past, _eras(state, pack, offices), under, anew)


def pack_of_clock(state: State, name: str, ctx: Ctx) -> LoadedPack | None:
    """The pack by which a clock runs: the matter's, or the earlier one by which the clock goes on after a move."""
    pack = pack_in_force(state, ctx)
    if len(state.moves) < 2:
        return pack
    found = next((clock for clock in derive(state, pack, ctx) if clock.name == name and clock.policy), None)
    return pack_of(found.policy, state.unit or "", ctx.offices) if found else pack


def terms_of(state: State, offices: Offices) -> Terms:
    """What the matter's limits depend on besides its milestones."""
    handed = [
        Office(
            min(one.happened_at, one.recorded_at),
            one.recorded_at,
            getattr(offices.ever.get(one.unit or ""), "kind", None),
            offices.own_days(one.unit or ""),
            offices.periods_of(one.unit or ""),
        )
        for one in state.past
        if one.milestone in ("opened", "transferred") and is_own(one)
    ]
    return replace(state.terms, offices=tuple(handed))


def _eras(state: State, pack: LoadedPack, offices: Offices) -> list[Era]:
    """The packs of the matter, one after the other; `pack` is the present one."""
    past, told = state.past, state.moves or [Move(None, pack.ref)]
    found: list[Era] = []
    for move, following in zip_longest(told, told[1:]):
        since = move.at or past[0].recorded_at
        unit = accountable(past, since) or state.unit or ""
        whole = offices.packs.get(move.policy, pack)
        found += eras.with_values(whole, move.at, since, following and following.at, unit, offices)
    return found


def _kept(clock: Clock, state: State, ctx: Ctx) -> Clock:
    """The clock, with the due instant on record if the derived one became earlier and has passed already.

    So what changes the calendar or the rules moves no limit into the past.
    """
    known = state.clocks.get(clock.name)
    if known is None or known.cancelled or known.started.since != clock.since:
        return clock
    if not clock.due < min(known.started.due, ctx.now):
        return clock
    started = known.started
    return replace(clock, due=started.due, due_is_late=started.due_is_late, provisional=False, warns=started.warns)


def difference(state: State, pack: LoadedPack | None, ctx: Ctx) -> list[Fact | Occurred]:
    """The events that make the record agree with the milestones. Each event's time is when its change happened."""
    return unsaid(state, derive(state, pack, ctx)) if pack else []


def unsaid(state: State, derived: Sequence[Clock]) -> list[Fact | Occurred]:
    """The events that the record lacks to agree with the derived clocks."""
    gone = state.clocks.keys() - {clock.name for clock in derived}
    facts: list[Fact | Occurred] = [fact for name in sorted(gone) for fact in _stopped(state.clocks[name])]
    for clock in derived:
        known = state.clocks.get(clock.name)
        facts += _changed(clock, known, _goes_on_by(clock, known, state.policy))
    return facts


def _stopped(known: OnRecord) -> Iterator[Fact]:
    name = known.started.clock
    if known.breach:
        yield e.ClockBreachAnnulled(clock=name, cause="start_changed")
    if not known.cancelled:
        yield e.ClockCancelled(clock=name, cause="start_changed")


def _goes_on_by(clock: Clock, known: OnRecord | None, policy: str | None) -> str | None:
    """The earlier pack by which people still decide on the clock. Once it has ended, it stays as it is on record."""
    deferred = clock.cancelled is not None and clock.cancelled.cause == "deferred"
    if clock.runs or deferred:
        return clock.policy if clock.policy != policy else None
    return known.started.policy if known else None


def _changed(clock: Clock, known: OnRecord | None, policy: str | None) -> Iterator[Fact | Occurred]:
    """The difference of one clock. A repeated `clock.started` replaces the earlier one."""
    name = clock.name
    started = e.ClockStarted(
        clock=name,
        unit=clock.unit,
        since=clock.since,
        due=clock.due,
        first_answer=clock.first_answer,
        provisional=clock.provisional,
        counts_work=clock.counts_work,
        due_is_late=clock.due_is_late,
        warns=clock.warns,
        paused_at=clock.paused_at,
        policy=policy,
    )
    if known and known.breach:
        if (known.breach.due, known.breach.unit) != (clock.due, clock.unit):
            yield e.ClockBreachAnnulled(clock=name, cause="start_changed")
        elif not clock.overdue(known.breach.detected_at):
            yield e.ClockBreachAnnulled(clock=name, cause="recorded_in_time")
    revived = known and ((known.cancelled and not clock.cancelled) or (known.met_at and not clock.met_at))
    if known is None or known.started != started or revived:
        yield Occurred(started, time=clock.since)
        known = OnRecord(started)
    if clock.met_at and (known.met_at, known.happened_at) != (clock.met_at, clock.happened_at):
        met = e.ClockMet(clock=name, met_at=clock.met_at, late=clock.late, happened_at=clock.happened_at)
        yield Occurred(met, time=clock.met_at)
    if clock.cancelled and not known.cancelled:
        yield Occurred(e.ClockCancelled(clock=name, cause=clock.cancelled.cause), time=clock.cancelled.at)
