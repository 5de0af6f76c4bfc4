"""Work under one incident counts where the incident was merged to, and excuses an incident that was split from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from schemas import publish, triage
from schemas.envelope import Event, seal
from schemas.escalation import ClockBreached
from schemas.fields import Fact, instant
from services.escalation.clock.heirs import Heir, Heirs, Link, links_of
from services.escalation.reactions import Batch, outdone, react
from services.escalation.seen import LINKED_FROM, LINKED_TO, know, links_to
from services.escalation.views import INCIDENTS, VIEWS
from services.kernel.core.ids import derived, stream_of
from services.kernel.delivery.log import Partition
from services.kernel.store.session import partition_of
from tests.escalation.conftest import Desk
from tests.escalation.incident import REPORTS, Incident, at
from tests.escalation.test_service import REPORT, grade, incident, opened, publish_status, statement
from tests.kit import spec

A, C, D = "a", "c", "d"
LINKED = next(view for view in VIEWS if view.table is INCIDENTS)
ORDERS = list(permutations(("own", "other", "statements")))


def part(desk: Desk, name: str, topic: str = "triage.incident") -> Partition:
    return Partition(topic, partition_of(incident(name), desk.runtime.settings.partitions))


def other_than(desk: Desk, name: str) -> str:
    """The name of an incident that travels in another partition."""
    return next(one for one in map(str, range(99)) if part(desk, one) != part(desk, name))


async def consume(desk: Desk, name: str, other: str, order: Sequence[str]) -> None:
    """Takes in one partition after the other."""
    parts = {
        "own": part(desk, name),
        "other": part(desk, other),
        "statements": part(desk, name, "publish.statement"),
    }
    for one in order:
        records = desk.topics.records.get(parts[one], [])
        await desk.work.handle(records[desk.taken.get(parts[one], 0) :])
        desk.taken[parts[one]] = len(records)


def tell(desk: Desk, name: str, hour: float, *facts: Fact) -> None:
    for fact in facts:
        desk.tell(incident(name), fact, at(hour))


def merge(desk: Desk, name: str, into: str, hour: float, discovered: float = 0) -> None:
    tell(desk, name, hour, triage.IncidentMerged(into=incident(into)))
    absorbed = triage.IncidentAbsorbed(incident=incident(name), reports=(REPORT,), discovered_at=at(discovered))
    tell(desk, into, hour, absorbed)


def taken(name: str) -> tuple[Fact, Fact]:
    """What a matter that is split off takes from the other one."""
    return (
        triage.IncidentAssigned(unit="county-roads", taken_from=incident(name)),
        triage.IncidentAccepted(unit="county-roads", taken_from=incident(name)),
    )


def split(desk: Desk, name: str, new: str, hour: float) -> None:
    tell(desk, name, hour, triage.IncidentSplit(into=incident(new), reports=(REPORT,)))
    opening = triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=at(0), split_from=incident(name))
    tell(desk, new, hour, opening, *taken(name))


def explain(desk: Desk, name: str, hour: float) -> None:
    tell(desk, name, hour, triage.IncidentReplied(text="t"))


async def standing(desk: Desk, name: str) -> dict[str, tuple[Any, ...]]:
    """Clock -> its state, due time and time when it was met.

    Clocks that are neither met, due nor missed are left out.
    """
    rows = await desk.clocks(incident(name))
    return {
        clock: tuple(row[one] for one in ("state", "due", "met_at"))
        for clock, row in rows.items()
        if row["state"] != "cancelled"
    }


async def breaches(desk: Desk, name: str) -> list[tuple[str, datetime]]:
    events = await desk.events(stream_of("clock", incident(name)))
    return [(event.data.clock, event.data.due) for event in events if isinstance(event.data, ClockBreached)]


def hours(*these: float | None) -> tuple[str | None, ...]:
    return tuple(None if hour is None else instant(at(hour)) for hour in these)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_what_was_done_before_a_merger_meets_limits_at_once(desk: Desk, order: Sequence[str]) -> None:
    opened(desk, A)
    grade(desk, A)
    publish_status(desk, A, hour=2)
    b = other_than(desk, A)
    opened(desk, b, hour=1)
    merge(desk, A, b, 2.5)
    tell(desk, b, 2.5, triage.IncidentGraded(level="major", rank=2, known_at=at(0), taken_from=incident(A)))
    await consume(desk, A, b, order)
    answered = {"public_statement": ("met", *hours(3, 2)), "interim_reply": ("met", *hours(16, 2))}
    owed = {**answered, **dict.fromkeys(REPORTS, ("running", *hours(3.5, None)))}
    assert await standing(desk, b) == owed, "what was missed there is owed anew here"
    await desk.turn(at(3.4))
    assert await standing(desk, b) == owed
    assert await breaches(desk, A) == [(hop, at(1)) for hop in REPORTS]
    await desk.turn(at(40))
    assert (await breaches(desk, A), await breaches(desk, b)) == (
        [(hop, at(1)) for hop in REPORTS],
        [(hop, at(3.5)) for hop in REPORTS],
    )


async def test_a_merger_leaves_each_breach_where_it_was_and_adds_none(desk: Desk) -> None:
    b = other_than(desk, A)
    opened(desk, A, hour=0)
    opened(desk, b, hour=6)
    tell(desk, b, 7, triage.IncidentAccepted(unit="county-roads"))
    await desk.consume()
    await desk.turn(at(31))
    missed = [("transfer", at(2)), ("explanation", at(24))], [("explanation", at(30))]
    assert (await breaches(desk, A), await breaches(desk, b)) == missed
    merge(desk, A, b, 32)
    await desk.consume()
    await desk.turn(at(33))
    assert (await breaches(desk, A), await breaches(desk, b)) == missed
    assert (await standing(desk, b))["transfer"] == ("met", *hours(8, 7))
    assert (await standing(desk, b))["explanation"] == ("breached", *hours(30, None))


async def test_a_merger_takes_no_time_from_one_matter_by_what_the_other_knew_alone(desk: Desk) -> None:
    """The matter was known long before, and was found major in the other incident.

    The limit there counts, not a passed one.
    """
    opened(desk, C, hour=0)
    opened(desk, D, hour=9)
    grade(desk, D, hour=9.5)
    merge(desk, D, C, 10)
    tell(desk, C, 10, triage.IncidentGraded(level="major", rank=2, known_at=at(0), taken_from=incident(D)))
    await desk.consume()
    assert (await standing(desk, C))["public_statement"] == ("running", *hours(12, None))


async def test_what_comes_after_two_mergers_counts_in_the_end(desk: Desk) -> None:
    b = other_than(desk, A)
    for name in (A, b, C):
        opened(desk, name)
        grade(desk, name)
    merge(desk, A, b, 1.2)
    merge(desk, b, C, 1.3)
    await desk.consume()
    publish_status(desk, A, hour=2)
    await desk.consume()
    assert (await standing(desk, C))["public_statement"] == ("met", *hours(3, 2))


async def test_a_status_published_late_under_the_merged_matter_meets_late(desk: Desk) -> None:
    b = other_than(desk, A)
    for name in (A, b):
        opened(desk, name)
        grade(desk, name)
    merge(desk, A, b, 1.2)
    await desk.consume()
    await desk.turn(at(4))
    publish_status(desk, A, hour=5)
    await desk.consume()
    row = (await desk.clocks(incident(b)))["public_statement"]
    assert (row["state"], row["met_at"], row["late"], row["breached_at"]) == ("met", *hours(5), True, *hours(3))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_what_is_split_off_has_limits_of_its_own(desk: Desk, order: Sequence[str]) -> None:
    """The origin had explained by then. Nobody is accused for that time, and an explanation is due for it, too."""
    opened(desk, A)
    tell(desk, A, 1, triage.IncidentAccepted(unit="county-roads"))
    desk.tell(statement(A), facts(A), at(2), incident=incident(A))
    c = other_than(desk, A)
    split(desk, A, c, 3)
    explain(desk, A, 4)
    await consume(desk, A, c, order)
    owed = {"transfer": ("met", *hours(5, 3)), "explanation": ("running", *hours(27, None))}
    assert await standing(desk, c) == owed
    await desk.turn(at(26))
    assert await standing(desk, c) == owed
    await desk.turn(at(28))
    assert (await breaches(desk, c), await breaches(desk, A)) == ([("explanation", at(27))], [])


def facts(name: str) -> publish.StatementPublished:
    return publish.StatementPublished(
        incident=incident(name), unit="town-east", kind="facts", title="情况说明", text="情况说明", by="0" * 64
    )


async def test_what_its_origin_had_not_done_yet_is_owed_from_its_own_discovery(desk: Desk) -> None:
    opened(desk, A)
    split(desk, A, C, 3)
    explain(desk, A, 5)
    await desk.consume()
    assert (await standing(desk, C))["explanation"] == ("running", *hours(24, None)), "what was done later is no excuse"


async def test_what_its_origin_missed_stays_there_and_is_owed_anew(desk: Desk) -> None:
    opened(desk, A)
    await desk.consume()
    await desk.turn(at(29))
    split(desk, A, C, 30)
    await desk.consume()
    assert (await standing(desk, C))["explanation"] == ("running", *hours(54, None))
    await desk.turn(at(53))
    assert await breaches(desk, C) == []
    assert await breaches(desk, A) == [("transfer", at(2)), ("explanation", at(24))]


async def test_what_is_split_off_is_judged_when_its_origin_is_known_as_far(desk: Desk) -> None:
    """Its own partition may be ahead. Nobody is accused while an excuse is on its way."""
    opened(desk, A)
    explain(desk, A, 2)
    c = other_than(desk, A)
    split(desk, A, c, 3)
    await consume(desk, A, c, ("other",))
    await desk.turn(at(25))
    assert (await standing(desk, c))["explanation"] == ("running", *hours(24, None))
    await desk.consume()
    await desk.turn(at(25.1))
    assert (await standing(desk, c))["explanation"] == ("running", *hours(27, None))


async def test_what_a_consumer_takes_in_together_comes_to_the_same(desk: Desk) -> None:
    opened(desk, A)
    explain(desk, A, 1)
    split(desk, A, C, 1.5)
    explain(desk, C, 1.6)
    opened(desk, D, hour=1.7)
    merge(desk, C, D, 1.8)
    await desk.consume()
    assert (await standing(desk, D))["explanation"] == ("met", *hours(24, 1.6)), (
        "what was done for it, not what excused it"
    )
    async with desk.runtime.database.read() as connection:
        links = [Link(incident(A), incident(C), at(1.5)), Link(incident(C), incident(D))]
        assert await links_to(connection, [incident(D), incident(A)]) == {incident(D): links}
        event = desk.streams[incident(A)]
        assert (await know(connection, [event])).heirs.of(incident(A)) == [Heir(incident(C), incident(A), at(1.5))]


async def test_what_reached_the_other_matter_unseen_counts_when_it_is_judged(desk: Desk) -> None:
    """A receipt is given on the clock stream itself, and no other service tells of it."""
    opened(desk, A)
    b = other_than(desk, A)
    opened(desk, b)
    await desk.consume()
    told = await desk.ask("POST", f"/incidents/{incident(A)}/report-upward", "duty_officer", "town-east", json={})
    assert told.status_code == 200, told.text
    merge(desk, A, b, 1)
    await desk.consume()
    given = await desk.ask("POST", f"/incidents/{incident(A)}/receipt", "duty_officer", "county", json={})
    assert given.status_code == 200, given.text
    await desk.turn(at(25))
    held = [event.data for event in await desk.events(stream_of("clock", incident(b)))]
    assert {one.milestone for one in held if getattr(one, "incident", None) == incident(A)} == {
        "absorbed",
        "discovered",
        "reported",
        "received",
    }


async def test_views_are_the_same_whichever_incident_told_of_a_link_first(desk: Desk) -> None:
    opened(desk, A)
    opened(desk, D)
    split(desk, A, C, 1)
    merge(desk, C, D, 2)
    await desk.consume()
    told = [event for name in (A, C, D) for event in await told_of(desk, name)]
    for events in (told, sorted(told, key=lambda event: event.stream, reverse=True)):
        rows: dict[Any, Any] = {}
        for event in events:
            for key in LINKED.touched(event):
                rows[key] = LINKED.apply(key, rows.get(key), event)
        names = ("merged_into", "split_from", "split_at")
        kept = {row["incident_id"]: tuple(row[name] for name in names) for row in await desk.rows("incidents")}
        assert {key[0]: tuple(row[name] for name in names) for key, row in rows.items()} == kept
    assert kept[incident(C)] == (incident(D), incident(A), instant(at(1)))


async def told_of(desk: Desk, name: str) -> list[Event]:
    records = [record for held in desk.topics.records.values() for record in held]
    return [event for event in map(Event.parse, (record.value for record in records)) if event.stream == incident(name)]


async def test_links_are_found_by_an_index_also_where_hardly_any_matter_has_one(desk: Desk) -> None:
    """A table of matters of which the database knows that almost all were neither merged nor split off."""
    many = [{"incident_id": f"incident-{derived(str(n))}", "unit": "town-east", "revision": 0} for n in range(2000)]
    async with desk.runtime.database.transaction() as connection:
        await connection.execute(insert(INCIDENTS), many)
        await connection.execute(text("analyze"))
    listed = orjson.dumps([row["incident_id"] for row in many[:200]]).decode()
    async with desk.runtime.database.read() as connection:
        for asked in (*LINKED_FROM, *LINKED_TO):
            statement = str(asked.compile(connection.engine.sync_engine))
            plan = str((await connection.exec_driver_sql(f"explain query plan {statement}", (listed,))).all())
            assert "SEARCH incidents" in plan and "SCAN incidents" not in plan, plan


def test_heirs_are_followed_by_every_way() -> None:
    five, three = at(5), at(3)
    links = [Link("a", "c", five), Link("c", "b"), Link("a", "b"), Link("b", "d", three), Link("d", "e", five)]
    assert Heirs(links).of("a") == [Heir("b", "a"), Heir("c", "a", five), Heir("d", "b", three), Heir("e", "d", three)]
    assert Heirs(links).of("c") == [Heir("b", "c"), Heir("d", "b", three), Heir("e", "d", three)]
    assert Heirs(links).of("x") == []
    back = [Link("a", "c", five), Link("a", "c"), Link("c", "a")]
    assert Heirs(back).of("a") == [Heir("c", "a")]


# any order of arrival


@dataclass
class Office:
    """The records of triage and publish, stream by stream, with their times."""

    streams: dict[str, list[Event]] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: at(0))
    closed: set[str] = field(default_factory=set)

    def tell(self, stream: str, *facts: Fact) -> None:
        past = self.streams.setdefault(stream, [])
        for fact in facts:
            last = past[-1] if past else None
            event = seal(
                spec._plain(fact),
                id=derived("told", stream, str(len(past))),
                source="/huiying/test/told",
                stream=stream,
                version=len(past) + 1,
                previous=last.digest if last else None,
                time=self.at,
                recorded=self.at,
                partitionkey=stream,
                actor="system",
                unit="town-east",
            )
            past.append(event)

    def open(self, name: str, hours_ago: float) -> None:
        since = self.at - timedelta(hours=hours_ago)
        self.tell(incident(name), triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=since))

    def merge(self, name: str, into: str) -> None:
        self.closed.add(name)
        self.tell(incident(name), triage.IncidentMerged(into=incident(into)))
        since = min(event.data.discovered_at for one in (name, into) for event in self.streams[incident(one)][:1])
        raised = triage.IncidentGraded(level="major", rank=2, known_at=since, taken_from=incident(name))
        absorbed = triage.IncidentAbsorbed(incident=incident(name), reports=(REPORT,), discovered_at=since)
        self.tell(incident(into), absorbed, *([raised] if len(name) % 2 else []))

    def split(self, name: str, new: str, hours_ago: float) -> None:
        self.tell(incident(name), triage.IncidentSplit(into=incident(new), reports=(REPORT,)))
        opening = triage.IncidentOpened(
            unit="town-east",
            report=REPORT,
            discovered_at=self.at - timedelta(hours=hours_ago),
            split_from=incident(name),
        )
        self.tell(incident(new), opening, *taken(name))


DONE: tuple[Fact, ...] = (
    triage.IncidentAccepted(unit="county-roads"),
    triage.IncidentReplied(text="t"),
    triage.IncidentGraded(level="major", rank=2),
    triage.IncidentFactEstablished(key="k", kind="yes_no", yes=True, source="s"),  # type: ignore[arg-type]
)


@st.composite
def offices(draw: st.DrawFn) -> Office:
    """Some matters of a few days, merged and split, with work and statements under each, also afterwards."""
    office, names = Office(), ["a"]
    office.open("a", 0)
    for number in range(draw(st.integers(2, 12))):
        office.at += timedelta(hours=draw(st.sampled_from((0, 0.5, 2, 9, 30))))
        here = [name for name in names if name not in office.closed]
        name = draw(st.sampled_from(here))
        match draw(st.integers(0, 8)):
            case 7 | 8:
                found = draw(st.lists(st.integers(-1, 40), min_size=1, max_size=5))
                office.tell(incident(name), *(attached(office.at - timedelta(hours=hours)) for hours in found))
            case 0:
                names.append("o" * (number + 2))
                office.open(names[-1], draw(st.sampled_from((0, 1, 20))))
            case 1:
                names.append("s" * (number + 2))
                office.split(name, names[-1], draw(st.sampled_from((0, 1, 20))))
            case 2 if len(here) > 1:
                office.merge(name, draw(st.sampled_from([one for one in here if one != name])))
            case 3:
                said = draw(st.sampled_from(names))
                office.tell(f"statement-{derived(said, str(number))}", facts(said))
            case _:
                office.tell(incident(name), draw(st.sampled_from(DONE)))
    return office


def attached(discovered: datetime) -> triage.IncidentReportAttached:
    return triage.IncidentReportAttached(report=REPORT, unit="town-east", discovered_at=discovered)


def take_in(batches: Iterable[Sequence[Event]]) -> dict[str, Any]:
    """Clock stream -> its result, if the events came in these batches."""
    streams: dict[str, Incident] = {}
    links: list[Link] = []
    for events in batches:
        links += [link for event in events for link in links_of(event)]
        batch = Batch(Heirs(links), outdone=outdone(events))
        for event in events:
            for reaction in react(event, batch):
                matter = streams.setdefault(reaction.stream, Incident())
                seen = {other: streams[other].state for other in reaction.beside}
                matter.do(reaction.command, event.recorded, seen=seen)
    return {stream: matter.detect(at(0, day=20)).standing() for stream, matter in streams.items()}


@given(offices(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_any_order_of_arrival_comes_to_the_same(office: Office, chance: Random) -> None:
    """Each stream keeps its order. Between streams, any order is possible, and any cut into batches."""
    recorded = sorted((event for past in office.streams.values() for event in past), key=lambda event: event.recorded)
    waiting = {stream: list(past) for stream, past in office.streams.items()}
    arriving = []
    while waiting:
        stream = chance.choice(sorted(waiting))
        arriving.append(waiting[stream].pop(0))
        if not waiting[stream]:
            del waiting[stream]
    batches = []
    while arriving:
        size = chance.randint(1, 6)
        batches.append(arriving[:size])
        del arriving[:size]
    assert take_in(batches) == take_in([event] for event in recorded)
