"""Drills for answers, from their events; and the events of a drill's matters."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import drills as d
from schemas import upcast
from schemas.envelope import Event
from schemas.fields import instant
from schemas.scenario import Scenario
from schemas.triage import IncidentOpened
from services.audit.drills.decider import DECIDER, State
from services.audit.drills.score import totals
from services.audit.findings.matter import Placed
from services.audit.histories import Filters, folded
from services.audit.queries import Axes
from services.audit.review import seen
from services.audit.views import DRILLS, TIMELINE
from services.kernel.core.units import Offices
from services.kernel.rules.scenarios import chosen, filled, parse_scenario
from services.kernel.store import sql
from services.kernel.store.session import Session

Read = Callable[[str | None], str | None]
"""What a reader may see of words, by their reference."""
OPENED = upcast.types_of(IncidentOpened)


def filters_of(
    units: Collection[str] | None, scenario: str | None = None, state: str | None = None, from_: str | None = None
) -> Filters:
    """The filters of a list of drills; None filters nothing."""
    wanted: list[ColumnElement[bool]] = [] if units is None else [DRILLS.c.unit.in_(sorted(units))]
    if scenario is not None:
        wanted.append(DRILLS.c.scenario == scenario)
    return Filters(wanted, state, from_)


async def matters(connection: AsyncConnection, drill: str, state: State, size: int) -> list[str]:
    """The matters that the drill's offices opened after its beginning, in the first `size` positions."""
    t, units = TIMELINE.c, sorted(set(state.places.values()))
    began = select(t.position).where(t.stream_id == drill, t.version == 1).scalar_subquery()
    chosen = select(t.stream_id).where(t.type.in_(OPENED), t.unit.in_(units), t.position > began, t.position < size)
    return list((await connection.execute(chosen.order_by(t.position))).scalars())


async def busy(session: Session, places: Collection[str]) -> dict[str, str]:
    """Which of these offices rehearse just now -> their drill. Nobody else begins one with them in the meantime."""
    await sql.lock(session.connection, sql.Hold("drills", sorted(places)))
    chosen = select(DRILLS.c.drill_id).where(DRILLS.c.stage == "running")
    running = list((await session.connection.execute(chosen)).scalars())
    await session.load(running)
    found = {unit: id_ for id_ in running for unit in session.streams[id_].state.places.values()}
    return {unit: id_ for unit, id_ in found.items() if unit in places}


async def events(connection: AsyncConnection, matters: Collection[str], size: int, offices: Offices) -> list[Placed]:
    """The events of these matters in the first `size` positions."""
    axes = Axes(size)
    return [one for matter in matters for one in (await seen.course(connection, matter, axes, offices)).events]


def shown(events: Sequence[Event], read: Read) -> dict[str, Any]:
    """A drill for a list."""
    first, state = events[0], folded(DECIDER, events)
    begun, scenario = state.begun, parse_scenario(state.begun.canonical).model
    ended = next((event for event in events if isinstance(event.data, d.DrillEnded)), None)
    scored = marks_of(events)
    marks = scored.marks if scored else None
    units = [one.unit for one in begun.places]
    return {
        "id": first.stream,
        "unit": begun.unit,
        "scenario": begun.scenario,
        "edition": scenario.version,
        "title": scenario.title,
        "title_en": scenario.title_en,
        "crisis": scenario.crisis,
        "digest": begun.digest,
        "seed": begun.seed,
        "speed": begun.speed,
        "state": "running" if ended is None else "ended" if marks is None else "scored",
        "begun_at": first.recorded_text,
        "begun_by": first.actor,
        "ended_at": ended and ended.recorded_text,
        "cause": ended and ended.data.cause,
        "totals": None if marks is None else totals(marks),
        "by_unit": [
            {"unit": unit, **totals(mark for mark in marks or () if mark.unit == unit)}
            for unit in (units if marks else ())
        ],
    }


def marks_of(events: Sequence[Event]) -> d.DrillScored | None:
    """The last score."""
    return next((event.data for event in reversed(events) if isinstance(event.data, d.DrillScored)), None)


def whole(events: Sequence[Event], numbers: Mapping[str, str], read: Read, *, tells_all: bool) -> dict[str, Any]:
    """A drill with all that happened. Unless it `tells_all`, what is still to come is left out."""
    begun: d.DrillBegun = events[0].data
    scenario, scored = parse_scenario(begun.canonical).model, marks_of(events)
    sent = {event.data.inject: event for event in events if isinstance(event.data, d.DrillInjectSent)}
    ended = next((event.data for event in events if isinstance(event.data, d.DrillEnded)), None)
    titles = {one.code: (one.title, one.title_en) for one in scenario.expected}
    return {
        **shown(events, read),
        "plan": scenario.plan,
        "canonical": begun.canonical if tells_all else None,
        "lasts": scenario.model_dump(mode="json", include={"lasts"})["lasts"],
        "reason": read(ended.reason.ref) if ended and ended.reason else None,
        "places": [one.model_dump() for one in begun.places],
        "criteria": [
            {"criterion": one.code, "title": one.title, "title_en": one.title_en, "text": one.text}
            for one in scenario.criteria
        ],
        "injects": [one for one in _injects(begun, scenario, sent, numbers) if tells_all or one["sent_at"]],
        "marks": [_mark(one, titles) for one in scored.marks] if scored else [],
        "posts": list(scored.posts) if scored else [],
    }


def _injects(
    begun: d.DrillBegun, scenario: Scenario, sent: Mapping[str, Event], numbers: Mapping[str, str]
) -> list[dict[str, Any]]:
    written, values = scenario.model_dump(mode="json")["injects"], chosen(scenario, begun.seed)
    found = []
    for inject, plain in zip(scenario.injects, written, strict=True):
        one = filled(inject, values)
        event = sent.get(one.code)
        incident = event and event.data.matter
        found.append(
            {
                "inject": one.code,
                "kind": one.kind,
                "said": one.subject if one.kind == "report" else one.text if one.kind == "instruction" else None,
                "at": plain["at"],
                "sent_at": event and event.recorded_text,
                "report_id": event and event.data.report,
                "incident_id": incident,
                "number": numbers.get(incident or ""),
                "delivered": event and event.data.delivered,
            }
        )
    return found


def _mark(mark: d.DrillMark, titles: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    title, title_en = titles.get(mark.what, (None, None)) if mark.basis == "scenario" else (None, None)
    return {
        **mark.model_dump(),
        "title": title,
        "title_en": title_en,
        "due": mark.due and instant(mark.due),
        "done": mark.done and instant(mark.done),
    }
