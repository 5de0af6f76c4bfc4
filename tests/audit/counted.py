"""Matters whose events happen some hours after the office knew of them, for tests of numbers."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from schemas import triage as t
from schemas.envelope import Event
from schemas.fields import Fact
from tests.audit.world import START, World, id_of, received

TOWN, OTHER = "town-east", "town-west"


class Matter:
    """A matter whose events happen some hours after the office knew of it."""

    def __init__(self, world: World, name: str, unit: str = TOWN, at: datetime = START, **more: Any) -> None:
        self.world, self.name, self.unit, self.at, self.more = world, name, unit, at, more
        self.events: list[Event] = []
        self.drill = bool(more.pop("drill", False))
        channel = {"discovered_at": at, "channel": more.pop("channel", "board"), "category": more.get("category")}
        report = received(name, unit=unit).model_copy(update=channel)
        self._add("ingest", "report", report, 0, None)
        opened = t.IncidentOpened(
            unit=unit, report=id_of("report", name), discovered_at=at, number=f"{unit}-2026-{len(name):05}", **more
        )
        self.does(opened, 0)

    def does(self, data: Fact, hours: float, unit: str | None = None, **more: Any) -> "Matter":
        """An event of the incident."""
        self._add("triage", "incident", data, hours, unit, **more)
        return self

    def limit(self, data: Fact, hours: float = 0, **more: Any) -> "Matter":
        """An event of its limits."""
        self._add("escalation", "clock", data, hours, None, **more)
        return self

    def says(self, data: Fact, hours: float) -> "Matter":
        """An event of a statement."""
        self._add("publish", "statement", data, hours, None)
        return self

    def _add(self, service: str, kind: str, data: Fact, hours: float, unit: str | None, **more: Any) -> None:
        told = {"unit": unit or self.unit, "incident": id_of("incident", self.name), "drill": self.drill, **more}
        if kind == "report":
            told["incident"] = None
        time = self.at + timedelta(hours=hours)
        self.events.append(self.world.event(service, id_of(kind, self.name), data, time=time, **told))


async def known(world: World, matters: Iterable[Matter]) -> None:
    await world.send(*(event for matter in matters for event in matter.events))
    await world.take()


def values(cells: Any) -> dict[str, Any]:
    return {name: cell["value"] for name, cell in cells.items() if cell["state"] == "shown"}


def of(answer: Any, group: str) -> dict[str, Any]:
    return values(next(row["cells"] for row in answer["rows"] if row["group"] == group))


def many(world: World, number: int, prefix: str, **more: Any) -> list[Matter]:
    return [Matter(world, f"{prefix}{at}", **more) for at in range(number)]
