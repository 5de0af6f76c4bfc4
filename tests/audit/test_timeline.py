"""Audit's answers about an incident: complete, on both axes, and final."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from schemas.audit import LogSequenced
from schemas.escalation import ClockStarted
from schemas.fields import instant
from schemas.ingest import ReportReachMeasured
from schemas.operation import OperationSuggested
from schemas.publish import StatementDrafted
from schemas.triage import (
    IncidentAbsorbed,
    IncidentGraded,
    IncidentMerged,
    IncidentOpened,
    IncidentReportAttached,
    IncidentSplit,
)
from services.apps import client, export
from services.audit.log import keys, signing
from services.audit.views import TIMELINE
from services.kernel.delivery.log import Partition
from services.kernel.delivery.recovery import RESTORED
from services.kernel.delivery.relay import Relay
from services.kernel.sealed import matter, record
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from tests.audit.world import START, World, id_of, received, words
from tests.kit import access
from tests.kit.plans import asked, plans

DIGEST = "a" * 64


async def match_key(world: World, name: str = "a", unit: str = "town-east") -> str:
    """A report, its incident with a second report, a clock and a statement. All are on their topics."""
    incident, report, second = id_of("incident", name), id_of("report", name), id_of("report", name + "2")
    about = {"incident": incident, "unit": unit}
    opened = IncidentOpened(unit=unit, report=report, discovered_at=START)
    clock = ClockStarted(clock="first_answer", unit=unit, since=START, due=START + timedelta(hours=4))
    draft = StatementDrafted(
        incident=incident, unit=unit, kind="status", title=words("title"), draft=words("draft"), by=DIGEST
    )
    await world.send(
        world.event("ingest", report, received(unit=unit), unit=unit),
        world.event("triage", incident, opened, **about),
        world.event("escalation", id_of("clock", name), clock, **about),
        world.event("ingest", second, received("hole", unit), unit=unit),
        world.event("triage", incident, IncidentReportAttached(report=second, unit=unit, discovered_at=START), **about),
        world.event("publish", id_of("statement", name), draft, **about),
    )
    return incident


def kinds(answer: Any) -> list[str]:
    """The kinds of stream in a timeline, in its order."""
    return [item["event"]["subject"].partition("-")[0] for item in answer["items"]]


async def test_a_timeline_holds_reports_clocks_and_statements_in_order_of_recording(world: World) -> None:
    incident = await match_key(world)
    await match_key(world, "other")
    await world.take("publish.statement", "escalation.clock")
    answer = await world.get(f"incidents/{incident}/timeline")
    assert kinds(answer) == ["report", "incident", "clock", "report", "incident", "statement"]
    recorded = [(item["event"]["recordedtime"], item["event"]["id"]) for item in answer["items"]]
    assert recorded == sorted(recorded)
    assert answer["incident_id"] == incident
    assert answer["as_of"] is None
    assert answer["known_at"] is None
    assert answer["log_size"] == 16
    assert answer["complete_until"] == instant(world.now)
    assert [item["position"] for item in answer["items"]] != sorted(item["position"] for item in answer["items"])


async def test_the_bytes_of_an_event_are_answered_untouched(world: World) -> None:
    incident = id_of("incident", "raw")
    opened = IncidentOpened(unit="county", report=id_of("report", "x"), discovered_at=START)
    event = world.event("triage", incident, opened, unit="county", incident=incident)
    odd = event.bytes.replace(b'"data":', b'"odd":[1.5,"\xe5\x9b\x9e"],"data":')
    await world.log.append({Partition("triage.incident", 0): [(b"k", odd)]})
    await world.take()
    assert odd in await world.raw(f"incidents/{incident}/timeline")
    assert odd in await world.raw("events", subject=incident)
    assert odd in await world.raw(f"events/{event.id}")


async def test_two_axes(world: World) -> None:
    incident = await match_key(world)
    late = IncidentGraded(level="major", rank=2, reason=words("why"))
    happened = START + timedelta(minutes=3)
    graded = world.event("triage", incident, late, time=happened, unit="town-east", incident=incident)
    await world.send(graded)
    await world.take()
    types = lambda answer: [item["event"]["type"] for item in answer["items"]]  # noqa: E731
    both = await world.get(f"incidents/{incident}/timeline")
    assert types(both)[-1] == graded.type
    by_then = await world.get(f"incidents/{incident}/timeline", as_of=instant(happened))
    assert types(by_then) == [graded.type], "it had happened before the others, though it was recorded after them"
    before = instant(graded.recorded - timedelta(seconds=1))
    unknown = await world.get(f"incidents/{incident}/timeline", known_at=before)
    assert graded.type not in types(unknown)
    assert len(unknown["items"]) == len(both["items"]) - 1
    assert unknown["known_at"] == before
    assert (await world.get(f"incidents/{incident}/timeline", as_of=instant(happened), known_at=before))["items"] == []


async def test_asked_again_at_a_size_the_answer_is_the_same_to_the_byte(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    size = (await world.get("events"))["log_size"]
    asked: dict[str, Any] = {"log_size": size}
    paths = (f"incidents/{incident}/timeline", "events")
    first = [await world.raw(path, **asked) for path in paths]
    assert first[0] == await world.raw(paths[0]), "the newest size is the usual one"
    report = id_of("report", "a")
    await world.send(world.event("ingest", report, ReportReachMeasured(clicks=9, measured_at=START), unit="town-east"))
    await match_key(world, "b")
    await world.take()
    assert [await world.raw(path, **asked) for path in paths] == first
    assert await world.raw(paths[0]) != first[0]
    await world.restart()
    assert [await world.raw(path, **asked) for path in paths] == first


async def test_a_list_keeps_its_size_from_page_to_page(world: World) -> None:
    await match_key(world)
    await world.take()
    page = await world.get("events", limit=4)
    size, seen = page["log_size"], list(page["items"])
    await match_key(world, "b")
    await world.take()
    while page["next"]:
        page = await world.get("events", limit=4, cursor=page["next"])
        assert page["log_size"] == size
        seen += page["items"]
    assert len(seen) == size
    assert len({event["id"] for event in seen}) == size
    await world.get("events", status=422, cursor="bm8=")
    await world.get("events", status=422, log_size=size + 1000)
    await world.get("events", status=422, limit=501)


async def whole(world: World, incident: str, **asked: Any) -> list[Any]:
    """The items of all pages of a timeline."""
    items, page = [], await world.get(f"incidents/{incident}/timeline", **asked)
    while True:
        items += page["items"]
        if page["next"] is None:
            return items
        page = await world.get(f"incidents/{incident}/timeline", **asked, cursor=page["next"])


@pytest.mark.parametrize("limit", [1, 4, 6])
async def test_pages_of_a_timeline_hold_what_the_whole_does_whatever_comes_meanwhile(world: World, limit: int) -> None:
    incident = await match_key(world)
    await world.take()
    path = f"incidents/{incident}/timeline"
    page = await world.get(path)
    assert (len(page["items"]), page["next"]) == (6, None)
    first = await world.get(path, limit=limit)
    items, cursor = list(first["items"]), first["next"]
    late = IncidentGraded(level="major", rank=2, reason=words("why"))
    await world.send(world.event("triage", incident, late, unit="town-east", incident=incident))
    await world.take()
    while cursor:
        following = await world.get(path, limit=limit, cursor=cursor)
        assert {**following, "items": [], "next": None} == {**page, "items": [], "next": None}
        items, cursor = [*items, *following["items"]], following["next"]
    assert items == page["items"]
    assert len(await whole(world, incident, limit=limit)) == 7
    seen = instant(START + timedelta(minutes=8))
    by_then = await world.get(path, known_at=seen)
    assert await whole(world, incident, limit=limit, known_at=seen) == by_then["items"] != items


async def test_an_export_holds_every_page_and_is_proven(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = await match_key(world)
    await world.take()
    await signing.sign(world.runtime)
    await Relay(world.runtime).drain()
    async with world.runtime.database.read() as connection:
        trust = Trust(tuple(await keys.believed(connection)))
    monkeypatch.setattr(client, "PAGE", 4)
    token = access.token("city", "auditor")
    async with world.client() as staff:
        part = await export.write_matter(staff, token, incident, world.folder / "part")
        whole = await export.write_record(staff, token, world.folder / "whole")
    with (world.folder / "part").open("rb") as file:
        assert matter.verify(file, trust).events == part.events == 6
    with (world.folder / "whole").open("rb") as file:
        assert record.verify(file, trust).checkpoint.size == whole.events == whole.size
    async with world.runtime.database.transaction() as connection:
        row = (await connection.execute(select(TIMELINE.c.bytes).where(TIMELINE.c.position == 3))).scalar_one()
        altered = bytes(row).replace(b'"actor":"system"', b'"actor":"chief@county"')
        assert altered != row
        await connection.execute(update(TIMELINE).where(TIMELINE.c.position == 3).values(bytes=altered))
    async with world.client() as staff:
        await export.write_record(staff, token, world.folder / "whole")
    with (world.folder / "whole").open("rb") as file, pytest.raises(Refused, match="position 3: "):
        record.verify(file, trust)


async def test_a_cursor_that_is_none_or_of_another_size_is_refused(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    path = f"incidents/{incident}/timeline"
    page = await world.get(path, limit=2)
    await world.get(path, status=422, cursor="bm8=")
    await world.get(path, status=422, cursor=page["next"], log_size=page["log_size"] - 1)
    await world.get(path, cursor=page["next"], log_size=page["log_size"])
    await world.get(path, status=422, limit=501)


async def test_reports_that_left_by_the_thousand_are_left_out(world: World) -> None:
    incident, into = id_of("incident", "many"), id_of("incident", "other")
    about: dict[str, Any] = {"incident": incident, "unit": "town-east"}
    reports = [id_of("report", str(number)) for number in range(1500)]
    opened = IncidentOpened(unit="town-east", report=reports[0], discovered_at=START)
    events = [
        world.event("ingest", reports[1], received(), unit="town-east"),
        world.event("triage", incident, opened, **about),
    ]
    for start in range(0, 1500, 500):
        absorbed = IncidentAbsorbed(
            incident=id_of("incident", "merged"), reports=tuple(reports[start : start + 500]), discovered_at=START
        )
        split = IncidentSplit(into=into, reports=tuple(reports[start : start + 500]))
        events += [world.event("triage", incident, fact, **about) for fact in (absorbed, split)]
    measured = ReportReachMeasured(clicks=9, measured_at=START)
    await world.send(*events, world.event("ingest", reports[1], measured, unit="town-east"))
    await world.take()
    assert kinds({"items": await whole(world, incident)}) == ["report", *["incident"] * 7]
    assert len((await world.get("events", incident=incident, limit=500))["items"]) == 8


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_very_many_matters_that_were_merged_into_one_are_read(world: World) -> None:
    incident, report = id_of("incident", "many"), id_of("report", "0")
    about: dict[str, Any] = {"incident": incident, "unit": "town-east"}
    events = [world.event("ingest", report, received(), unit="town-east")]
    for number in range(600):
        other = id_of("incident", f"merged {number}")
        absorbed = IncidentAbsorbed(incident=other, reports=(report,), discovered_at=START)
        opened = IncidentOpened(unit="town-east", report=report, discovered_at=START)
        events.append(world.event("triage", incident, absorbed, **about))
        events.append(world.event("triage", other, opened, incident=other, unit="town-east"))
    await world.send(*events)
    await world.take()
    assert len(await whole(world, incident, limit=500)) == 1201


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_who_may_read_a_matter_is_found_without_its_reports(world: World) -> None:
    """Its cost is the same for any number of reports."""
    incident = await match_key(world)
    await world.take()
    with asked() as questions:
        await world.get(f"incidents/{incident}/timeline", "county", limit=1)
    about = [one for one in questions if "timeline.stream_id " in one]
    assert len(about) == 3, "its standing, the page, and its number"
    *rights, page, _ = await plans(world.runtime.database, about)
    for plan in rights:
        assert "ix_timeline_decided" in plan, plan
    assert "autoindex_entries_1 (incident_id=? AND (recordedtime,event_id)>" in page, "the page is read in its order"
    assert "ix_timeline_stream" not in page and "SCAN timeline" not in page, page


async def test_reports_that_left_one_by_one_are_left_out(world: World) -> None:
    """Each has its own instant: a store takes no statement with a thousand conditions."""
    incident, left = id_of("incident", "many"), id_of("report", "0")
    about: dict[str, Any] = {"incident": incident, "unit": "town-east"}
    opened = IncidentOpened(unit="town-east", report=left, discovered_at=START)
    events = [
        world.event("ingest", left, received(), unit="town-east"),
        world.event("triage", incident, opened, **about),
    ]
    for number in range(1100):
        split = IncidentSplit(into=id_of("incident", f"of {number}"), reports=(id_of("report", str(number)),))
        events.append(world.event("triage", incident, split, **about))
    measured = ReportReachMeasured(clicks=9, measured_at=START)
    await world.send(*events, world.event("ingest", left, measured, unit="town-east"))
    await world.take()
    first = await world.get(f"incidents/{incident}/timeline", limit=3)
    assert kinds(first) == ["report", "incident", "incident"]
    assert len(await whole(world, incident)) == 1102
    listed = await world.get("events", incident=incident, subject=left)
    assert [event["type"] for event in listed["items"]] == ["huiying.report.received.v1"]


async def test_a_merged_incident_stands_in_the_timeline_of_the_other(world: World) -> None:
    a, b, c = await match_key(world, "a"), await match_key(world, "b"), await match_key(world, "c")
    await world.take()
    before = await world.raw(f"incidents/{b}/timeline")
    size = orjson.loads(before)["log_size"]
    for gone, goes_on in ((c, a), (a, b)):
        merged = IncidentMerged(into=goes_on)
        absorbed = IncidentAbsorbed(incident=gone, reports=(), discovered_at=START)
        await world.send(
            world.event("triage", gone, merged, unit="county", incident=gone),
            world.event("triage", goes_on, absorbed, unit="county", incident=goes_on),
        )
    await world.take()
    answer = await world.get(f"incidents/{b}/timeline")
    assert len(answer["items"]) == 3 * 6 + 4, "c went into a, and a into b"
    assert {event["subject"] for event in (item["event"] for item in answer["items"])} >= {a, b, c}
    assert len((await world.get(f"incidents/{a}/timeline"))["items"]) == 2 * 6 + 3
    assert await world.raw(f"incidents/{b}/timeline", log_size=size) == before
    listed = await world.get("events", incident=b, limit=500)
    assert len(listed["items"]) == len(answer["items"])
    later = StatementDrafted(
        incident=a, unit="county", kind="status", title=words("title"), draft=words("late"), by=DIGEST
    )
    await world.send(world.event("publish", id_of("statement", "late"), later, unit="county", incident=a))
    await world.take()
    assert len((await world.get(f"incidents/{b}/timeline"))["items"]) == len(answer["items"]) + 1


async def test_complete_until_never_goes_back_and_waits_for_what_is_on_the_topics(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    complete = (await world.get("events"))["complete_until"]
    graded = IncidentGraded(level="major", rank=2, reason=words("why"))
    await world.send(
        world.event("triage", incident, graded, unit="county", incident=incident),
        world.event("ingest", id_of("report", "z"), received(), unit="county"),
    )
    ends = await world.log.ends(["triage.incident"])
    offsets = await world.work.offsets(list(ends))
    for partition, end in ends.items():
        async for records in world.log.read(partition, offsets[partition], end):
            await world.work.handle(records)
    half = await world.get("events")
    assert half["complete_until"] == complete, "a report is on its topic that audit has not read"
    await world.take()
    whole = await world.get("events")
    assert whole["complete_until"] == instant(world.now) > complete
    assert whole["log_size"] == half["log_size"] + 1
    at_half = await world.get("events", log_size=half["log_size"])
    assert at_half["complete_until"] == complete


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_a_restored_audit_gives_every_event_its_old_position(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    async with world.runtime.database.read() as connection:
        await connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    await world.stop()
    shutil.copy(world.folder / "audit.sqlite", world.folder / "backup")
    await world.start()
    await match_key(world, "b")
    await world.take("publish.statement")
    await match_key(world, "c")
    await world.take("escalation.clock", "triage.incident")
    positions = await world.rows("timeline", "position", "digest")
    links = await world.rows("links", "incident_id", "stream_id", "position")
    path = f"incidents/{incident}/timeline"
    size = len(positions)
    before = await world.get(path, log_size=size), await world.get("events", log_size=size, limit=500)

    await world.stop()
    for file in world.folder.glob("audit.sqlite*"):
        file.unlink()
    shutil.copy(world.folder / "backup", world.folder / "audit.sqlite")
    with closing(sqlite3.connect(world.folder / "audit.sqlite")) as restored, restored:
        restored.execute("insert into deployment values (?, ?)", (RESTORED, instant(world.now)))
    await world.start()
    await world.get(path, log_size=size, status=503)
    await match_key(world, "d")
    await world.take("ingest.report")
    again = await world.rows("timeline", "position", "digest")
    assert again[:size] == positions
    assert len(again) > size
    assert [position for position, _ in again] == list(range(len(again)))
    assert set(links) <= set(await world.rows("links", "incident_id", "stream_id", "position"))
    after = await world.get(path, log_size=size), await world.get("events", log_size=size, limit=500)
    if "complete_until" not in LogSequenced.model_fields:
        for answer in (*before, *after):
            del answer["complete_until"]
    assert after == before


async def test_staff_see_their_own_subtree(world: World) -> None:
    east, west = await match_key(world, "east", "town-east"), await match_key(world, "west", "town-west")
    await world.take()
    own = await world.get("events", "town-east", limit=500)
    assert {event["unit"] for event in own["items"]} == {"town-east"}
    above = await world.get("events", "county", limit=500)
    assert {event["unit"] for event in above["items"]} == {"town-east", "town-west"}
    await world.get(f"incidents/{east}/timeline", "town-east")
    await world.get(f"incidents/{east}/timeline", "county")
    await world.get(f"incidents/{west}/timeline", "town-east", status=403)
    await world.get("events", "town-east", status=403, incident=west)
    theirs = (await world.get("events", incident=west))["items"][0]["id"]
    await world.get(f"events/{theirs}", "town-east", status=403)
    await world.get(f"events/{theirs}", "county")
    await world.take()
    await world.take()
    refused = await world.get("events", type="operation.access_refused")
    assert [event["data"]["act"] for event in refused["items"]] == ["read-incident", "read-event"]
    await world.get(f"incidents/{id_of('incident', 'none')}/timeline", status=404)
    await world.get("incidents/no-id/timeline", status=404)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"type": "huiying.incident.opened.v1"}, 1),
        ({"type": "incident.opened"}, 1),
        ({"type": "incident.reopened"}, 0),
        ({"type": "huiying.incident.reopened.v1"}, 0),
        ({"subject": id_of("incident", "a")}, 2),
        ({"unit": "town-west"}, 0),
        ({"actor": "system", "limit": 500}, 10),
        ({"from": instant(START + timedelta(minutes=9))}, 2),
        ({"from": instant(START + timedelta(minutes=9)), "to": instant(START + timedelta(minutes=9))}, 1),
    ],
)
async def test_filters(world: World, params: dict[str, Any], count: int) -> None:
    await match_key(world)
    await world.take()
    assert len((await world.get("events", **params))["items"]) == count


@pytest.mark.parametrize(
    ("path", "name"),
    [("events", "from"), ("events", "to"), ("timeline", "as_of"), ("timeline", "known_at")],
)
async def test_a_time_is_written_out_with_its_offset(world: World, path: str, name: str) -> None:
    path = f"incidents/{id_of('incident', 'a')}/timeline" if path == "timeline" else path
    for at in ("2026-03-02T09:00:00", "1772442000", "9999-12-31T23:00:00-09:00", "2026-02-30T00:00:00Z"):
        assert (await world.get(path, status=422, **{name: at}))["field"] == name


async def test_the_newest_events_of_a_timeline_are_asked_for_without_those_before(world: World) -> None:
    incident = await match_key(world)
    merged = await match_key(world, "b")
    away = IncidentMerged(into=incident, reason=words("why"))
    await world.send(world.event("triage", merged, away, unit="town-east", incident=merged))
    await world.take("publish.statement", "escalation.clock")
    path = f"incidents/{incident}/timeline"
    whole = (await world.get(path))["items"]
    for limit in (1, 3, len(whole) - 1, len(whole), 500):
        answer = await world.get(path, newest="true", limit=limit)
        assert answer["items"] == whole[-limit:] and answer["next"] is None
    before = whole[-2]["event"]["recordedtime"]
    known = [item for item in whole if item["event"]["recordedtime"] <= before]
    assert (await world.get(path, newest="true", limit=2, known_at=before))["items"] == known[-2:]


@pytest.mark.requirement("AUD-14")
async def test_a_stream_that_names_a_matter_in_one_event_does_not_join_its_record(world: World) -> None:
    """A search that looks for matters alike stands on the day's one stream of acts of all units."""
    incident, acts = id_of("incident", "a"), id_of("operation", "today")
    named = {"report": id_of("report", "a"), "number": "town-east-2026-00001"}
    opened = IncidentOpened(unit="town-east", discovered_at=START, **named)
    await world.send(world.event("triage", incident, opened, incident=incident, unit="town-east"))
    suggested = OperationSuggested(incident=incident, unit="town-west")
    await world.send(world.event("triage", acts, suggested, incident=incident, unit="town-west"))
    await world.take()
    types = [one["event"]["type"] for one in (await world.get(f"incidents/{incident}/timeline"))["items"]]
    assert types == ["huiying.incident.opened.v1"]
