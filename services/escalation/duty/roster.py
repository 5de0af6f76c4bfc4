"""The rules of a duty roster, one stream for each unit: who is on duty when, and what nobody took up.

Posts, never persons. A unit's desk begins with its first plan, or when its information officer is named.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from services.escalation.commands import (
    CancelDuty,
    Duty,
    HandOver,
    HoldReport,
    NameSubstitute,
    OfRoster,
    PlanDuties,
    ReviewRoster,
    SignOn,
    TestReachability,
)
from services.escalation.duty import outlook
from services.escalation.duty.coverage import Span
from services.escalation.duty.desk import EVERY_ROLE, LATE, AtDesk, Shift
from services.escalation.rights import AT_DESK
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Rejected

AHEAD = timedelta(hours=24)
"""How long before it begins a gap is found."""
LOOKS_BACK = timedelta(days=7)
"""Gaps that began earlier, while no process watched, are not looked for."""
LONGEST = timedelta(days=7)
"""The longest duty."""
FARTHEST = timedelta(days=366)
"""How far ahead a duty can be planned."""
Shifts = Mapping[tuple[str, datetime], Shift]


@dataclass(frozen=True, slots=True)
class State:
    """A unit's roster. `ahead` and `begun` are the gaps that were found before and when they began."""

    began: datetime | None = None
    """When the desk began."""
    shifts: Shifts = field(default_factory=dict)
    """(post, since) -> the planned duty."""
    ahead: frozenset[Span] = frozenset()
    begun: frozenset[Span] = frozenset()
    missed: frozenset[tuple[str, datetime]] = frozenset()
    """Duties to which nobody signed on in time, as found."""
    held: tuple[str, ...] = ()
    """The matters whose reports wait for the next post on duty."""


def stream_of_unit(unit: str) -> str:
    """The roster stream of a unit."""
    return f"roster-{derived('roster', unit)}"


def initial_state() -> State:
    """Nothing is planned."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The roster after the event."""
    if state.began is None:
        state = replace(state, began=event.recorded)
    match event.data:
        case e.RosterDutyPlanned() as data:
            shift = Shift(data.post, data.since, data.until, data.substitute)
            return replace(state, shifts={**state.shifts, (data.post, data.since): shift})
        case e.RosterDutyCancelled() as data:
            left = {key: shift for key, shift in state.shifts.items() if key != (data.post, data.since)}
            return replace(state, shifts=left)
        case e.RosterSubstituteNamed() as data:
            return _with(state, data, substitute=data.substitute)
        case e.RosterSignedOn() as data:
            waiting = tuple(one for one in state.held if one not in frozenset(data.held))
            return replace(_with(state, data, by=data.by, signed_on=event.recorded), held=waiting)
        case e.RosterDutyHandedOver() as data:
            return _with(state, data, handed_over=event.recorded)
        case e.RosterDutyEnded() as data:
            return _with(state, data, ended=True)
        case e.RosterDutyGapFound(cause="not_signed_on", post=str() as post) as data:
            return replace(state, missed=state.missed | {(post, data.since)})
        case e.RosterDutyGapFound() as data:
            span = Span(data.since, data.until)
            return (
                replace(state, ahead=state.ahead | {span}) if data.ahead else replace(state, begun=state.begun | {span})
            )
        case e.RosterDutyGapClosed() as data:
            return replace(state, ahead=state.ahead - {Span(data.since, data.until)})
        case e.RosterReportHeld() as data:
            return replace(state, held=(*state.held, data.incident))
    return state


def _with(state: State, data: Any, **changed: Any) -> State:
    known = state.shifts.get((data.post, data.since))
    if known is None:
        return state
    return replace(state, shifts={**state.shifts, (data.post, data.since): known._replace(**changed)})


def authorize(state: State, command: OfRoster, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor may not do this at the unit's desk, and `Malformed` if there is no such unit."""
    if right := AT_DESK.get(type(command)):
        ctx.offices.unit(command.unit)
        right.require(AtDesk.of(command.unit, state.shifts.values(), ctx), ctx)


def decide(state: State, command: OfRoster, ctx: Ctx) -> Decided:
    """The new events."""
    authorize(state, command, ctx)
    if right := AT_DESK.get(type(command)):
        right.refuse(AtDesk.of(command.unit, state.shifts.values(), ctx), ctx)
    match command:
        case PlanDuties():
            return list(_planned(state, command, ctx))
        case CancelDuty():
            shift = _to_come(state, command.post, command.since, ctx)
            reason = Typed(text=command.reason)
            return [
                e.RosterDutyCancelled(
                    unit=command.unit, post=shift.post, since=shift.since, until=shift.until, reason=reason
                )
            ]
        case NameSubstitute():
            return _substituted(state, command, ctx)
        case SignOn():
            return _signed_on(state, command, ctx)
        case HandOver():
            return _handed_over(state, command, ctx)
        case TestReachability():
            ctx.offices.post(command.post)
            tested = e.RosterReachabilityTested(
                unit=command.unit, post=command.post, way=command.way, reached=command.reached
            )
            return [tested]
        case HoldReport():
            return _held(state, command, ctx)
        case ReviewRoster():
            return list(_found(state, command, ctx))
    raise TypeError(f"no rule for {type(command).__name__}")


def _planned(state: State, command: PlanDuties, ctx: Ctx) -> Iterator[Fact]:
    """One event for each duty that is new or changed. One that has begun stays as it was planned.

    Several posts may be on duty at once, such as a leader besides the officer, but no post twice.
    """
    plan = dict(state.shifts)
    for index, duty in enumerate(command.duties):
        _must_serve(command.unit, duty.post, f"duties.{index}.post", ctx)
        if duty.substitute:
            _must_serve(command.unit, duty.substitute, f"duties.{index}.substitute", ctx)
    for duty in dict.fromkeys(command.duties):
        known = state.shifts.get((duty.post, duty.since))
        if known and (known.until, known.substitute) == (duty.until, duty.substitute):
            continue
        if duty.since < ctx.now or (known and known.by):
            raise _begun(duty, ctx)
        _must_be_near(duty, ctx)
        plan[duty.post, duty.since] = Shift(duty.post, duty.since, duty.until, duty.substitute)
        yield e.RosterDutyPlanned(
            unit=command.unit, post=duty.post, since=duty.since, until=duty.until, substitute=duty.substitute
        )
    for duty in command.duties:
        _must_be_free(duty, plan.values())


def _must_be_free(duty: Duty, plan: Iterable[Shift]) -> None:
    """Raises `Rejected` if the post has another duty at that time. A duty that was handed over ends then."""
    for other in plan:
        ends = min(other.handed_over or other.until, other.until)
        if other.post == duty.post and other.since != duty.since and other.since < duty.until and duty.since < ends:
            raise Rejected(
                f"{duty.post} has a duty from {other.since.isoformat()} until {other.until.isoformat()} already; plan "
                "another post for that time, or correct or cancel one of the two",
                code="duty-overlaps",
                post=duty.post,
                since=other.since,
                until=other.until,
            )


def _must_serve(unit: str, name: str, field: str, ctx: Ctx) -> None:
    """Raises `Malformed` for a post that could not sign on at the unit's desk."""
    post, of = ctx.offices.post(name, field), name.partition("@")[2]
    if not post.roles & {*EVERY_ROLE} or not ctx.offices.within(unit, of):
        raise Malformed(
            f"{field}: {name} could not sign on at {unit}; take a post of it, or of a unit above, that has a role",
            code="post-not-for-desk",
            field=field,
            post=name,
            unit=unit,
        )


def _must_be_near(duty: Duty, ctx: Ctx) -> None:
    """Raises `Malformed` for a duty that nobody means: with a wrong year it would hide every gap before its end."""
    if duty.until - duty.since > LONGEST:
        raise Malformed(
            f"until: a duty lasts at most {LONGEST.days} days; plan one after the other",
            code="duty-too-long",
            field="until",
            days=LONGEST.days,
        )
    if duty.since > ctx.now + FARTHEST:
        raise Malformed(
            f"since: a duty is planned at most {FARTHEST.days} days ahead; look at the year",
            code="duty-too-far",
            field="since",
            days=FARTHEST.days,
        )


def _begun(duty: Duty | Shift, ctx: Ctx) -> Rejected:
    return Rejected(
        f"the duty of {duty.post} from {duty.since.isoformat()} has begun or was taken up; a plan can be made and "
        "corrected before that. Name a substitute for a post that does not come, or plan a further duty",
        code="duty-begun",
        post=duty.post,
        since=duty.since,
    )


def _meant(state: State, post: str, since: datetime) -> Shift:
    known = state.shifts.get((post, since))
    if known is None:
        raise Malformed(
            f"since: no duty of {post} begins at {since.isoformat()}; look at the roster",
            code="duty-unknown",
            field="since",
            post=post,
            since=since,
        )
    return known


def _to_come(state: State, post: str, since: datetime, ctx: Ctx) -> Shift:
    known = _meant(state, post, since)
    if known.since < ctx.now or known.by:
        raise _begun(known, ctx)
    return known


def _substituted(state: State, command: NameSubstitute, ctx: Ctx) -> Decided:
    """A substitute can be named until the duty is taken up or over."""
    shift = _meant(state, command.post, command.since)
    _must_serve(command.unit, command.substitute, "substitute", ctx)
    if shift.by is not None or shift.until <= ctx.now:
        raise Rejected(
            f"the duty of {shift.post} from {shift.since.isoformat()} was taken up or is over; it needs no substitute",
            code="duty-taken",
            post=shift.post,
            since=shift.since,
        )
    named = e.RosterSubstituteNamed(
        unit=command.unit,
        post=shift.post,
        since=shift.since,
        substitute=command.substitute,
        reason=Typed(text=command.reason),
    )
    return [] if shift.substitute == command.substitute else [named]


def _signed_on(state: State, command: SignOn, ctx: Ctx) -> Decided:
    shift = AtDesk.of(command.unit, state.shifts.values(), ctx).to_sign
    assert shift, "the right refuses it"
    held = tuple(dict.fromkeys(state.held))[:500]
    signed = e.RosterSignedOn(unit=command.unit, post=shift.post, since=shift.since, by=ctx.actor.post, held=held)
    return [signed]


def _handed_over(state: State, command: HandOver, ctx: Ctx) -> Decided:
    own = AtDesk.of(command.unit, state.shifts.values(), ctx).own
    assert own, "the right refuses it"
    to = command.to or _next(state.shifts.values(), own, command.unit, ctx)
    ctx.offices.post(to, "to")
    handed = e.RosterDutyHandedOver(
        unit=command.unit,
        post=own.post,
        since=own.since,
        to=to,
        note=Typed(text=command.note),
        open=ctx.seen.get("open", 0),
        incidents=tuple(ctx.seen.get("incidents", ())),
    )
    return [handed]


def _next(shifts: Iterable[Shift], own: Shift, unit: str, ctx: Ctx) -> str:
    """The post of the next duty. Only if none begins later, it is one that is on duty besides."""
    present = (one for one in shifts if one.until > ctx.now and one.handed_over is None)
    others = [one for one in present if one.since >= own.since and one != own]
    if not others:
        raise Rejected(
            f"no further duty is planned for {unit}; plan it, or name the post with `to`",
            code="no-next-duty",
            unit=unit,
        )
    return min(others, key=lambda one: (one.since == own.since, one.since, one.post)).post


def is_staffed(shifts: Iterable[Shift], at: datetime) -> bool:
    """Whether a post is on duty at an instant."""
    return any(shift.on_duty(at) for shift in shifts)


def _held(state: State, command: HoldReport, ctx: Ctx) -> Decided:
    """A report of a matter that waits already, or that came while somebody was on duty, is not held.

    Nor is one of which escalation hears only when somebody has signed on meanwhile: the next post is there.
    """
    there = any(is_staffed(state.shifts.values(), at) for at in (command.at, ctx.now))
    if state.began is None or there or command.incident in state.held:
        return []
    if outlook.rules(command.unit, ctx) is None:
        return []
    held = e.RosterReportHeld(
        unit=command.unit, incident=command.incident, report=command.report, told=ctx.offices.head(command.unit)
    )
    return [Occurred(held, time=command.at, basis=ctx.offices.basis, unit=command.unit)]


def has_desk(state: State, unit: str, ctx: Ctx) -> bool:
    """Whether the unit has a desk that a pack wants staffed."""
    known = state.began is not None or ctx.offices.officer(unit) is not None
    return known and unit in ctx.offices.units and outlook.rules(unit, ctx) is not None


def missing(state: State, unit: str, ctx: Ctx) -> list[Span]:
    """The times for which nobody is planned: those of the last days, and those of the next two."""
    begins = max(state.began or ctx.now, ctx.now - LOOKS_BACK)
    during = Span(begins, max(ctx.now, begins) + 2 * AHEAD)
    return outlook.uncovered(state.shifts.values(), unit, during, ctx)


def _found(state: State, command: ReviewRoster, ctx: Ctx) -> Iterator[Fact | Occurred]:
    """What time alone brings: gaps ahead and begun, duties that nobody took up, and the ends of duties."""
    unit = command.unit
    if not has_desk(state, unit, ctx):
        return
    told = tuple(dict.fromkeys(post for post in (ctx.offices.head(unit), ctx.offices.officer(unit)) if post))

    def gap(span: Span, cause: Any, *, ahead: bool, post: str | None = None) -> Occurred:
        fact = e.RosterDutyGapFound(
            unit=unit, since=span.since, until=span.until, cause=cause, ahead=ahead, post=post, told=told
        )
        return Occurred(fact, time=ctx.now if ahead else span.since, basis=ctx.offices.basis, unit=unit)

    now = missing(state, unit, ctx)
    for span in now:
        if span.since <= ctx.now and not _known(span, state.begun):
            yield gap(span, "not_planned", ahead=False)
        elif ctx.now < span.since <= ctx.now + AHEAD and span not in state.ahead:
            yield gap(span, "not_planned", ahead=True)
    for span in sorted(state.ahead):
        if span.since > ctx.now and span not in now:
            yield e.RosterDutyGapClosed(unit=unit, since=span.since, until=span.until)
    grace = _grace(unit, ctx)
    for key, shift in sorted(state.shifts.items(), key=lambda item: item[1].since):
        late = shift.by is None and grace is not None and shift.since + grace <= ctx.now
        if late and key not in state.missed and not shift.ended:
            yield gap(Span(shift.since, shift.until), "not_signed_on", ahead=False, post=shift.post)
        if _over(shift) <= ctx.now and not shift.ended:
            ended = e.RosterDutyEnded(
                unit=unit,
                post=shift.post,
                since=shift.since,
                until=shift.until,
                signed_on=shift.by is not None,
                note_missing=shift.by is not None and shift.handed_over is None,
            )
            yield Occurred(ended, time=shift.until, unit=unit)


def _over(shift: Shift) -> datetime:
    """When the end of a duty is recorded. Whoever is there may still hand it over for a while."""
    return shift.until + (LATE if shift.by and shift.handed_over is None else timedelta())


def _known(span: Span, found: Iterable[Span]) -> bool:
    return any(one.since <= span.since and span.until <= one.until for one in found)


def _grace(unit: str, ctx: Ctx) -> timedelta | None:
    rules = outlook.rules(unit, ctx)
    return rules.sign_on.value if rules and rules.sign_on else None


def wakes(state: State, unit: str, ctx: Ctx) -> datetime:
    """When time alone may next bring something. At the latest in a day, when another day comes into sight."""
    grace = _grace(unit, ctx)
    found = [ctx.now + AHEAD]
    for span in missing(state, unit, ctx):
        found += [span.since - AHEAD, span.since]
    for shift in state.shifts.values():
        found += [_over(shift), *([shift.since + grace] if grace is not None else [])]
    return min(at for at in found if at > ctx.now)


DECIDER = Decider("roster", initial_state, evolve, decide, authorize)
