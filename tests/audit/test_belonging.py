"""What belongs to a matter: reports that come and leave, and single events that name it."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from schemas import catalogue, triage, upcast
from schemas.envelope import Event
from schemas.fields import UUID
from schemas.ingest import ReportReachMeasured
from services.audit import projection, queries
from services.audit.archive import building
from services.audit.log import keys, signing
from services.audit.queries import FIRST, Filters
from services.audit.views import ENTRIES, JOINED, LEFT, LINKED_TYPES, LINKS, METADATA, NAMED, TIMELINE
from services.kernel.sealed import matter
from services.kernel.sealed.trust import Trust
from services.kernel.store import sql
from services.kernel.tlog import Refused
from tests.audit.world import START, World, id_of, words
from tests.schemas.kit import EXAMPLES

REACH = ReportReachMeasured(clicks=9, measured_at=START)
REPORTS = 4
OPERATIONS = ("split", "detach", "release", "attach", "merge", "reopen")


@dataclass
class Moment:
    """What was so after an operation: the last instant of recording, who holds which report, what goes on where."""

    at: str
    size: int
    holds: frozenset[tuple[str, str]]
    into: Mapping[str, str]

    def family(self, incident: str) -> set[str]:
        """The incident with all that was merged into it."""
        found = {incident}
        while more := {one for one, into in self.into.items() if into in found} - found:
            found |= more
        return found


@dataclass
class Office:
    """Matters between which reports go to and fro. Each report has something new after each operation."""

    world: World
    events: list[Event] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    matters: list[str] = field(default_factory=list)
    holds: set[tuple[str, str]] = field(default_factory=set)
    into: dict[str, str] = field(default_factory=dict)
    reports: tuple[str, ...] = tuple(id_of("report", str(number)) for number in range(REPORTS))

    def begin(self) -> None:
        """Three matters, each with a report; one report is of none."""
        for report in self.reports[:3]:
            self._opened(report)
        self._passes()

    def does(self, operation: str, which: int, where: int) -> None:
        """An operation, as far as it is possible, on one of the matters that go on."""
        going = [one for one in self.matters if one not in self.into]
        own, other = going[which % len(going)], going[where % len(going)]
        mine = sorted(report for holder, report in self.holds if holder == own)
        report = mine[where % len(mine)] if mine else None
        match operation:
            case "split" if report:
                self._say(own, triage.IncidentSplit(into=self._new(), reports=(report,)))
                self._leaves(own, report)
                self._opened(report, split_from=own)
            case "detach" if report and other != own:
                self._say(own, triage.IncidentReportDetached(report=report, to=other))
                self._leaves(own, report)
                self._attached(other, report)
            case "release" if report:
                self._say(own, triage.IncidentReportDetached(report=report))
                self._leaves(own, report)
            case "attach":
                held = {report for _, report in self.holds}
                for free in [one for one in self.reports if one not in held][:1]:
                    self._attached(own, free)
            case "merge" if other != own:
                self._say(own, triage.IncidentMerged(into=other))
                absorbed = triage.IncidentAbsorbed(incident=own, reports=tuple(mine), discovered_at=START)
                self._say(other, absorbed)
                self.into[own] = other
                self.holds |= {(other, one) for one in mine}
            case "reopen":
                self._say(own, triage.IncidentClosed(reason=words("done")))
                self._say(own, triage.IncidentReopened(reason=words("again"), report=report))
        self._passes()

    def expected(self, incident: str, moment: Moment) -> set[str]:
        """The events of reports in the timeline, by what was known at a moment."""
        family, found = moment.family(incident), set[str]()
        before = self.moments[: self.moments.index(moment) + 1]
        for report in self.reports:
            held = [not family.isdisjoint(one for one, of in then.holds if of == report) for then in before]
            if not any(held):
                continue
            last = len(held) - 1 - held[::-1].index(True)
            until = moment.at if held[-1] else before[last].at
            found |= {one.id for one in self.events if one.stream == report and one.recorded_text <= until}
        return found

    def _new(self) -> str:
        return id_of("incident", str(len(self.matters)))

    def _opened(self, report: str, **more: Any) -> None:
        incident = self._new()
        self.matters.append(incident)
        self._say(incident, triage.IncidentOpened(unit="town-east", report=report, discovered_at=START, **more))
        self.holds.add((incident, report))

    def _attached(self, incident: str, report: str) -> None:
        self._say(incident, triage.IncidentReportAttached(report=report, unit="town-east", discovered_at=START))
        self.holds.add((incident, report))

    def _leaves(self, matter: str, report: str) -> None:
        moment = Moment("", 0, frozenset(), self.into)
        self.holds -= {(one, report) for one in moment.family(matter)}

    def _say(self, incident: str, data: Any) -> None:
        self.events.append(self.world.event("triage", incident, data, incident=incident, unit="town-east"))

    def _passes(self) -> None:
        for report in self.reports:
            self.events.append(self.world.event("ingest", report, REACH, unit="town-east"))
        at = self.events[-1].recorded_text
        self.moments.append(Moment(at, len(self.events), frozenset(self.holds), dict(self.into)))


async def taken(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Puts events into the tables as audit does, in this order."""
    placed = list(enumerate(events))
    links = projection._links(placed, upcast.types_of(*projection.LINKING))
    entries = await projection._entries(connection, placed, links)
    rows = [projection._row(number, event) for number, event in placed]
    writes = [sql.Write(TIMELINE, rows), sql.Write(ENTRIES, entries), sql.Write(LINKS, links)]
    await sql.write(connection, [*writes, *projection._drawn(placed, projection.MOVES)])


async def told(connection: AsyncConnection, incident: str, size: int, known: str | None) -> set[str]:
    """The events of reports in a timeline, which the list of the matter's events has as well."""
    rows, more = await queries.timeline(connection, incident, size, known, (), FIRST, 10_000)
    filters = Filters(incident=incident, known_at=known)
    listed, _ = await queries.events(connection, filters, size, after=-1, limit=10_000, units=None)
    assert more is None
    assert {row.position for row in rows} == {row.position for row in listed}
    events = (Event.parse(row.bytes) for row in rows)
    return {event.id for event in events if event.kind == "report"}


@pytest.mark.requirement("AUD-14")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 5), st.integers(0, 5)), max_size=8),
    st.integers(0, 8),
)
def test_an_event_of_a_report_is_in_the_timelines_of_the_families_that_hold_it(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int, int]], then: int
) -> None:
    """By what was known at an instant, at a size of the log, and now."""
    office = Office(World(tmp_path_factory.getbasetemp()))
    office.begin()
    for one in operations:
        office.does(*one)
    asyncio.run(must_hold(office, office.moments[then % len(office.moments)]))


async def must_hold(office: Office, then: Moment) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    last, found = office.moments[-1], set[str]()
    try:
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.create_all, tables=[TIMELINE, ENTRIES, LINKS, NAMED, JOINED, LEFT])
            await taken(connection, office.events)
            for incident in office.matters:
                expected = office.expected(incident, then)
                assert await told(connection, incident, last.size, then.at) == expected
                assert await told(connection, incident, then.size, None) == expected
                now = await told(connection, incident, last.size, None)
                assert now == office.expected(incident, last)
                found |= now if incident not in office.into else set()
    finally:
        await engine.dispose()
    held = {report for _, report in office.holds}
    lost = {one.id for one in office.events if one.stream in held} - found
    assert not lost, "the matters that go on have everything of the reports that they hold"


async def test_a_report_that_went_to_a_part_is_there_also_where_clocks_differ(world: World) -> None:
    """The split is dated behind the opening of the new matter: another host has written the stream before."""
    old, new, report = id_of("incident", "old"), id_of("incident", "new"), id_of("report", "a")
    opening = triage.IncidentOpened(unit="town-east", report=report, discovered_at=START)
    about = {"unit": "town-east"}
    await world.send(world.event("triage", old, opening, incident=old, **about))
    opened = world.event("triage", new, opening.model_copy(update={"split_from": old}), incident=new, **about)
    split = world.event("triage", old, triage.IncidentSplit(into=new, reports=(report,)), incident=old, **about)
    merged = world.event("triage", old, triage.IncidentMerged(into=new), incident=old, **about)
    absorbed = triage.IncidentAbsorbed(incident=old, reports=(), discovered_at=START)
    absorbing = world.event("triage", new, absorbed, incident=new, **about)
    reach = world.event("ingest", report, REACH, **about)
    await world.send(opened, split, merged, absorbing, reach)
    await world.take()
    ids = [one["event"]["id"] for one in (await world.get(f"incidents/{new}/timeline"))["items"]]
    assert ids[-1] == reach.id
    assert reach.id not in [one["event"]["id"] for one in (await world.get(f"incidents/{old}/timeline"))["items"]]


async def test_a_report_that_came_and_left_in_one_instant_has_left(world: World) -> None:
    """A host whose clock was ahead attached it: the next event of the stream has the same instant."""
    incident, first, report = id_of("incident", "a"), id_of("report", "a"), id_of("report", "b")
    about = {"unit": "town-east", "incident": incident}
    opening = triage.IncidentOpened(unit="town-east", report=first, discovered_at=START)
    attached = triage.IncidentReportAttached(report=report, unit="town-east", discovered_at=START)
    detached = triage.IncidentReportDetached(report=report, to=id_of("incident", "b"))
    opened = world.event("triage", incident, opening, **about)
    came = world.event("triage", incident, attached, **about)
    world.now -= timedelta(minutes=1)
    left = world.event("triage", incident, detached, **about)
    assert came.recorded_text == left.recorded_text
    later = world.event("ingest", report, REACH, unit="town-east")
    await world.send(opened, came, left, later)
    await world.take()
    shown = [one["event"]["id"] for one in (await world.get(f"incidents/{incident}/timeline"))["items"]]
    assert later.id not in shown and shown[-1] == left.id


ELSEWHERE = {
    "roster.signed_on.held": "what waited at a desk: each has an event of its own",
    "roster.duty_handed_over.incidents": "the list of all that is open says nothing of one matter",
    "words.erasure_asked.stream": "told with the words that are to go",
    "words.erased.stream": "told with the words that are gone",
    "operation.record_read.record": "readings stand in a list of their own, for fewer people",
    "operation.archive_sealed.record": "beside the record, see `archive.told`",
    "operation.archive_read.record": "beside the record, see `archive.told`",
    "operation.timeline_exported.record": "beside the record, see `archive.told`",
    "operation.suggested.incident": "a search that looks for matters alike",
    "operation.similar_asked.offered": "a search that looks for matters alike",
    "operation.separation_refused.record": "an attempt that changed nothing; a finding tells of it",
    "drill.inject_sent.matter": "part of the drill, whose page shows it; a matter of an exercise tells its own course",
    "referral.proposed.incident": "about a post, for those who read referrals",
}
"""What names a matter, or may, and is no part of its record, with the reason."""
OF_NO_MATTER = (
    *("report", "finding", "findings", "key", "integration", "query", "run", "subscription", "statement", "drill"),
)
"""Fields that name a stream of another kind."""


def test_each_event_that_names_a_matter_belongs_to_it_or_stands_elsewhere_for_a_reason() -> None:
    named, elsewhere = set[str](), set[str]()
    for type_, model in catalogue.types().items():
        name = type_.removeprefix(catalogue.PREFIX).rpartition(".v")[0]
        if name.partition(".")[0] in catalogue.FOLLOWS_INCIDENT:
            continue
        for field_, schema in model.model_json_schema()["properties"].items():
            told = str(schema)
            names_stream = any(f"^{kind}-{UUID}" in told for kind in ("[a-z]+", "incident"))
            if not names_stream or field_ in OF_NO_MATTER:
                continue
            if catalogue.names_incident(type_):
                assert field_ == "incident", f"{name}.{field_}"
                named.add(name)
            else:
                elsewhere.add(f"{name}.{field_}")
    assert named == catalogue.NAMES_INCIDENT
    # A module that is imported alone knows all of them, so their rows hang on no order of imports.
    alone = "from services.audit.matters.moves import NAMING; print(len(NAMING))"
    assert int(subprocess.check_output([sys.executable, "-c", alone])) == len(catalogue.NAMES_INCIDENT)
    assert elsewhere == set(ELSEWHERE)


SINGLE = sorted(type_ for type_ in catalogue.types() if catalogue.names_incident(type_))


async def test_an_event_that_names_a_matter_stands_in_its_record_and_its_stream_does_not(world: World) -> None:
    incident, merged = id_of("incident", "lamp"), id_of("incident", "earlier")
    for one in (merged, incident):
        opened = triage.IncidentOpened(unit="town-east", discovered_at=START)
        await world.send(world.event("triage", one, opened, incident=one, unit="town-east"))
    singles = []
    for type_ in SINGLE:
        data = EXAMPLES[type_, True]
        about = Event.parse(data).data
        service = catalogue.owner(catalogue.kind_of(Event.parse(data).stream))
        stream = id_of(Event.parse(data).stream.partition("-")[0], "of others")
        other = about.model_copy(update={"incident": id_of("incident", "other")})
        event = [world.event(service, stream, one, unit="county") for one in (other, other)]
        event.append(world.event(service, stream, about.model_copy(update={"incident": merged}), unit="county"))
        event.append(world.event(service, stream, other, unit="county"))
        await world.send(*event)
        singles.append(event[2].id)
    absorbed = triage.IncidentAbsorbed(incident=merged, reports=(), discovered_at=START)
    await world.send(world.event("triage", merged, triage.IncidentMerged(into=incident), incident=merged))
    await world.send(world.event("triage", incident, absorbed, incident=incident))
    _, before = await changes(world, None)
    await world.take()
    answer = await world.get(f"incidents/{incident}/timeline", limit=500)
    told = [one["event"]["id"] for one in answer["items"] if not one["event"]["subject"].startswith("incident-")]
    assert sorted(told) == sorted(singles)
    listed = await world.get("events", incident=incident, limit=500)
    assert len(listed["items"]) == len(answer["items"])
    found, _ = await changes(world, before)
    assert {incident, merged} <= set(found)
    pages, next_ = [], {}
    while next_ is not None:
        page = await world.get(f"incidents/{incident}/timeline", limit=2, **next_)
        pages += page["items"]
        next_ = {"cursor": page["next"]} if page["next"] else None
    assert pages == answer["items"]
    (of_unit,) = [one for one in answer["items"] if one["event"]["id"] == singles[-1]]
    await world.get(f"events/{of_unit['event']['id']}", "town-east")
    await world.get(f"events/{of_unit['event']['id']}", "town-west", status=403)
    await must_be_verified(world, incident, singles)


async def changes(world: World, after: int | None) -> tuple[list[str], int]:
    answer = await world.get("changes", **({} if after is None else {"after": after}))
    return answer["incidents"], answer["position"]


async def must_be_verified(world: World, incident: str, singles: list[str]) -> None:
    """The record as an archive has it, and the masked one, which shows nothing of reports."""
    await signing.sign(world.runtime)
    database = world.runtime.database
    async with database.read() as connection:
        checkpoint = await building.signed(connection)
        trust = Trust(tuple(await keys.believed(connection)))
    rows = await building.rows(database, incident, checkpoint.size)
    remarks = {one for one, type_ in zip(singles, SINGLE, strict=True) if type_ in queries.REMARKS}
    assert {row.event.id for row in rows} & {*singles} == {*singles} - remarks
    assert remarks
    whole = await building.record_of(database, rows, checkpoint)
    assert matter.verify(io.BytesIO(whole), trust).events == len(rows)
    masked = await building.record_of(database, rows, checkpoint, lambda event: event.kind != "report")
    assert matter.verify(io.BytesIO(masked), trust).events == len(rows) - 1
    without = [row for row in rows if row.event.stream != incident or row.event.version != 1]
    with pytest.raises(Refused):
        matter.verify(io.BytesIO(await building.record_of(database, without, checkpoint)), trust)


async def test_an_upgrade_draws_what_earlier_versions_did_not_draw(world: World) -> None:
    incident, report = id_of("incident", "a"), id_of("report", "a")
    opened = triage.IncidentOpened(unit="town-east", report=report, discovered_at=START)
    lesson = Event.parse(EXAMPLES["huiying.policy.lesson_recorded.v1", True]).data
    split = triage.IncidentSplit(into=id_of("incident", "b"), reports=(report,))
    events = [world.event("triage", incident, one, incident=incident, unit="town-east") for one in (opened, split)]
    named = lesson.model_copy(update={"incident": incident})
    await world.send(*events, world.event("triage", id_of("policy", "a"), named, unit="county"))
    await world.take()
    tables = (NAMED, JOINED, LEFT)
    drawn = [await world.rows(table.name) for table in tables]
    assert all(drawn)
    async with world.runtime.database.transaction() as connection:
        for table in tables:
            await connection.execute(delete(table))
        for purpose in (projection.MOVED, projection.NAMING):
            await connection.execute(delete(LINKED_TYPES).where(LINKED_TYPES.c.type.startswith(purpose)))
    await world.restart()
    assert [await world.rows(table.name) for table in tables] == drawn
