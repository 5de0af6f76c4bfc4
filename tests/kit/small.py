"""Two small services over real kernel parts, for tests of the kernel itself.

`ingest` only receives. `triage` opens one incident for each report and counts reports in a view.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Integer, Table

from schemas.envelope import Event
from schemas.ingest import ReportErased, ReportReceived
from schemas.triage import IncidentOpened, IncidentReportAttached
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.ids import derived
from services.kernel.core.reactions import Reaction
from services.kernel.delivery.runtime import Service
from services.kernel.store import numbers, tables
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


@dataclass(frozen=True)
class Receive:
    """Receive a report with this text."""

    text: str
    unit: str = "county"


@dataclass(frozen=True)
class Attach:
    """Attach one more report."""

    report: str


def receive(state: int, command: Any, ctx: Ctx) -> Decided:
    """Reports are always taken."""
    if isinstance(command, Receive):
        digest = ctx.keyed("match", command.text)
        return [
            ReportReceived(
                unit=command.unit,
                channel="board",
                discovered_at=ctx.now,
                subject=command.text[:20],
                text=command.text,
                match_key=digest,
                receipt=digest,
            )
        ]
    return [ReportErased(refs=command)]


def open_incident(state: int, command: Any, ctx: Ctx) -> Decided:
    """The first report opens, further ones attach."""
    if state == 0:
        return [IncidentOpened(unit="county", report=command.report, discovered_at=ctx.now)]
    return [IncidentReportAttached(report=command.report, unit="county", discovered_at=ctx.now)]


def count(state: int, event: Event) -> int:
    """The state is the number of events."""
    return state + 1


REPORT = Decider("report", lambda: 0, count, receive)
INCIDENT = Decider("incident", lambda: 0, count, open_incident)


def react(event: Event, known: Any) -> Iterable[Reaction]:
    """One incident a report."""
    if isinstance(event.data, ReportReceived):
        yield Reaction(f"incident-{derived('small', event.id)}", Attach(event.stream), numbered="county")


def _keys(event: Event) -> list[Key]:
    return [(event.attributes.get("unit") or "county",)] if event.kind == "report" else []


def _apply(key_: Key, row: Row | None, event: Event) -> Row:
    return {"unit": key_[0], "reports": (row["reports"] if row else 0) + 1}


@functools.cache
def ingest() -> Service:
    """Receives reports."""
    return Service("ingest", tables.metadata(), {"report": REPORT})


@functools.cache
def triage() -> Service:
    """Opens incidents and counts the reports of a unit."""
    metadata = tables.metadata()
    table = Table("report_counts", metadata, Column("unit", key(), primary_key=True), Column("reports", Integer))
    numbers.table(metadata)
    return replace(
        Service("triage", metadata, {"incident": INCIDENT}),
        views=(View(table, _keys, _apply), *numbers.views(metadata, own="incident")),
        topics=("ingest.report",),
        contents=("ingest",),
        react=react,
    )
