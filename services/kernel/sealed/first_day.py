"""The record of the first 24 hours of a sudden event, as a part of its archive: what was recorded, and the holes.

The file follows from the record beside it, from its own first line, and from what the archive lacks: for each hour, its
events in order with the words and files that they name, a line for each of these that the archive never held, and a
line for an hour without any event. The verifier writes it anew and compares.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson

from schemas.envelope import MAX_BYTES, Event
from schemas.fields import instant, parse_instant
from services.kernel.sealed import lines
from services.kernel.sealed.strict import compact, members, objects
from services.kernel.tlog import Refused

PATH, PAGE = "data/first_day.ndjson", "data/first_day.html"
HOUR, HOURS = timedelta(hours=1), 24
ENDINGS = ("huiying.incident.closed.v1", "huiying.incident.dismissed.v1", "huiying.incident.merged.v1")
REOPENED = "huiying.incident.reopened.v1"
RECEIVED = ("huiying.report.received.v1",)
LEAVINGS = ("huiying.incident.split.v1", "huiying.incident.report_detached.v1")
"""The types of events by which a report leaves a matter: then its discovery is that of another one."""
LONGEST = 3 * MAX_BYTES
Why = Literal["erased", "not_here", "altered"]
Empty = Literal["nothing_recorded", "ended"]
_MORE: Mapping[Any, tuple[str, ...]] = {"erased": ("erasure", "cause", "reason"), "not_here": (), "altered": ()}
"""Why evidence lacks -> further members of its line: the erasure, its cause, and the file of its reason."""
_KINDS = {"image": "picture", "audio": "sound", "video": "film"}


class Evidence(NamedTuple):
    """Words or a file that an event names."""

    path: str
    kind: str
    """`text`, `picture`, `sound`, `film` (sound and pictures) or `file`."""


class Ended(NamedTuple):
    """A time in which the matter had ended, and nothing was due."""

    at: str
    until: str | None
    """When it was owed again, see `IncidentReopened`; None if that was never so."""


def ended(own: Iterable[Event]) -> tuple[Ended, ...]:
    """The times in which a matter had ended, by the events of its stream in their order."""
    found = list[Ended]()
    at: str | None = None
    for event in own:
        if event.type in ENDINGS:
            at = at or event.time_text
        elif event.type == REOPENED and at is not None:
            owed = event.attributes["data"].get("discovered_at")
            until = owed if isinstance(owed, str) else event.time_text
            found += [Ended(at, until)] if at < until else []
            at = None
    return (*found, *([Ended(at, None)] if at is not None else []))


class Window(NamedTuple):
    """The first line."""

    since: str
    """When the matter was discovered, as an instant."""
    ended: tuple[Ended, ...]
    by: Mapping[str, str]
    """By which rule it is a sudden event."""

    @property
    def until(self) -> str:
        """The end of the last hour."""
        return instant(parse_instant(self.since) + HOURS * HOUR)

    def holds(self, event: Event) -> bool:
        """Whether the event happened within the hours."""
        return self.since <= event.time_text < self.until

    def hour(self, at: str) -> int:
        """The number of the hour, from 1, in which an instant lies."""
        return (parse_instant(at) - parse_instant(self.since)) // HOUR + 1

    def empty(self, hour: int) -> Empty:
        """Why an hour holds nothing: the matter had ended for all of it, or nobody recorded anything."""
        begins = parse_instant(self.since) + (hour - 1) * HOUR
        first, last = instant(begins), instant(begins + HOUR)
        had_ended = any(one.at <= first and (one.until is None or last <= one.until) for one in self.ended)
        return "ended" if had_ended else "nothing_recorded"

    @property
    def line(self) -> bytes:
        """The line in the file."""
        told = [one._asdict() for one in self.ended]
        return lines.line(first_day=lines.FORM, since=self.since, until=self.until, ended=told, by=dict(self.by))


class Told(NamedTuple):
    """How much the first day holds."""

    since: str
    events: int
    empty: int
    """The hours in which nothing was recorded, without those in which the matter had ended."""
    lacking: int
    """The words and files that its events name and the archive never held."""


def evidence(event: Event, words: str, files: str) -> list[Evidence]:
    """What an event names, in its order; `words` and `files` are the folders."""
    found = list[Evidence]()
    for told in objects(event.attributes["data"]):
        if told.keys() == {"ref", "digest"}:
            found.append(Evidence(f"{words}{told['ref']}.txt", "text"))
        elif isinstance(told.get("file"), str) and isinstance(told.get("sha256"), str):
            kind = str(told.get("media_type", "")).partition("/")[0]
            found.append(Evidence(f"{files}{told['file']}", _KINDS.get(kind, "file")))
    return list(dict.fromkeys(found))


def event_line(hour: int, position: int, event: Event, named: list[Evidence]) -> bytes:
    """The line of an event."""
    return lines.line(
        hour=hour, index=position, evidence=[one._asdict() for one in named], event=orjson.Fragment(event.bytes)
    )


def lacking_line(hour: int, path: str, why: Mapping[str, Any]) -> bytes:
    """The line of words or of a file that the archive does not hold."""
    return lines.line(hour=hour, lacks=path, **why)


def empty_line(hour: int, why: Empty) -> bytes:
    """The line of an hour without any event."""
    return lines.line(hour=hour, empty=why)


def end_line(told: Told) -> bytes:
    """The last line."""
    return lines.line(events=told.events, empty_hours=told.empty, lacking=told.lacking)


class _Seen(NamedTuple):
    at: str
    position: int
    digest: bytes
    """SHA-256 of the line of the event."""
    paths: tuple[str, ...]


class Check:
    """Reads the file while the record is read, and compares the two."""

    def __init__(self, source: BinaryIO, incident: str, words: str, files: str) -> None:
        self._rows, self._incident, self._folders = lines.read(source, LONGEST), incident, (words, files)
        self.window = _window(next(self._rows, b""))
        self._seen = list[_Seen]()
        self._discovered, self._moves = False, list[Event]()
        self._earlier, self._left = dict[str, str](), set[str]()

    def see(self, position: int, event: Event) -> None:
        """Takes note of an event of the record."""
        data = event.attributes["data"]
        discovered = data.get("discovered_at")
        self._discovered |= discovered == self.window.since
        if event.type in RECEIVED and isinstance(discovered, str) and discovered < self.window.since:
            self._earlier[event.stream] = discovered
        if event.type in LEAVINGS:
            several = data.get("reports")
            self._left.update((str(data.get("report")), *map(str, several if isinstance(several, list) else ())))
        if event.type in (*ENDINGS, REOPENED) and event.stream == self._incident:
            self._moves.append(event)
        if self.window.holds(event):
            named = evidence(event, *self._folders)
            line = event_line(self.window.hour(event.time_text), position, event, named)
            paths = tuple(one.path for one in named)
            self._seen.append(_Seen(event.time_text, position, hashlib.sha256(line[:-1]).digest(), paths))

    def compared(self, listed: Collection[str], erased: Collection[str]) -> Told:
        """What the file tells, after the whole record. Raises `Refused` with the first wrong line.

        `listed` are the paths that the archive held when it was sealed, `erased` what erasures name.
        """
        if not self._discovered:
            raise Refused(f"{PATH}: no event of the record says that the matter was discovered at {self.window.since}")
        for report in self._earlier.keys() - self._left:
            raise Refused(f"{PATH}: {report} says that the matter was discovered at {self._earlier[report]}")
        if self.window.ended != ended(self._moves):
            raise Refused(f"{PATH}: line 1: by the record, the matter had ended at other times")
        hours: dict[int, list[_Seen]] = {}
        for one in sorted(self._seen):
            hours.setdefault(self.window.hour(one.at), []).append(one)
        empty = lacking = 0
        for hour in range(1, HOURS + 1):
            if hour not in hours:
                why = self.window.empty(hour)
                empty += why == "nothing_recorded"
                self._must_be(empty_line(hour, why), f"hour {hour}")
            for one in hours.get(hour, ()):
                where = f"hour {hour}, position {one.position}"
                if hashlib.sha256(next(self._rows, b"")).digest() != one.digest:
                    raise Refused(f"{PATH}: {where}: it is not the event of the record")
                for path in (path for path in one.paths if path not in listed):
                    self._must_lack(hour, path, erased, where)
                    lacking += 1
        told = Told(self.window.since, len(self._seen), empty, lacking)
        self._must_be(end_line(told), "its end")
        if next(self._rows, None) is not None:
            raise Refused(f"{PATH}: something stands behind its end")
        return told

    def _must_be(self, line: bytes, where: str) -> None:
        if next(self._rows, b"") != line[:-1]:
            raise Refused(f"{PATH}: {where} is not what follows from the record")

    def _must_lack(self, hour: int, path: str, erased: Collection[str], where: str) -> None:
        row = next(self._rows, b"")
        told = compact(row, f"{PATH}: {where}")
        why = told.get("why") if isinstance(told, dict) and isinstance(told.get("why"), str) else None
        said = {name: told.get(name) for name in ("why", *_MORE[why])} if why in _MORE else {}
        is_erased = path.rpartition("/")[2].removesuffix(".txt") in erased
        if not said or lacking_line(hour, path, said) != row + b"\n" or (why == "erased" and not is_erased):
            raise Refused(f"{PATH}: {where} does not say why {path} lacks")


def _window(row: bytes) -> Window:
    form, since, until, had_ended, by = members(
        compact(row, f"{PATH}: line 1"), ("first_day", "since", "until", "ended", "by"), f"{PATH}: line 1"
    )
    try:
        window = Window(instant(parse_instant(since)), tuple(Ended(**one) for one in had_ended), by)
        is_written_so = form == lines.FORM and window.line == row + b"\n"
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise Refused(f"{PATH}: line 1: {error}") from None
    if not is_written_so:
        raise Refused(f"{PATH}: line 1: {since} to {until} are not the first {HOURS} hours")
    return window
