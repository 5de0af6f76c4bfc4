"""The known policy packs, since when each unit works by which, and the special periods: one stream."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import ValidationError

from schemas.envelope import Event
from schemas.fields import Typed
from schemas.offices import (
    PolicyLessonDeclined,
    PolicyLessonRecorded,
    PolicyPackAssigned,
    PolicyPackLoaded,
    PolicyPeriodClosed,
    PolicyPeriodOpened,
    PolicyValueSet,
)
from schemas.pack.values import open_places, with_values
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.faults import faults_of
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.triage.offices import lessons, periods
from services.triage.offices.lessons import DeclineNumbered, Lessons
from services.triage.offices.office_commands import (
    AssignPack,
    ClosePeriod,
    LoadPacks,
    OpenPeriod,
    Pack,
    RecordLesson,
    SetValue,
)
from services.triage.offices.periods import Periods
from services.triage.rights import OF_OFFICES

POLICIES = f"policy-{derived('policy-packs')}"
"""The stream that holds the packs of the deployment."""


@dataclass(frozen=True, slots=True)
class State:
    """The packs that were loaded and assigned."""

    loaded: Mapping[str, PolicyPackLoaded] = field(default_factory=dict)
    """Each by its name, `pack@version`."""
    assigned: Mapping[str, tuple[PolicyPackAssigned, ...]] = field(default_factory=dict)
    """Unit -> its packs, in the order in which they were assigned."""
    periods: Periods = field(default_factory=dict)
    lessons: Lessons = field(default_factory=dict)

    def standing(self, unit: str, at: datetime) -> str | None:
        """The unit's own pack at a time."""
        # Of two that begin together, the one that was assigned later counts.
        begun = [one for one in reversed(self.assigned.get(unit, ())) if one.since <= at]
        return max(begun, key=lambda one: one.since).policy if begun else None


def initial_state() -> State:
    """No packs."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case PolicyPackLoaded() as data:
            loaded = {**state.loaded, f"{data.pack}@{data.version}": data}
            return replace(state, loaded=loaded, lessons=lessons.after(state.lessons, data))
        case PolicyLessonRecorded() | PolicyLessonDeclined() as data:
            return replace(state, lessons=lessons.after(state.lessons, data))
        case PolicyPackAssigned() as data:
            of_unit = (*state.assigned.get(data.unit, ()), data)
            return replace(state, assigned={**state.assigned, data.unit: of_unit})
        case PolicyPeriodOpened() | PolicyPeriodClosed() as data:
            return replace(state, periods=periods.after(state.periods, data))
    return state


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. The first start needs no right."""
    if ctx.actor.is_staff:
        OF_OFFICES[type(command)].require(_concerned(command, ctx), ctx)


def _concerned(command: Command, ctx: Ctx) -> str:
    match command:
        case AssignPack() | SetValue() | OpenPeriod() | ClosePeriod():
            return ctx.offices.unit(command.unit).code
        case RecordLesson():
            return str(ctx.seen["matter"].unit)
    return ctx.offices.root


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The new events.

    Only a unit's first pack begins before now, so that no past decision comes under another rule.
    """
    authorize(state, command, ctx)
    match command:
        case LoadPacks():
            return [fact for pack in command.packs for fact in _load(state, pack)]
        case AssignPack():
            return _assign(state, command, ctx)
        case SetValue():
            return _set(command, ctx)
        case OpenPeriod():
            return periods.opened(state.periods, command, ctx)
        case ClosePeriod():
            return periods.closed(state.periods, command, ctx)
        case RecordLesson():
            return lessons.recorded(state.lessons, command, ctx)
        case DeclineNumbered():
            return lessons.declined(state.lessons, command)
    raise TypeError(f"no rule for {type(command).__name__}")


def _load(state: State, pack: Pack) -> Decided:
    name = f"{pack.pack}@{pack.version}"
    if not _is_new(state, name, pack.digest):
        lessons.must_be_none(pack.lessons, name)
        return []
    lessons.must_be_answerable(state.lessons, pack.lessons, pack.pack)
    return [PolicyPackLoaded(**pack.model_dump())]


def _is_new(state: State, pack: str, digest: str) -> bool:
    known = state.loaded.get(pack)
    if known is not None and known.digest != digest:
        raise Rejected(
            f"{pack} was loaded with other content before; give a changed pack a new version, "
            "so that earlier decisions keep their rule",
            code="pack-changed",
            pack=pack,
        )
    return known is None


def _assign(state: State, command: AssignPack, ctx: Ctx) -> Decided:
    ctx.offices.unit(command.unit)
    loaded = state.loaded.get(command.pack)
    if loaded is None:
        known = sorted(state.loaded)
        raise Rejected(
            f"the pack {command.pack} is not loaded; load it first. Loaded are {', '.join(known) or 'none'}",
            code="pack-not-loaded",
            pack=command.pack,
            known=known,
        )
    since = command.since or max(ctx.now, loaded.effective_from)
    if state.assigned.get(command.unit):
        since = max(since, ctx.now)
    must_be_effective(command.pack, loaded.effective_from, since)
    ref = f"{command.pack}#{loaded.digest}"
    if state.standing(command.unit, since) == ref:
        raise Rejected(
            f"{command.unit} works by {command.pack} already; name another pack",
            code="pack-assigned",
            unit=command.unit,
            pack=command.pack,
        )
    return [PolicyPackAssigned(unit=command.unit, policy=ref, since=since)]


def must_be_effective(pack: str, effective_from: datetime, at: datetime) -> None:
    """Raises `Rejected` if nobody works by the pack yet at a time."""
    if at < effective_from:
        raise Rejected(
            f"{pack} is in effect from {effective_from.isoformat()}; let nothing run by it before",
            code="pack-not-effective",
            pack=pack,
            effective_from=effective_from,
        )


def _set(command: SetValue, ctx: Ctx) -> Decided:
    """The value begins now at the earliest, so that it judges nothing that was done before."""
    ctx.offices.unit(command.unit)
    pack = next((pack for pack in ctx.offices.packs.values() if pack.name == command.pack), None)
    if pack is None:
        known = sorted(pack.name for pack in ctx.offices.packs.values())
        raise Malformed(
            f"pack: {command.pack} is not loaded; loaded are {', '.join(known)}",
            code="pack-not-known",
            field="pack",
            pack=command.pack,
            known=known,
        )
    places = open_places(pack.model)
    if command.place not in places:
        raise Malformed(
            f"place: {command.pack} leaves no {command.place} open; open are {', '.join(places) or 'none'}",
            code="place-not-open",
            field="place",
            pack=command.pack,
            place=command.place,
            known=list(places),
        )
    _must_not_override(command, pack.model.id, ctx)
    value = command.value if isinstance(command.value, str) else str(bool(command.value)).lower()
    fact = PolicyValueSet(
        unit=command.unit,
        pack=pack.model.id,
        place=command.place,
        limit=command.limit,
        value=value if command.limit is None else None,
        since=max(command.since or ctx.now, ctx.now),
        reason=Typed(text=command.reason),
    )
    written = value if command.limit is None else command.limit.model_dump(exclude_none=True)
    try:
        with_values(pack.model, json.loads(pack.canonical), {command.place: written})
    except ValidationError as error:
        at, told = next(faults_of(error))
        if at and at[-1] == "value" and command.limit is None:
            told = "write a limit, such as mode working_days with days 10"
        raise Malformed(
            f"{command.place} does not take this: {told}", code="value-unfit", field="value", place=command.place
        ) from None
    return [Occurred(fact, policy=pack.ref)]


def _must_not_override(command: SetValue, pack: str, ctx: Ctx) -> None:
    """Raises `Forbidden` if a unit above has set the value: it holds below, and nobody there makes it longer."""
    above = ctx.offices.above(command.unit)[1:]
    for one in ctx.offices.values:
        if (one.pack, one.place) == (pack, command.place) and one.unit in above and one.since <= ctx.now:
            raise Forbidden(
                f"{one.unit} has set {command.place} of {command.pack}, and this holds for {command.unit} too; "
                f"ask {one.unit} to change it",
                code="value-set-above",
                place=command.place,
                pack=command.pack,
                above=one.unit,
                unit=command.unit,
            )


DECIDER = Decider("policy", initial_state, evolve, decide, authorize)
