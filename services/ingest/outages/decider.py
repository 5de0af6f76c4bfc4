"""The rules of an outage: it lasts as long as any probe sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.envelope import Event
from schemas.fields import instant
from schemas.outages import OutageConfirmed, OutageEnded, OutageFound, OutageReceded
from services.ingest.outages.commands import Observe, Seen, Tell
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed


@dataclass(frozen=True, slots=True)
class State:
    """An outage so far; `seen` is None before its first event. Probes are known by the ids of their integrations."""

    seen: Seen | None = None
    """As it was found, with the earliest begin. `until` is None while a probe sees it, else the latest end."""
    probes: Mapping[str, datetime | None] = field(default_factory=dict)
    """Until when each probe saw it; None while it does."""


def evolve(state: State, event: Event) -> State:
    """The outage after the event."""
    data = event.data
    match data:
        case OutageFound():
            found = Seen.model_validate(data.model_dump(exclude={"told_at"}))
            return State(found, {event.actor: None})
        case OutageConfirmed() if state.seen:
            known = state.probes.get(event.actor, data.until)
            until = data.until and known and max(known, data.until)
            return _with(state, event.actor, until, since=min(state.seen.since, data.since))
        case OutageReceded() | OutageEnded() if state.seen:
            return _with(state, event.actor, data.until)
    return state


def _with(state: State, probe: str, until: datetime | None, since: datetime | None = None) -> State:
    assert state.seen is not None
    probes = {**state.probes, probe: until}
    ends = [end for end in probes.values() if end is not None]
    last = max(ends) if len(ends) == len(probes) else None
    begun = since or state.seen.since
    return State(state.seen.model_copy(update={"since": begun, "until": last}), probes)


def decide(state: State, command: Observe, ctx: Ctx) -> Decided:
    """The events that follow when a probe, the actor, tells what it saw. Nothing, if it said so before.

    What overlaps in time with the outage is the same outage; the caller looks for it.
    """
    told, probe, known = command.seen, ctx.actor.post, state.seen
    if known is None:
        fact = OutageFound(**told.model_dump(exclude={"until"}), told_at=command.at)
        found = Occurred(fact, time=min(told.since, ctx.now))
        ended = [] if told.until is None else [_ended(told.since, told, told.until, command, ctx)]
        return [found, *ended]
    sees = probe in state.probes and state.probes[probe] is None
    if told.until is None:
        return [] if sees else [_confirmed(state, command, ctx)]
    if sees:
        others = {one: end for one, end in state.probes.items() if one != probe}
        if None in others.values():
            receded = OutageReceded(site=known.site, trouble=known.trouble, until=told.until, told_at=command.at)
            return [Occurred(receded, time=min(told.until, ctx.now))]
        last = max([told.until, *(end for end in others.values() if end is not None)])
        return [_ended(min(known.since, told.since), known, last, command, ctx)]
    latest = state.probes.get(probe)
    if latest is not None and told.until <= latest and known.since <= told.since:
        return []
    return [_confirmed(state, command, ctx)]


def _confirmed(state: State, command: Observe, ctx: Ctx) -> Occurred:
    told = command.seen
    fact = OutageConfirmed(
        **told.model_dump(exclude={"statement"}),
        probes=len({*state.probes, ctx.actor.post}),
        told_at=command.at,
    )
    return Occurred(fact, time=min(told.since, ctx.now))


def _ended(since: datetime, of: Seen, until: datetime, command: Observe, ctx: Ctx) -> Occurred:
    fact = OutageEnded(site=of.site, trouble=of.trouble, since=since, until=until, told_at=command.at)
    return Occurred(fact, time=min(until, ctx.now))


def must_be_possible(told: Tell) -> None:
    """Raises `Malformed` if an outage ends before it begins, or later than the probe's clock shows."""
    for seen in told.seen:
        if seen.until is not None and seen.until < seen.since:
            raise Malformed(
                f"seen: {instant(seen.until)} is before {instant(seen.since)}, where the outage begins",
                code="ends-before-it-begins",
                field="seen",
                begins=seen.since,
                ends=seen.until,
            )
        if (latest := seen.until or seen.since) > told.at:
            raise Malformed(
                f"seen lies in the future: {instant(latest)} is after {instant(told.at)}, which the probe names as now",
                code="in-the-future",
                field="seen",
                at=latest,
                now=told.at,
            )


def is_same(state: State, told: Seen) -> bool:
    """Whether what was seen is a part of this outage: of the same thing, and with a moment in common."""
    known = state.seen
    if known is None or (known.site, known.trouble, known.statement) != (told.site, told.trouble, told.statement):
        return False
    begun = told.until is None or known.since <= told.until
    return begun and (known.until is None or told.since <= known.until)


def over(state: State, told: Tell, probe: str) -> Observe | None:
    """What a probe says of the outage that sees all as it should be; None if it does not, or did not see the outage."""
    seen = state.seen
    if seen is None or probe not in state.probes or state.probes[probe] is not None or seen.site not in told.well:
        return None
    if seen.statement is not None and seen.statement not in told.whole:
        return None
    return Observe(seen=seen.model_copy(update={"until": max(told.at, seen.since)}), at=told.at)


DECIDER = Decider("outage", State, evolve, decide)
