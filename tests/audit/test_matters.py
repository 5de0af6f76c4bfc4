"""The list of matters as they were on both axes, with filters, words and rights, and as a file."""

import base64
import csv
import io
from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas.envelope import Event
from schemas.escalation import ClockBreached, ClockMet, ClockStarted
from schemas.triage import (
    IncidentAccepted,
    IncidentAssigned,
    IncidentClosed,
    IncidentGraded,
    IncidentMerged,
    IncidentOpened,
    IncidentRegraded,
    IncidentReopened,
    IncidentResolved,
    IncidentTransferred,
)
from services.audit.matters import listing
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.tree import root_over
from tests.audit.world import START, World, id_of, received, words


async def opened(world: World, name: str, unit: str = "town-east") -> str:
    """A report and its incident, which is assigned."""
    incident, report = id_of("incident", name), id_of("report", name)
    about = {"incident": incident, "unit": unit}
    await world.send(
        world.event("ingest", report, received(name, unit=unit), unit=unit),
        world.event(
            "triage",
            incident,
            IncidentOpened(unit=unit, report=report, discovered_at=START, number=f"{unit}-2026-{len(name):05}"),
            **about,
        ),
        world.event("triage", incident, IncidentAssigned(unit=unit, reason=words("why")), **about),
    )
    await world.take()
    return incident


def found(answer: Any) -> list[str]:
    return [item["incident_id"] for item in answer["items"]]


async def then(world: World, incident: str, *data: Any, unit: str = "town-east", actor: str = "system") -> None:
    """Further events of an incident."""
    await world.send(*(world.event("triage", incident, one, incident=incident, unit=unit, actor=actor) for one in data))


async def clock(world: World, name: str, *data: Any) -> None:
    incident = id_of("incident", name)
    events = (world.event("escalation", id_of("clock", name), one, incident=incident, unit="town-east") for one in data)
    await world.send(*events)


def started() -> ClockStarted:
    return ClockStarted(clock="first_answer", unit="town-east", since=START, due=START + timedelta(hours=4))


async def test_what_arrives_late_changes_no_past_answer_on_the_axis_of_what_was_known(world: World) -> None:
    incident = await opened(world, "a")
    await then(world, incident, IncidentGraded(level="general", rank=1))
    await world.take()
    known = world.now
    before = await world.raw("incidents", level="general", known_at=known.isoformat())
    late = IncidentRegraded(level="major", rank=2, previous="general", previous_rank=1)
    happened = known - timedelta(minutes=30)
    await world.send(world.event("triage", incident, late, incident=incident, unit="town-east", time=happened))
    await world.take()
    now = await world.get("incidents", level="major")
    assert (found(now), now["items"][0]["level"]) == ([incident], "major")
    assert found(await world.get("incidents", level="general")) == []
    size = orjson.loads(before)["log_size"]
    assert await world.raw("incidents", level="general", known_at=known.isoformat(), log_size=size) == before
    assert found(await world.get("incidents", level="general", known_at=known.isoformat())) == [incident]
    # It had happened by then, so on the other axis it counts.
    assert found(await world.get("incidents", level="major", as_of=known.isoformat())) == [incident]
    both = {"as_of": known.isoformat(), "known_at": known.isoformat()}
    assert found(await world.get("incidents", level="major", **both)) == []


async def test_a_matter_has_the_states_that_the_desk_shows(world: World) -> None:
    incident, other = await opened(world, "a"), await opened(world, "bb")
    steps = {
        "assigned": (),
        "accepted": (IncidentAccepted(unit="town-east"),),
        "resolved": (IncidentResolved(reason=words("done")),),
        "closed": (IncidentClosed(reason=words("done")),),
        "again": (IncidentReopened(reason=words("not done")),),
        "merged": (IncidentMerged(into=other),),
    }
    for state, data in steps.items():
        await then(world, incident, *data)
        await world.take()
        shown = "accepted" if state == "again" else state
        answer = await world.get("incidents", state=shown, number="town-east-2026-00001")
        assert [(item["incident_id"], item["state"]) for item in answer["items"]] == [(incident, shown)]
        for another in {"open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"} - {shown}:
            assert found(await world.get("incidents", state=another, number="town-east-2026-00001")) == []


async def test_a_missed_limit_stays_missed_when_it_is_met_late(world: World) -> None:
    await opened(world, "a")
    await opened(world, "bb")
    due = START + timedelta(hours=4)
    missed = ClockBreached(clock="first_answer", unit="town-east", due=due, detected_at=due)
    await clock(world, "a", started(), missed, ClockMet(clock="first_answer", met_at=due, late=True))
    await clock(world, "bb", started())
    await world.take()
    a, b = id_of("incident", "a"), id_of("incident", "bb")
    assert found(await world.get("incidents", clock_state="breached")) == [a]
    assert found(await world.get("incidents", clock_state="met")) == [a]
    assert found(await world.get("incidents", clock="first_answer", clock_state="running")) == [b]
    assert found(await world.get("incidents", clock="first_answer")) == [b, a]
    items = (await world.get("incidents"))["items"]
    assert items[1]["clocks"] == {"first_answer": {"state": "met", "breached": True}}


async def test_a_unit_finds_the_matters_in_which_it_had_a_part_then(world: World) -> None:
    incident = await opened(world, "a")
    await world.take()
    then_ = world.now
    moved = IncidentTransferred(unit="town-west", previous="town-east", reason=words("why"))
    back = IncidentAssigned(unit="town-west", reason=words("why"))
    await then(world, incident, moved, back)
    await world.take()
    seen = (("town-east", [], [incident]), ("town-west", [incident], []), ("county", [incident], [incident]))
    for unit, now, earlier in seen:
        assert found(await world.get("incidents", unit)) == now, unit
        assert found(await world.get("incidents", unit, known_at=then_.isoformat())) == earlier, unit


async def test_the_accountable_unit_is_asked_with_those_below_it(world: World) -> None:
    east, west = await opened(world, "a"), await opened(world, "bb", "town-west")
    await world.take()
    async with world.client() as client:
        for unit, there in (("county", [west, east]), ("town-east", [east]), ("town-west", [west])):
            assert found((await client.get("/audit/v1/incidents", params={"unit": unit})).json()) == there


async def test_pages_go_on_where_the_page_before_ended_also_where_much_is_not_readable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "STEP", 2)
    wanted = [await opened(world, "x" * length, "town-east") for length in range(1, 6)]
    gone = [await opened(world, "y" * length, "town-east") for length in range(6, 11)]
    for incident in gone:
        moved = IncidentTransferred(unit="town-west", previous="town-east", reason=words("why"))
        await then(world, incident, moved, IncidentAssigned(unit="town-west", reason=words("why")))
    await world.take()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await world.get("incidents", "town-east", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += found(answer)
        cursor = answer["next"]
        await opened(world, "z" * len(seen) + "late")
        await world.take()
    assert seen == wanted[::-1]


async def test_words_are_found_by_purpose_and_erased_ones_are_not(world: World) -> None:
    incident = await opened(world, "一盏路灯不亮")
    await opened(world, "井盖丢失了")
    await world.tell("一盏路灯不亮", "井盖丢失了")
    await world.take()
    for asked, code in (
        ({"words": "路灯"}, "purpose-needed"),
        ({"words": "灯 x", "purpose": "巡查"}, "word-too-short"),
    ):
        assert (await world.get("incidents", status=422, **asked))["type"].endswith(code)
    answer = await world.get("incidents", words="路灯 不亮", purpose="巡查")
    assert (found(answer), answer["complete"]) == ([incident], True)
    assert found(await world.get("incidents", words="路灯 丢失", purpose="巡查")) == []
    before = world.now - timedelta(days=1)
    assert found(await world.get("incidents", words="路灯", purpose="巡查", known_at=before.isoformat())) == []
    searched = [row for row in await world.rows("events", "type") if row[0].startswith("huiying.operation.searched")]
    assert len(searched) == 3
    await world.erase("一盏路灯不亮")
    assert found(await world.get("incidents", words="路灯", purpose="巡查")) == []


async def test_events_and_posts_narrow_the_list(world: World) -> None:
    incident, _ = await opened(world, "a"), await opened(world, "bb")
    await then(world, incident, IncidentAccepted(unit="town-east"), actor="handler@town-east")
    await world.take()
    assert found(await world.get("incidents", post="handler@town-east")) == [incident]
    assert found(await world.get("incidents", type="incident.accepted")) == [incident]
    assert found(await world.get("incidents", type="incident.closed")) == []
    for name, value in (("type", "incident.praised"), ("level", "mild"), ("clock", "lunch"), ("post", "nobody@x")):
        refused = await world.get("incidents", status=422, **{name: value})
        assert refused["type"].endswith("not-in-list") and refused["field"] == name


async def test_the_list_as_a_file_is_whole_and_carries_its_basis(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.audit.matters.matters_api.BATCH", 2)
    for length in range(1, 6):
        await opened(world, "x" * length)
    await clock(world, "x", started())
    await world.take()
    listed = await world.get("incidents")
    lines = (await world.raw("incidents/export", format="ndjson")).splitlines()
    basis = {name: listed[name] for name in ("as_of", "known_at", "log_size", "complete_until", "root")}
    assert [orjson.loads(line) for line in lines] == [{**item, **basis} for item in listed["items"]]
    table = (await world.raw("incidents/export", format="csv", state="assigned")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["incident_id"] for row in rows] == found(listed)
    assert (rows[-1]["clocks"], rows[-1]["log_size"]) == ("first_answer: running", str(listed["log_size"]))


async def test_every_answer_states_both_axes_the_size_and_the_root_of_the_log(world: World) -> None:
    incident = await opened(world, "a")
    leaves = [leaf_of(Event.parse(bytes_)).hash for _, bytes_ in await world.rows("timeline", "position", "bytes")]
    listed = await world.get("events", limit=500)
    event = listed["items"][-1]["id"]
    for path in ("incidents", "events", f"events/{event}", f"incidents/{incident}/timeline", "readings"):
        answer = await world.get(path)
        assert (answer["as_of"], answer["known_at"], answer["log_size"]) == (None, None, len(leaves))
        assert answer["root"] == base64.b64encode(root_over(leaves)).decode(), path
    earlier = await world.get("incidents", log_size=4)
    assert earlier["root"] == base64.b64encode(root_over(leaves[:4])).decode()
