"""Queries of findings, all from the first positions of the record. So the same question always has the same answer."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from schemas import findings as f
from schemas.envelope import Event
from schemas.pack.source import Source
from schemas.pack.values import sourced
from services.audit.findings.decider import DECIDER
from services.audit.findings.readings import NAMED, ZH
from services.audit.findings.sentences import explained
from services.audit.histories import Filters, folded
from services.audit.summaries import Names
from services.audit.views import FINDINGS
from services.kernel.core.units import Offices


def filters_of(
    units: Collection[str] | None = None,
    kind: str | None = None,
    state: str | None = None,
    incident: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    *,
    drill: bool = False,
) -> Filters:
    """The filters of a list of findings; None filters nothing."""
    of = FINDINGS.c
    wanted = [of.drill == drill]
    wanted += [column == value for column, value in ((of.kind, kind), (of.incident_id, incident)) if value is not None]
    if units is not None:
        wanted.append(of.unit.in_(sorted(units)))
    return Filters(wanted, state, from_, to)


Read = Callable[[str | None], str | None]
"""What a reader may see of words, by their reference."""


def shown(events: Sequence[Event], names: Names, number: str | None, read: Read) -> dict[str, Any] | None:
    """A finding for an answer; None without the event that made it."""
    state = folded(DECIDER, events)
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
        told = _source(setting.source, zh if language == "zh" else en)
        return told | {"reason": ZH[rule]} if language == "zh" else told
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
