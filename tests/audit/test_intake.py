"""How audit takes events in: every well-formed event, each once, without a gap."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from schemas import catalogue, upcast
from schemas.envelope import Event, digest
from schemas.fields import WordsRef, _parts
from schemas.ingest import ReportReachMeasured
from schemas.offices import UnitPlaced
from schemas.publish import StatementPublished
from schemas.triage import IncidentFollowedUp, IncidentOpened
from services.audit import summaries
from services.audit.findings import seen
from services.audit.projection import AuditWork
from services.audit.views import LOG
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.records import UNWRITTEN
from services.kernel.sealed import matter
from services.kernel.sealed.strict import event_of
from services.kernel.store.session import partition_of
from tests.audit.log.test_growing import forget_all
from tests.audit.test_timeline import match_key
from tests.audit.world import START, UNITS, World, id_of, received, words


def placed(unit: str) -> UnitPlaced:
    """One more unit."""
    return UnitPlaced(unit=unit, kind="town", name=unit, parent="county", since=START)


def changed(event: Event, **attributes: Any) -> Event:
    """The same event with other attributes."""
    return Event.parse(orjson.dumps({**event.attributes, **attributes}))


async def order(world: World) -> list[str]:
    """The digests in audit's own stream, in order of position."""
    events = world.runtime.tables["events"]
    said: list[str] = []
    async with world.runtime.database.read() as connection:
        chosen = select(events.c.bytes).where(events.c.stream_id == LOG).order_by(events.c.version)
        for (bytes_,) in await connection.execute(chosen):
            data = Event.parse(bytes_).data
            assert data.first == len(said)
            said += data.events
    return said


async def test_every_event_is_kept_once_with_its_bytes_and_its_order_is_said(world: World) -> None:
    await match_key(world)
    await world.take()
    kept = await world.rows("timeline", "position", "digest", "bytes")
    assert [position for position, _, _ in kept] == list(range(10))
    assert [digest(bytes_) for _, _, bytes_ in kept] == [known for _, known, _ in kept]
    assert [known for _, known, _ in kept] == await order(world)
    on_topics = set()
    for partition, end in (await world.log.ends(world.runtime.service.topics)).items():
        async for records in world.log.read(partition, 0, end):
            on_topics |= {record.value for record in records}
    assert {bytes_ for _, _, bytes_ in kept} == on_topics


async def test_a_type_that_nobody_knows_is_kept_like_any_other(world: World) -> None:
    opened = IncidentOpened(unit="county", report=id_of("report", "x"), discovered_at=START)
    event = world.event("triage", id_of("incident", "x"), opened, unit="county", incident=id_of("incident", "x"))
    strange = changed(event, type="huiying.incident.sung_about.v7", data={"tune": [1, 2]})
    await world.send(strange)
    await world.take()
    assert (await world.get("events", type=strange.type))["items"] == [strange.attributes]
    timeline = await world.get(f"incidents/{id_of('incident', 'x')}/timeline")
    assert [item["summary"] for item in timeline["items"]] == [strange.type]


V1, V2 = (f"huiying.incident.opened.v{version}" for version in (1, 2))


def reads_both_versions(patched: pytest.MonkeyPatch) -> None:
    """Turns this into a version of the code that reads two versions of one event."""
    patched.setitem(upcast.STEPS, V2, (V1, lambda data: {"report": data.pop("first_report"), **data}))


async def opened_twice(world: World) -> dict[str, str]:
    """Two incidents, one opened by the old and one by the new version of an event: incident -> report."""
    opened = {}
    for name in ("old", "new"):
        incident, report = id_of("incident", name), id_of("report", name)
        await world.send(world.event("ingest", report, received(name), unit="county"))
        first = IncidentOpened(unit="county", report=report, discovered_at=START)
        event = world.event("triage", incident, first, unit="county", incident=incident)
        if name == "new":
            data = {**event.attributes["data"], "first_report": report}
            del data["report"]
            event = changed(event, type=V2, dataschema="urn:huiying:incident.opened.v2", data=data)
        await world.send(event)
        opened[incident] = report
    await world.take()
    return opened


async def test_two_versions_of_one_event_link_alike(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads_both_versions(monkeypatch)
    await world.restart()
    for incident, report in (await opened_twice(world)).items():
        timeline = await world.get(f"incidents/{incident}/timeline", unit="county")
        assert {item["event"]["subject"] for item in timeline["items"]} == {incident, report}
        await world.get(f"incidents/{incident}/timeline", unit="town-east", status=403)


async def test_what_could_not_be_read_when_it_came_is_linked_when_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = await opened_twice(world)
    links = await world.rows("links", "incident_id", "stream_id")
    assert (id_of("incident", "new"), id_of("report", "new")) not in links
    reads_both_versions(monkeypatch)
    await world.restart()
    links = await world.rows("links", "incident_id", "stream_id")
    assert set(opened.items()) <= set(links)
    for incident, report in opened.items():
        timeline = await world.get(f"incidents/{incident}/timeline", unit="county")
        assert {item["event"]["subject"] for item in timeline["items"]} == {incident, report}


@pytest.mark.parametrize(
    "strange",
    [
        {"type": "huiying.unit.painted.v1", "data": {"colour": "green"}},
        {"type": "huiying.unit.placed.v1", "data": {"unit": "town-north"}},
        {"type": "huiying.report.erased.v1", "data": {"refs": 5}},
    ],
    ids=["unknown", "malformed", "erasure"],
)
async def test_what_audit_would_read_and_cannot_is_kept_all_the_same(world: World, strange: dict[str, Any]) -> None:
    kind = strange["type"].split(".")[1]
    service, stream = ("triage", id_of("unit", "tree")) if kind == "unit" else ("ingest", id_of("report", "r"))
    event = changed(world.event(service, stream, placed("town-south"), unit="city"), **strange)
    world.heads[stream] = event
    follows = placed("town-north") if kind == "unit" else ReportReachMeasured(clicks=1, measured_at=START)
    await world.send(event, world.event(service, stream, follows, unit="city"))
    await world.take()
    assert await world.rows("dead_letters", "reason") == []
    assert await world.rows("parked", "version") == []
    assert len(await world.rows("timeline", "position")) == len(UNITS) + 2


async def test_a_number_in_an_unknown_event_of_the_offices_stops_nothing(world: World) -> None:
    stream = id_of("unit", "strange")
    strange = {"type": "huiying.unit.painted.v1", "data": {"number": "town-east-2026-00001"}}
    await world.send(changed(world.event("triage", stream, placed("town-south"), unit="city"), **strange))
    await world.take()
    assert await world.rows("dead_letters", "reason") == []
    assert len(await world.rows("timeline", "position")) == len(UNITS) + 1


async def test_units_of_a_type_that_was_unknown_are_known_after_an_upgrade(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = "huiying.unit.placed.v2"
    await world.send(
        changed(world.event("triage", id_of("unit", "tree"), placed("town-north"), unit="city"), type=newer)
    )
    await world.take()
    assert ("town-north",) not in await world.rows("units", "unit")
    before = await world.rows("units")
    monkeypatch.setitem(catalogue._models, newer, UnitPlaced)
    await world.restart()
    assert ("town-north",) in await world.rows("units", "unit")
    assert len(await world.rows("units")) == len(before) + 1


async def test_a_lower_version_with_other_bytes_is_a_fork(world: World) -> None:
    incident = await match_key(world)
    again = world.event("triage", incident, IncidentFollowedUp(text=words("well")), incident=incident, unit="county")
    await world.send(again)
    await world.take()
    kept = [Event.parse(bytes_) for (bytes_,) in await world.rows("timeline", "bytes")]
    first = next(event for event in kept if (event.stream, event.version) == (incident, 1))
    await world.send(first)
    await world.take()
    assert await world.rows("dead_letters", "reason") == [], "the same bytes again are a duplicate"
    await world.send(changed(first, unit="town-west"))
    await world.take()
    assert await world.rows("dead_letters", "reason", "stream_id", "version") == [("fork", incident, 1)]
    after = world.event("triage", incident, IncidentFollowedUp(text=words("oh")), incident=incident, unit="county")
    await world.send(after)
    await world.take()
    assert await world.rows("parked", "version") == [(after.version,)], "a forked stream waits"
    assert len(await world.rows("timeline", "position")) == 4 + 7


async def test_a_gap_is_waited_for(world: World) -> None:
    stream = id_of("report", "gap")
    one, two, three = (world.event("ingest", stream, received(str(i)), unit="county") for i in range(3))
    await world.send(one, three)
    await world.take()
    assert len(await world.rows("timeline", "position")) == 4 + 1
    await world.send(two)
    await world.take()
    assert [Event.parse(bytes_).version for _, bytes_ in await world.rows("timeline", "position", "bytes")][4:] == [
        1,
        2,
        3,
    ]
    assert await world.rows("parked", "version") == []


async def test_what_is_no_event_is_set_aside_and_the_partition_goes_on(world: World) -> None:
    good = world.event("ingest", id_of("report", "good"), received(), unit="county")
    place = Partition(good.topic, partition_of(good.partitionkey, world.settings.partitions))
    await world.log.append({place: [(b"a", b"{}"), (b"b", b"\xff"), (b"c", None), (b"d", good.bytes)]})
    await world.take()
    assert [reason for (reason,) in await world.rows("dead_letters", "reason")] == ["undecodable"] * 3
    assert [stream for _, stream in await world.rows("timeline", "position", "stream_id")][4:] == [good.stream]


def deep(event: Event) -> Event:
    """The same event with data that is nested as deep as compact JSON may be, and deeper than a record may hold."""
    data: Any = 1
    for _ in range(252):
        data = {"a": data}
    return changed(event, data={"deep": data})


ODD: dict[str, Callable[[Event], bytes]] = {
    "white space": lambda event: event.bytes.replace(b",", b", ", 1),
    "end of line": lambda event: event.bytes + b"\n",
    "doubled name": lambda event: b'{"id":"first",' + event.bytes[1:],
    "escaped letter": lambda event: event.bytes.replace(b"board", b"\\u0062oard"),
    "number": lambda event: event.bytes.replace(b'"data":{', b'"data":{"n":1e2,'),
    "too deep": lambda event: deep(event).bytes,
}


async def test_bytes_that_no_service_writes_are_set_aside_and_the_right_ones_come_in(world: World) -> None:
    right: list[bytes] = []
    for name, spoilt in ODD.items():
        first = world.event("ingest", id_of("report", name), received(), unit="county")
        then = world.event("ingest", first.stream, ReportReachMeasured(clicks=1, measured_at=START), unit="county")
        sent = [spoilt(first), first.bytes, then.bytes]
        Event.parse(sent[0])
        right += sent[1:]
        place = Partition(first.topic, partition_of(first.partitionkey, world.settings.partitions))
        await world.log.append({place: [(first.partitionkey.encode(), bytes_) for bytes_ in sent]})
    await world.take()
    letters = await world.rows("dead_letters", "reason", "error")
    assert [reason for reason, said in letters if UNWRITTEN[-40:] in said] == ["unwritten"] * len(ODD)
    kept = [bytes_ for _, bytes_ in await world.rows("timeline", "position", "bytes")]
    assert sorted(kept[4:]) == sorted(right)
    incident = id_of("incident", "odd")
    opened = IncidentOpened(unit="county", report=id_of("report", "x"), discovered_at=START)
    event = world.event("triage", incident, opened, unit="county", incident=incident)
    await world.log.append({Partition(event.topic, 0): [(event.partitionkey.encode(), b" " + event.bytes)]})
    await world.take()
    async with world.runtime.database.read() as connection:
        stuck = await seen.stuck(connection, world.runtime.tables, "audit", [incident, id_of("incident", "other")])
    assert stuck == {incident}, "of a matter of which a record waits, nothing is found"
    await world.log.append({Partition(event.topic, 0): [(event.partitionkey.encode(), event.bytes)]})
    await world.take()
    async with world.runtime.database.read() as connection:
        assert not await seen.stuck(connection, world.runtime.tables, "audit", [incident]), "the right bytes came"
    kept = [bytes_ for _, bytes_ in await world.rows("timeline", "position", "bytes")]
    for bytes_ in kept:
        event_of(matter.line(0, (), bytes_).partition(b'"event":')[2][:-2], "a line of a record")


async def test_bytes_that_waited_since_before_an_upgrade_are_judged_when_it_is_their_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.event("ingest", id_of("report", "odd"), received(), unit="county")
    reach = ReportReachMeasured(clicks=1, measured_at=START)
    second, third = [world.event("ingest", first.stream, reach, unit="county") for _ in range(2)]
    place = Partition(first.topic, partition_of(first.partitionkey, world.settings.partitions))

    async def send(*values: bytes) -> None:
        await world.log.append({place: [(first.partitionkey.encode(), value) for value in values]})
        await world.take()

    with monkeypatch.context() as earlier:
        earlier.setattr(Event, "is_canonical", True)
        await send(first.bytes, third.bytes + b" ")
    assert await world.rows("parked", "version") == [(3,)]
    await send(second.bytes)
    assert await world.rows("dead_letters", "reason", "stream_id", "version") == [("unwritten", first.stream, 3)]
    assert await world.rows("parked", "version") == []
    await send(third.bytes)
    assert [bytes_ for _, bytes_ in await world.rows("timeline", "position", "bytes")][4:] == [
        first.bytes,
        second.bytes,
        third.bytes,
    ]


async def test_bytes_that_the_log_placed_before_are_regained(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    event = world.event("ingest", id_of("report", "odd"), received(), unit="county")
    place = Partition(event.topic, partition_of(event.partitionkey, world.settings.partitions))
    with monkeypatch.context() as earlier:
        earlier.setattr(Event, "is_canonical", True)
        await world.log.append({place: [(event.partitionkey.encode(), event.bytes + b" ")]})
        await world.take()
    before = await world.rows("timeline", "position", "digest")
    await forget_all(world)
    await world.restart()
    await world.take()
    assert await world.rows("timeline", "position", "digest") == before
    assert await world.rows("dead_letters", "reason") == []


async def test_partitions_taken_in_at_once_share_one_order_without_a_hole(world: World) -> None:
    events = [world.event("ingest", id_of("report", str(i)), received(), unit="county") for i in range(60)]
    await world.send(*events)
    works = [AuditWork(world.runtime) for _ in range(3)]

    async def take(work: AuditWork, partition: Partition, end: int) -> None:
        async for records in world.log.read(partition, 0, end):
            for start in range(0, len(records), 7):
                await work.handle(records[start : start + 7])

    ends = await world.log.ends(["ingest.report"])
    await asyncio.gather(*(take(work, *item) for work, item in zip(works, ends.items(), strict=True)))
    positions = await world.rows("timeline", "position", "digest")
    assert [position for position, _ in positions] == list(range(4 + 60))
    assert [known for _, known in positions] == await order(world)


async def test_what_is_repeated_changes_nothing(world: World) -> None:
    await match_key(world)
    await world.take()
    before = await world.rows("timeline", "position", "digest"), await order(world)
    repeated: Sequence[Record]
    for partition, end in (await world.log.ends(["triage.incident"])).items():
        async for repeated in world.log.read(partition, 0, end):
            await world.log.append({partition: [(record.key or b"", record.value) for record in repeated]})
    await world.take()
    assert (await world.rows("timeline", "position", "digest"), await order(world)) == before


def test_every_known_type_has_a_summary_and_none_shows_words() -> None:
    for type_, model in catalogue.types().items():
        name = type_.removeprefix(catalogue.PREFIX).rpartition(".v")[0]
        if name.partition(".")[0] in catalogue.UNSEQUENCED:
            continue
        shown = summaries.fields(summaries.TEMPLATES[name])
        assert shown <= model.model_fields.keys(), name
        for field in shown:
            assert WordsRef not in _parts(model.model_fields[field].annotation), f"{name} shows words in {field}"
            assert "x-published" not in str(model.model_json_schema()["properties"][field]), f"{name} shows {field}"
    assert "x-published" in str(StatementPublished.model_json_schema()["properties"]["text"])


async def test_no_typed_word_reaches_a_summary(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    answer = await world.get(f"incidents/{incident}/timeline", lang="zh")
    said = [item["summary"] for item in answer["items"]]
    assert said[0] == "town-east经网络留言板收到反映"
    assert said[1] == "town-east立案，03-02 09:00 获知"
    assert not any(word in sentence for sentence in said for word in ("road", "hole", "draft "))


async def test_an_id_that_another_event_has_is_set_aside_alone(world: World) -> None:
    first = world.event("ingest", id_of("report", "first"), received(), unit="county")
    stolen = changed(world.event("ingest", id_of("report", "second"), received(), unit="county"), id=first.id)
    others = [world.event("ingest", id_of("report", str(i)), received(), unit="county") for i in range(20)]
    await world.send(first, stolen, *others)
    await world.take()
    assert await world.rows("dead_letters", "reason", "stream_id") == [("poison", stolen.stream)]
    assert len(await world.rows("timeline", "position")) == 4 + 21
