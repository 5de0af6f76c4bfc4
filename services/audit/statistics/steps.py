"""What events add to statistics, one event by itself. Pure.

No earlier row is read when a row is made. So numbers follow from the rows up to an instant, and what arrives late
changes no past number on the axis of what was known. Exercises have no rows. Data is not checked, since audit keeps
also what it cannot read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas import escalation as e
from schemas import ingest as i
from schemas import publish as p
from schemas import triage as t
from schemas import upcast
from schemas.envelope import Event
from schemas.fields import Fact, parse_instant
from services.audit.findings.answering import ANSWERING, HANDLING
from services.kernel.store.views import Row

VERSION = 8
"""So many digits stand before a value that changes: the version of its event. The greatest value is the newest."""
LONGEST = 64


def newest(event: Event, value: Any) -> str | None:
    """A value with the version of its event before it; None for what is no code."""
    return f"{event.version:0{VERSION}d}{value}" if _is_code(value) else None


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and "\x00" not in value


def seconds(written: Any) -> int | None:
    """An instant as whole seconds since 1970; None for what is none."""
    try:
        return int(parse_instant(written).timestamp())
    except (TypeError, ValueError):
        return None


Data = Mapping[str, Any]
VALUES = ("unit", "level", "category", "pack")
"""The columns of a step that hold values which change."""

_KINDS: Mapping[type[Fact], str] = {
    t.IncidentOpened: "opened",
    t.IncidentTransferred: "changed",
    t.IncidentCategorized: "changed",
    t.IncidentGraded: "changed",
    t.IncidentRegraded: "changed",
    t.IncidentPolicyMoved: "changed",
    t.IncidentMerged: "merged",
    t.IncidentSolved: "solved",
    t.IncidentReopened: "reopened",
    t.IncidentReturned: "returned",
    t.IncidentAnswerJudged: "judged",
    t.IncidentReplied: "answered",
    t.IncidentExplained: "answered",
    p.StatementPublished: "answered",
    e.ClockReportedUpward: "upward",
    e.ClockReminderSent: "reminded",
}
"""Type of event -> the kind of its step. `judged` becomes `helped` or `unhelped`."""


def _types(models: Iterable[type[Fact]]) -> dict[str, type[Fact]]:
    return {type_: model for model in models for type_ in upcast.types_of(model)}


_STEPS = _types(_KINDS)
_HANDLING, _ANSWERING = _types(HANDLING), _types(ANSWERING)
_LIMITS = _types((e.ClockStarted, e.ClockMet, e.ClockBreached, e.ClockBreachAnnulled))
_DESK = _types(
    (
        i.ReportReceived,
        e.ClockReportedUpward,
        e.ClockReceiptGiven,
        e.RosterSignedOn,
        e.RosterDutyHandedOver,
        e.RosterDutyEnded,
        e.RosterDutyGapFound,
        e.RosterReportHeld,
    )
)
STEPPING = frozenset((*_STEPS, *_HANDLING, *_ANSWERING))
LIMITING, AT_DESKS = frozenset(_LIMITS), frozenset(_DESK)
"""The types of events that have rows in each table, in each version that this code reads."""


def _placed(position: int, event: Event) -> Row:
    return {
        "position": position,
        "time": event.time_text,
        "recordedtime": event.recorded_text,
        "at": int(event.time.timestamp()),
    }


def _matter(event: Event) -> str | None:
    return event.stream if event.kind == "incident" else event.correlation


def _data(event: Event) -> Data:
    _, data = upcast.newest(event.type, event.attributes["data"])
    return data


def steps_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `STEPS`: what happened to a matter."""
    matter = _matter(event)
    if event.drill or matter is None:
        return
    for kind in dict.fromkeys(_kinds(event)):
        row = {**_placed(position, event), "kind": kind, "matter": matter, **dict.fromkeys(VALUES)}
        yield row | (_said(event) if kind in ("opened", "changed") else {})


def _kinds(event: Event) -> Iterator[str]:
    data = _data(event) if event.type in STEPPING else {}
    model = _STEPS.get(event.type)
    if model is t.IncidentAnswerJudged:
        yield "helped" if data.get("helps") is True else "unhelped"
    elif model is not None:
        yield _KINDS[model]
    if event.type in _HANDLING and _track(event, data) != "answer":
        yield "handling"
    if event.type in _ANSWERING and _track(event, data) != "problem":
        yield "answering"


def _track(event: Event, data: Data) -> str | None:
    """The one track on which an act is, if its data says so."""
    model = _ANSWERING.get(event.type)
    if model is t.IncidentProposed:
        return "problem" if data.get("of") == "measure" else None
    if model is p.StatementDrafted:
        return "problem" if data.get("prepared") else None
    return data.get("track")


def _said(event: Event) -> Row:
    """The values that the event gives the matter."""
    data, model = _data(event), _STEPS[event.type]
    if model is t.IncidentOpened:
        values = {name: newest(event, data.get(name)) for name in ("unit", "category")}
        return {**values, "pack": newest(event, _pack(data.get("policy")))}
    values = {name: newest(event, data.get(name)) for name in ("level", "category")}
    if model is t.IncidentTransferred:
        values["unit"] = newest(event, data.get("unit"))
    if model is t.IncidentPolicyMoved:
        values["pack"] = newest(event, _pack(data.get("policy")))
    return values


def _pack(ref: Any) -> str | None:
    """A pack's name and version, `county-default@2`."""
    return ref.partition("#")[0] if isinstance(ref, str) else None


def limits_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `LIMITS`: what became of a limit."""
    model, matter = _LIMITS.get(event.type), event.correlation
    if model is None or event.drill or matter is None:
        return
    data = _data(event)
    clock = data.get("clock")
    if not _is_code(clock):
        return
    began = model is e.ClockStarted
    row = _placed(position, event) | {"matter": matter, "clock": clock, "version": event.version}
    row |= {"unit": newest(event, data.get("unit")), "rule": rule(event.policy, str(clock)) if began else None}
    row |= {"first_answer": int(began and data.get("first_answer") is True)}
    row |= {"met": int(model is e.ClockMet), "kept": int(model is e.ClockMet and data.get("late") is False)}
    row |= {"missed": event.version if model is e.ClockBreached else 0}
    yield row | {"annulled": event.version if model is e.ClockBreachAnnulled else 0}


def rule(policy: str | None, clock: str) -> str | None:
    """How a limit names its rule: the pack, by name, version and the begin of its digest, and the pack's clock."""
    name, _, digest = (policy or "").partition("#")
    return f"{name}#{digest[:12]} {clock.partition('#')[0].removesuffix('.review')}" if name else None


_DUTIES = (e.RosterSignedOn, e.RosterDutyHandedOver, e.RosterDutyEnded, e.RosterDutyGapFound, e.RosterReportHeld)


def desk_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `DESK`: reports that came in, and what was done at a desk, by post."""
    model = _DESK.get(event.type)
    if model is None or event.drill:
        return
    data = _data(event)
    unit = data.get("unit")
    if not _is_code(unit):
        return
    row = _placed(position, event) | {"unit": unit, "post": None, "channel": None, "category": None, "since": None}
    if model is i.ReportReceived:
        told = {name: data.get(name) if _is_code(data.get(name)) else None for name in ("channel", "category")}
        post = event.actor if data.get("by") and "@" in event.actor else None
        entered = int(event.recorded.timestamp())
        row |= {"kind": "received", "post": post, **told, "since": seconds(data.get("discovered_at")), "at": entered}
    elif model in _DUTIES:
        row |= {"kind": "held", "post": None} | _duty(model, data)
    else:
        kind = "upward" if model is e.ClockReportedUpward else "receipt"
        row |= {"kind": kind, "post": event.actor if "@" in event.actor else None}
    if row["kind"]:
        yield row


def _duty(model: type[Fact], data: Data) -> Row:
    if model is e.RosterSignedOn:
        return {"kind": "signed_on", "post": _post(data.get("by"))}
    if model is e.RosterDutyHandedOver:
        return {"kind": "handed_over", "post": _post(data.get("post"))}
    if model is e.RosterDutyEnded:
        kind = "note_missing" if data.get("note_missing") is True else "ended"
        return {"kind": kind if data.get("signed_on") is True else "not_taken", "post": _post(data.get("post"))}
    if model is e.RosterDutyGapFound:
        return {"kind": "" if data.get("ahead") else "gap", "post": _post(data.get("post"))}
    return {"kind": "held"}


def _post(written: Any) -> str | None:
    return written if isinstance(written, str) and len(written) <= 130 and "\x00" not in written else None
