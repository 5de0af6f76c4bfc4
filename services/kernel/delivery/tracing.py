"""The spans of a service: the request that recorded events, the recording, the sending and the taking of each.

A span holds names and numbers of a fixed list, and nothing that somebody typed. `collector` sends it.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal, NamedTuple

from schemas import catalogue
from schemas.envelope import Event
from services.kernel.core.traces import Place, is_sampled, read, span_of, trace_of, written
from services.kernel.delivery.log import Partition, Record
from services.kernel.settings import Settings

Kind = Literal["server", "internal", "producer", "consumer"]
MOST_LINKS = 100
"""The most links of one span. A file of reports begins thousands of traces."""


class Span(NamedTuple):
    """A finished span. Times are nanoseconds since 1970."""

    name: str
    kind: Kind
    service: str
    place: Place
    parent: Place | None
    began: int
    ended: int
    attributes: Mapping[str, str | int]
    links: Sequence[Place]


class Traces:
    """The spans of one service in this process."""

    def __init__(self, service: str, settings: Settings, emit: Callable[[Span], None]) -> None:
        self._service, self._ratio, self._emit = service, settings.traces_ratio, emit
        self._topic = settings.topic

    def recorded(self, events: Sequence[Event], began: int, takes: Mapping[str, Place]) -> None:
        """Events were committed, within the present request, or caused by those that were taken in."""
        now = time.time_ns()
        for event in events:
            if not _is_told(event):
                continue
            place = self._place(event, "record")
            asked = TOGETHER.get().get(event.causation or "", ASKED.get())
            cause = takes.get(event.causation or "")
            if cause is None and asked is not None:
                cause = asked.caused(self, place)
            self._told(f"record {_name(event)}", "internal", place, cause, began, now, _about(event))

    def header(self, event: Event) -> bytes:
        """The value of `traceparent` beside an event on its topic."""
        return written(self._place(event, "send")).encode()

    def sent(self, events: Iterable[tuple[Partition, Event]], began: int) -> None:
        """The event log has acknowledged these events."""
        now = time.time_ns()
        for partition, event in events:
            if _is_told(event):
                name, place = self._topic(partition.topic), self._place(event, "send")
                about = {**_about(event), **_where(name, partition.number)}
                self._told(f"send {name}", "producer", place, self._place(event, "record"), began, now, about)

    def took(self, taken: Iterable[tuple[Event, Record]], appended: Iterable[Event], began: int) -> Mapping[str, Place]:
        """Events were taken in, and caused others. The answer is where the taking of each event stands, by its id."""
        now, takes, caused = time.time_ns(), dict[str, Place](), defaultdict[str, list[Event]](list)
        for event in appended:
            caused[event.causation or ""].append(event)
        for event, record in taken:
            if not _is_told(event):
                continue
            sent = read(record.traceparent) or self._place(event, "send")
            place = takes[event.id] = sent._replace(span=span_of("take", self._service, event.id))
            where = _where(self._topic(record.topic), record.partition)
            about = {**_about(event), **where, "messaging.kafka.offset": record.offset}
            begun = [self._place(one, "record") for one in caused[event.id]]
            self._told(f"take {_name(event)}", "consumer", place, sent, began, now, about, begun)
        return takes

    def answered(
        self, method: str, route: str, status: int, place: Place, asker: Place | None, begun: Sequence[Place], at: int
    ) -> None:
        """A request was answered that recorded events in the places `begun`. `asker` is where its caller stands."""
        about: dict[str, str | int] = {"http.request.method": method, "http.response.status_code": status}
        if route:
            about["http.route"] = route
        # The trace is that of a matter, so a caller's own is linked and never the parent.
        others = [asker, *begun] if asker else begun
        self._told(f"{method} {route}".strip(), "server", place, None, at, time.time_ns(), about, others)

    def _place(self, event: Event, act: str) -> Place:
        trace = trace_of(event)
        return Place(trace, span_of(act, event.id), is_sampled(trace, self._ratio))

    def _told(
        self,
        name: str,
        kind: Kind,
        place: Place,
        cause: Place | None,
        began: int,
        ended: int,
        attributes: Mapping[str, str | int],
        others: Sequence[Place] = (),
    ) -> None:
        """A cause in the same trace is the parent. One in another trace is linked, and so are `others` there."""
        if not place.sampled:
            return
        parent = cause if cause is not None and cause.trace == place.trace else None
        links = [one for one in (cause, *others) if one is not None and one.trace != place.trace]
        span = Span(name, kind, self._service, place, parent, began, ended, attributes, links[:MOST_LINKS])
        self._emit(span)


class Asked:
    """A request under way. It has a span if it records events, in the trace of the first one."""

    def __init__(self, traceparent: str | None) -> None:
        self._began, self._asker = time.time_ns(), read(traceparent)
        self._traces: Traces | None = None
        self._begun: list[Place] = []
        self._place: Place | None = None

    def caused(self, traces: Traces, record: Place) -> Place:
        """An event was recorded there; returns the place of the request."""
        if self._place is None:
            self._traces, self._place = traces, record._replace(span=span_of("request", f"{record.span:x}"))
        if len(self._begun) < MOST_LINKS:
            self._begun.append(record)
        return self._place

    def answered(self, method: str, route: str, status: int) -> None:
        """Ends the span."""
        if self._traces is not None and self._place is not None:
            self._traces.answered(method, route, status, self._place, self._asker, self._begun, self._began)


ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)
"""The request in which the present task works."""
TOGETHER: ContextVar[Mapping[str, Asked | None]] = ContextVar("together", default=MappingProxyType({}))
"""The requests for which the present task works at once, by the cause of their events."""


def _is_told(event: Event) -> bool:
    """What is about the order of events is no act of anybody, and would be as many spans again."""
    return event.kind not in catalogue.UNSEQUENCED


def _name(event: Event) -> str:
    return event.type.removeprefix(catalogue.PREFIX)


def _about(event: Event) -> dict[str, str | int]:
    return {"cloudevents.event_type": event.type, "huiying.stream_kind": event.kind}


def _where(topic: str, partition: int) -> dict[str, str | int]:
    return {"messaging.destination.name": topic, "messaging.destination.partition.id": str(partition)}
