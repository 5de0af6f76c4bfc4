"""What events make of a matter, as codes: its number, unit, level, category, state and limits. Pure.

A matter has, of each kind, the value of the newest mark. So what it was at an instant, as it was known at another one,
follows from the marks up to then. Data is not checked, since audit keeps also what it cannot read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from schemas import escalation as e
from schemas import triage, upcast
from schemas.envelope import Event
from schemas.fields import Fact
from schemas.operation import OperationArchiveRead, OperationRecordRead, OperationSeparationRefused
from schemas.words import WordsErased
from services.kernel.store.views import Row

MOST = 64
"""A longer value is no code, and makes no mark."""
CONSULTED = "read"
"""The kind of the mark that somebody read the words of a record; its value is the post."""
ASIDE = "aside"
"""The kind of the mark on a stream that an event of `ASIDES` names."""
DRILL = "drill"
"""The kind of the mark that a matter is an exercise."""
CLOCK, LATE = "clock:", "late:"
"""The kinds of marks of a limit begin so, and end with its name."""


class Mark(NamedTuple):
    """From an event on, the matter has this value of a kind. An empty value ends the one before.

    Kinds: `opened` (the number), `unit` (accountable), `assigned`, `part` (a unit that has a part from now on),
    `level`, `category`, `answer` (the kind of answer), `work` (open, assigned, accepted), `ended` (resolved, closed,
    dismissed), `merged` (the incident in which it goes on), `clock:<name>` (running, met, cancelled), `late:<name>`
    (breached), `drill` (an exercise). A report has marks of one kind, `read`, as an incident has them, too.
    """

    kind: str
    value: str


def _opened(data: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    yield "opened", data.get("number") or ""
    yield "unit", data.get("unit")
    yield "part", data.get("unit")
    yield "work", "open"
    yield "category", data.get("category") or None


def _assigned(data: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return (("assigned", data.get("unit")), ("part", data.get("unit")), ("work", "assigned"))


def _of_a_clock(*values: tuple[str, str]) -> Any:
    return lambda data: [(kind + str(data.get("clock")), value) for kind, value in values]


def _level(data: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return (("level", data.get("level") or ""),)


_OF: Mapping[type[Fact], Any] = {
    triage.IncidentOpened: _opened,
    triage.IncidentTransferred: lambda data: (("unit", data.get("unit")), ("part", data.get("unit"))),
    triage.IncidentAssigned: _assigned,
    triage.IncidentAccepted: lambda data: (("work", "accepted"),),
    triage.IncidentReturned: lambda data: (("work", "open"), ("assigned", "")),
    triage.IncidentVerificationRequested: lambda data: (("part", data.get("unit")),),
    triage.IncidentHelpRequested: lambda data: (("part", data.get("unit")),),
    triage.IncidentGraded: _level,
    triage.IncidentRegraded: _level,
    triage.IncidentPolicyMoved: _level,
    triage.IncidentCategorized: lambda data: (("category", data.get("category")),),
    triage.IncidentClassified: lambda data: (("answer", data.get("answer_kind")),),
    triage.IncidentResolved: lambda data: (("ended", "resolved"),),
    triage.IncidentClosed: lambda data: (("ended", "closed"),),
    triage.IncidentDismissed: lambda data: (("ended", "dismissed"),),
    triage.IncidentReopened: lambda data: (("ended", ""),),
    triage.IncidentMerged: lambda data: (("merged", data.get("into")),),
    e.ClockStarted: _of_a_clock((CLOCK, "running")),
    e.ClockMet: _of_a_clock((CLOCK, "met")),
    e.ClockCancelled: _of_a_clock((CLOCK, "cancelled")),
    e.ClockBreached: _of_a_clock((LATE, "breached")),
    e.ClockBreachAnnulled: _of_a_clock((LATE, "")),
}
READ = {type_: of for fact, of in _OF.items() for type_ in upcast.types_of(fact)}
"""Type of event, in each version that this code reads -> its marks."""


ASIDES = upcast.types_of(WordsErased, OperationSeparationRefused)
"""The types of events on streams of their own that name a stream of a matter."""
OPENINGS = upcast.types_of(triage.IncidentOpened)
"""The types of events from which on a matter is an exercise or none."""
CONSULTATIONS = upcast.types_of(OperationRecordRead, OperationArchiveRead)
"""The types of events which say that words were read: on a record, or with the archive of a matter."""


MARKING = frozenset((*READ, *ASIDES, *CONSULTATIONS))
"""The types of events that may make marks."""


def marks_of(event: Event) -> list[Mark]:
    """The marks that an event makes."""
    if event.type in ASIDES:
        return [Mark(ASIDE, event.type)] if _is_code(_record(event)) else []
    if event.type in CONSULTATIONS:
        return [Mark(CONSULTED, event.actor)] if _is_code(_record(event)) else []
    of = READ.get(event.type)
    if of is None or (event.correlation is None and event.kind != "incident"):
        return []
    _, data = upcast.newest(event.type, event.attributes["data"])
    found = [Mark(kind, value) for kind, value in of(data) if _is_code(kind) and _is_code(value)]
    return [*found, Mark(DRILL, "true")] if event.drill and event.type in OPENINGS else found


def rows_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `MARKS`, the last value of each kind."""
    matter = matter_of(event)
    at = {"time": event.time_text, "recordedtime": event.recorded_text}
    for kind, value in dict(marks_of(event)).items():
        row = {"position": position, "kind": kind, "value": value}
        yield {**row, "incident_id": matter, "version": event.version, **at}


def matter_of(event: Event) -> str:
    """The incident whose matter the marks of an event are of. Of a reading it is the record that was read, and of an
    event aside the stream that it names.
    """
    if event.type in CONSULTATIONS or event.type in ASIDES:
        return str(_record(event))
    return event.stream if event.kind == "incident" else event.correlation or ""


def _record(event: Event) -> Any:
    _, data = upcast.newest(event.type, event.attributes["data"])
    return data.get("stream" if event.kind == "words" else "record")


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST and "\x00" not in value


def refs_of(data: Any) -> Iterable[str]:
    """The references to words anywhere in an event's data."""
    if isinstance(data, dict):
        ref = data.get("ref")
        if isinstance(ref, str) and "digest" in data:
            if _is_code(ref):
                yield ref
            return
        for value in data.values():
            if isinstance(value, dict | list):
                yield from refs_of(value)
    elif isinstance(data, list):
        for value in data:
            if isinstance(value, dict | list):
                yield from refs_of(value)


class Matter(NamedTuple):
    """What a matter was: codes, and the state of each limit."""

    number: str | None
    unit: str | None
    assigned: str | None
    level: str | None
    category: str | None
    answer_kind: str | None
    drill: bool
    state: str
    clocks: Mapping[str, Mapping[str, Any]]


def matter(newest: Mapping[str, str]) -> Matter:
    """What a matter was, from kind -> the value of its newest mark."""
    state = "merged" if newest.get("merged") else newest.get("ended") or newest.get("work") or "open"
    clocks = {
        kind.removeprefix(CLOCK): {"state": value, "breached": bool(newest.get(LATE + kind.removeprefix(CLOCK)))}
        for kind, value in sorted(newest.items())
        if kind.startswith(CLOCK)
    }
    return Matter(
        newest.get("opened") or None,
        newest.get("unit") or None,
        newest.get("assigned") or None,
        newest.get("level") or None,
        newest.get("category") or None,
        newest.get("answer") or None,
        bool(newest.get(DRILL)),
        state,
        clocks,
    )
