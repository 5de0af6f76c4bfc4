"""The record of a matter for tests of findings: events of four services, each at an hour after the matter was known."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from schemas import escalation as e
from schemas import ingest as i
from schemas import publish as p
from schemas import triage as t
from schemas.envelope import Event, seal
from schemas.fields import Fact
from services.audit.findings.matter import Found, Record, placed
from services.audit.findings.rules import judge
from services.kernel.core.ids import derived
from services.kernel.core.units import Offices
from tests.audit.world import START, id_of, words
from tests.kit import spec

OF = {
    "report": "ingest",
    "incident": "triage",
    "clock": "escalation",
    "roster": "escalation",
    "statement": "publish",
    "words": "ingest",
    "operation": "publish",
}
PACK = spec.offices().assigned["city"]
TOWN, COUNTY = "town-east", "county"


def at(hours: float) -> datetime:
    """So many hours after the matter was known."""
    return START + timedelta(hours=hours)


@dataclass
class Matter:
    """Events of one matter as they were recorded. `when` is in hours."""

    name: str = "road"
    events: list[Event] = field(default_factory=list)
    heads: dict[str, Event] = field(default_factory=dict)
    drill: bool = False
    policy: str = PACK

    @property
    def id(self) -> str:
        return id_of("incident", self.name)

    def add(self, when: float, fact: Fact, *, stream: str = "", unit: str | None = None, **more: Any) -> Event:
        """The next event of a stream; by default the one of the matter that belongs to the fact's kind."""
        from schemas import catalogue

        kind = catalogue.type_of(type(fact)).split(".")[1]
        stream = stream or id_of(kind, self.name)
        kind, head = catalogue.kind_of(stream), self.heads.get(stream)
        matters = kind in ("incident", "clock", "statement")
        event = seal(
            spec._plain(fact),
            id=derived("event", stream, str(head.version + 1 if head else 1)),
            source=f"/huiying/local/{OF[kind]}",
            stream=stream,
            version=head.version + 1 if head else 1,
            previous=head.digest if head else None,
            time=more.pop("time", at(when)),
            recorded=at(when),
            partitionkey=self.id if matters else stream,
            actor=more.pop("actor", "system"),
            by=more.pop("by", None),
            correlation=self.id if matters else None,
            unit=unit,
            policy=self.policy,
            drill=self.drill,
        )
        self.heads[stream] = event
        self.events.append(event)
        return event

    def known(self, unit: str = TOWN, *, late: bool = False, when: float = 0) -> "Matter":
        """A report came in through an own channel, and the matter was opened."""
        report = i.ReportReceived(
            unit=unit,
            channel="board",
            discovered_at=at(0),
            entered_late=late,
            subject=words("s"),
            text=words("t"),
            receipt="1" * 64,
        )
        self.add(when, report, unit=unit)
        opened = t.IncidentOpened(
            unit=unit,
            report=id_of("report", self.name),
            number=f"{unit}-2026-00001",
            discovered_at=at(0),
            entered_late=late,
            policy=self.policy,
        )
        self.add(when, opened, unit=unit)
        return self

    def clock(
        self, name: str, due: float, *, since: float = 0, unit: str = TOWN, when: float | None = None
    ) -> "Matter":
        """A limit runs."""
        started = e.ClockStarted(clock=name, unit=unit, since=at(since), due=at(due))
        self.add(since if when is None else when, started)
        return self

    def breach(self, name: str, due: float, *, unit: str = TOWN, when: float | None = None, **more: Any) -> "Matter":
        """The limit passed."""
        found = at(due + 0.01 if when is None else when)
        breached = e.ClockBreached(clock=name, unit=unit, due=at(due), detected_at=found, **more)
        self.add(due + 0.01 if when is None else when, breached, time=at(due))
        return self

    def missed(self, name: str, due: float, unit: str = TOWN) -> "Matter":
        """A limit that ran and passed."""
        return self.clock(name, due, unit=unit).breach(name, due, unit=unit)

    def rung(self, name: str, rung: str, when: float, unit: str = TOWN) -> "Matter":
        """A rung of the ladder was reached."""
        sent: Any = e.ClockReminderSent(clock=name, rung=rung, unit=unit, told=unit, due=at(when))  # type: ignore[arg-type]
        self.add(when, sent)
        return self

    def reported(self, when: float, hop: str | None = "report_to_town", to: str = COUNTY, **more: Any) -> "Matter":
        """The town reported upward."""
        sent: dict[str, Any] = {"report": derived("report", str(when)), "unit": TOWN, "to": to, "form": "written"}
        sent |= {"addressee": "party_committee", "hop": hop, "unverified": True, **more}
        self.add(when, e.ClockReportedUpward(**sent), unit=TOWN)
        return self

    def published(self, when: float, text: str, unit: str = TOWN, **more: Any) -> "Matter":
        """The office published a statement on the matter."""
        said: dict[str, Any] = {
            "incident": self.id,
            "unit": unit,
            "kind": "facts",
            "title": "关于道路的说明",
            "text": text,
        }
        said |= {"facts": ("cause",), "by": "2" * 64, **more}
        self.add(when, p.StatementPublished(**said), unit=unit)
        return self

    def record(self, *texts: Event, offices: Offices | None = None) -> Record:
        """What the rules read of it, with texts on other matters."""
        ordered = sorted(self.events, key=lambda event: (event.recorded_text, event.id))
        others = sorted(texts, key=lambda event: (event.recorded_text, event.id))
        return Record(
            self.id,
            tuple(placed(index, event.bytes) for index, event in enumerate(ordered)),
            offices or spec.offices(),
            tuple(placed(1000 + index, event.bytes) for index, event in enumerate(others)),
        )

    def found(self, kind: str, *texts: Event) -> list[Found]:
        """The findings of one kind."""
        return [one for one in judge(self.record(*texts)).values() if one.kind == kind]

    def signs(self, kind: str, *texts: Event) -> list[str]:
        """By what they show."""
        return sorted(one.sign for one in self.found(kind, *texts))
