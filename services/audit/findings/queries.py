"""Queries of findings, all from the first positions of the record. So the same question always has the same answer."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import findings as f
from schemas import upcast
from schemas.envelope import Event
from schemas.pack.source import Source
from schemas.pack.values import sourced
from services.audit.findings.decider import DECIDER, State
from services.audit.findings.readings import NAMED
from services.audit.findings.sentences import explained
from services.audit.findings.views import STAGES
from services.audit.queries import Axes
from services.audit.summaries import Names
from services.audit.views import FINDINGS, TIMELINE
from services.kernel.core.units import Offices

MOVES = upcast.types_of(*STAGES)
"""The types of events after which a finding is in another state."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list of findings; None filters nothing. Instants are texts, both ends included."""

    units: Collection[str] | None = None
    kind: str | None = None
    state: str | None = None
    incident: str | None = None
    from_: str | None = None
    to: str | None = None
    drill: bool = False


async def page(
    connection: AsyncConnection, filters: Filters, axes: Axes, after: int, limit: int
) -> tuple[list[str], int | None]:
    """Findings made after a position, and the position for the next page, or None at the end."""
    t, of = TIMELINE.c, FINDINGS.c
    wanted = [t.version == 1, t.position > after, *axes.within(TIMELINE), of.drill == filters.drill]
    for column, value in ((of.kind, filters.kind), (of.incident_id, filters.incident)):
        if value is not None:
            wanted.append(column == value)
    if filters.units is not None:
        wanted.append(of.unit.in_(sorted(filters.units)))
    if filters.from_ is not None:
        wanted.append(t.time >= filters.from_)
    if filters.to is not None:
        wanted.append(t.time <= filters.to)
    if filters.state is not None:
        types = upcast.types_of(*(model for model, stage in STAGES.items() if stage == filters.state))
        last = TIMELINE.alias()
        moved = select(last.c.type).where(last.c.stream_id == of.finding_id, last.c.type.in_(MOVES), *axes.within(last))
        newest = moved.order_by(last.c.version.desc()).limit(1).correlate(FINDINGS).scalar_subquery()
        wanted.append(newest.in_(types))
    chosen = select(t.stream_id, t.position).join(FINDINGS, of.finding_id == t.stream_id).where(*wanted)
    rows = (await connection.execute(chosen.order_by(t.position).limit(limit + 1))).all()
    return [row.stream_id for row in rows[:limit]], rows[limit - 1].position if len(rows) > limit else None


async def histories(connection: AsyncConnection, ids: Sequence[str], axes: Axes) -> dict[str, list[Event]]:
    """Finding -> its events on these axes, in order; without those that have none."""
    t, found = TIMELINE.c, dict[str, list[Event]]()
    chosen = select(t.bytes).where(t.stream_id.in_(ids), *axes.within(TIMELINE)).order_by(t.stream_id, t.version)
    for bytes_ in (await connection.execute(chosen)).scalars():
        event = Event.parse(bytes_)
        found.setdefault(event.stream, []).append(event)
    return {id_: found[id_] for id_ in ids if id_ in found}


def folded(events: Sequence[Event]) -> State:
    """The state of a finding after these events."""
    state = DECIDER.initial_state()
    for event in events:
        state = DECIDER.evolve(state, event)
    return state  # type: ignore[no-any-return]


Read = Callable[[str | None], str | None]
"""What a reader may see of words, by their reference."""


def shown(events: Sequence[Event], names: Names, number: str | None, read: Read) -> dict[str, Any] | None:
    """A finding for an answer; None without the event that made it."""
    state = folded(events)
    made_by = [event for event in events if isinstance(event.data, f.FindingMade)]
    if state.made is None or not made_by:
        return None
    made, last = state.made, made_by[-1]
    said = made.model_dump(mode="json", exclude={"incident", "events", "log_size", "reason", "by"})
    proposed = last.data if isinstance(last.data, f.FindingProposed) else None
    by_hand = proposed is not None and proposed.by is not None
    return {
        **said,
        "id": last.stream,
        "incident_id": made.incident,
        "number": number,
        "state": state.stage,
        "drill": last.drill,
        "made_at": last.recorded_text,
        "explanation": explained(last, names),
        "policy": last.policy,
        "source": source(made.rule, last.policy, names.offices, names.language),
        "events": [one.model_dump() for one in made.events],
        "hear_by": said.get("hear_by"),
        "heard": _last(events, f.FindingOfficeHeard, read, _heard),
        "proposed": _said(last, read) if by_hand else None,
        "asked": _last(events, f.FindingDecisionAsked, read, _said) if state.asked else None,
        "decided": _last(events, (f.FindingConfirmed, f.FindingRejected), read, _said),
        "lapsed": _last(events, f.FindingLapsed, read, _lapsed) if state.stage == "lapsed" else None,
    }


def _last(events: Sequence[Event], models: Any, read: Read, show: Callable[[Event, Read], dict[str, Any]]) -> Any:
    found = [event for event in events if isinstance(event.data, models)]
    return show(found[-1], read) if found else None


def _heard(event: Event, read: Read) -> dict[str, Any]:
    data: f.FindingOfficeHeard = event.data
    ref = data.text.ref if data.text else None
    return {"at": event.recorded_text, "answered": data.answered, "words": ref, "text": read(ref)}


def _said(event: Event, read: Read) -> dict[str, Any]:
    confirms = {f.FindingConfirmed: True, f.FindingRejected: False}.get(type(event.data))
    confirms = getattr(event.data, "confirms", confirms)
    ref = event.data.reason and event.data.reason.ref
    return {"at": event.recorded_text, "by": event.actor, "confirms": confirms, "words": ref, "text": read(ref)}


def _lapsed(event: Event, read: Read) -> dict[str, Any]:
    data: f.FindingLapsed = event.data
    return {"at": event.recorded_text, "cause": data.cause, "event": data.event and data.event.model_dump()}


def source(rule: str, policy: str | None, offices: Offices, language: str) -> dict[str, Any] | None:
    """Where a rule comes from: a place of the pack, or a reading of our own. None if the pack is not known here."""
    if own := NAMED.get(rule):
        setting, zh, en = own
        return _source(setting.source, zh if language == "zh" else en)
    pack = offices.packs.get(policy or "")
    if pack is None:
        return None
    places = {_short(one.place): one for one in sourced(pack.model)}
    found = places.get(_short(rule))
    return found and _source(found.source, found.title)


def _short(place: str) -> str:
    """A place by its section and its last code: a hop of a report stands under its own name in events."""
    first, *rest = place.split(".")
    return f"{first}.{rest[-1]}" if rest else first


def _source(source_: Source, title: str | None) -> dict[str, Any]:
    return {**source_.model_dump(), "title": title}
