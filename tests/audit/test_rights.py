"""Rights follow the matter in audit too: a unit with a part reads everything, a former one the state at its end."""

from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact
from schemas.ingest import ReportReachMeasured
from tests.audit.test_timeline import match_key
from tests.audit.world import START, World, id_of, words

REASON = {"reason": words("r")}
ASSIGNED = triage.IncidentAssigned(unit="town-west")
RETURNED = triage.IncidentReturned.model_validate({"unit": "town-west", **REASON})
VERIFIES = triage.IncidentVerificationRequested(unit="town-west")
CLOSED = triage.IncidentClosed.model_validate(REASON)
TRANSFERRED = triage.IncidentTransferred.model_validate({"unit": "town-west", "previous": "town-east", **REASON})
REACH = ReportReachMeasured(clicks=1, measured_at=START)
NOTE = triage.IncidentInstructionGiven.model_validate({"text": words("t")})


async def happen(world: World, *facts: Fact, name: str = "a", unit: str = "county") -> None:
    """Further events of an incident, taken in."""
    for fact in facts:
        incident = id_of("incident", name)
        await world.send(world.event("triage", incident, fact, incident=incident, unit=unit))
    await world.take()


async def read(world: World, unit: str, name: str = "a") -> int:
    """How many events of an incident's timeline an officer of a unit reads; 0 for none."""
    path = f"/audit/v1/incidents/{id_of('incident', name)}/timeline"
    async with world.client(unit) as client:
        answer = await client.get(path)
    assert answer.status_code in (200, 403), answer.text
    return len(answer.json()["items"]) if answer.status_code == 200 else 0


@pytest.mark.requirement("MUL-06")
@pytest.mark.parametrize(
    ("facts", "reads"),
    [
        ((NOTE,), {"city": 7, "county": 7, "town-east": 7, "town-west": 0}),
        ((ASSIGNED, NOTE), {"town-east": 8, "town-west": 8}),
        ((ASSIGNED, RETURNED, NOTE), {"county": 9, "town-east": 9, "town-west": 8}),
        ((VERIFIES, NOTE), {"town-west": 8}),
        ((VERIFIES, CLOSED, NOTE), {"town-east": 9, "town-west": 8}),
        ((NOTE, TRANSFERRED, NOTE), {"city": 9, "county": 9, "town-west": 9, "town-east": 8}),
    ],
)
async def test_a_timeline_ends_with_the_event_that_ended_its_readers_part(
    world: World, facts: tuple[Fact, ...], reads: dict[str, int]
) -> None:
    await match_key(world)
    await happen(world, *facts)
    assert {unit: await read(world, unit) for unit in reads} == reads


@pytest.mark.requirement("MUL-06", "AUD-01")
async def test_what_a_former_unit_reads_stays_the_same_byte_for_byte(world: World) -> None:
    incident = await match_key(world)
    await happen(world, TRANSFERRED)
    path = f"incidents/{incident}/timeline"
    size = (await world.get(path, "town-east"))["log_size"]
    before = await world.raw(path, "town-east", log_size=size)
    await happen(world, NOTE, NOTE, unit="town-west")
    assert await world.raw(path, "town-east", log_size=size) == before
    assert (await world.get(path, "town-east"))["items"] == (await world.get(path, "town-east", log_size=size))["items"]
    assert (await world.get(path, "town-east"))["items"][-1]["event"]["type"] == "huiying.incident.transferred.v1"


@pytest.mark.requirement("MUL-06")
async def test_events_by_themselves_and_lists_end_there_too(world: World) -> None:
    incident = await match_key(world)
    await happen(world, TRANSFERRED)
    await happen(world, NOTE, unit="town-west")
    all_: list[Any] = (await world.get("events", incident=incident, limit=500))["items"]
    mine = (await world.get("events", "town-east", incident=incident, limit=500))["items"]
    assert [event["id"] for event in mine] == [event["id"] for event in all_][:-1]
    assert {event["unit"] for event in (await world.get("events", "town-east", limit=500))["items"]} == {"town-east"}
    transferred, noted = all_[-2:]
    await world.get(f"events/{transferred['id']}", "town-east")
    await world.get(f"events/{noted['id']}", "town-east", status=403)
    await world.get(f"events/{noted['id']}", "town-west")


@pytest.mark.requirement("MUL-06")
async def test_a_merged_matter_is_read_where_it_goes_on(world: World) -> None:
    a, b = await match_key(world, "a", "town-east"), await match_key(world, "b", "town-west")
    reports = (id_of("report", "a"), id_of("report", "a2"))
    absorbed = triage.IncidentAbsorbed(incident=a, reports=reports, discovered_at=START)
    await happen(world, triage.IncidentMerged(into=b), name="a")
    await happen(world, absorbed, NOTE, name="b")
    assert (await read(world, "town-east", "a"), await read(world, "town-west", "a")) == (7, 7)
    assert (await read(world, "town-east", "b"), await read(world, "town-west", "b")) == (0, 15)
    reach = world.event("ingest", reports[0], REACH, unit="town-west")
    await world.send(reach)
    await world.take()
    assert (await read(world, "town-east", "a"), await read(world, "town-west", "a")) == (7, 8)


@pytest.mark.requirement("MUL-06")
async def test_a_report_that_left_is_read_where_it_went(world: World) -> None:
    a, second, new = await match_key(world), id_of("report", "a2"), id_of("incident", "new")
    opened = triage.IncidentOpened(unit="town-east", report=second, discovered_at=START)
    await happen(world, triage.IncidentSplit(into=new, reports=(second,)))
    await happen(world, opened, TRANSFERRED, name="new")
    await world.send(world.event("ingest", second, REACH, unit="town-west"))
    await world.take()
    path = "incidents/{}/timeline"
    for unit in ("city", "county", "town-east"):
        assert len((await world.get(path.format(a), unit))["items"]) == 7
        assert len((await world.get("events", unit, incident=a, limit=500))["items"]) == 7
    assert len((await world.get(path.format(new)))["items"]) == 4
    (reach,) = (await world.get("events", type="report.reach_measured"))["items"]
    await world.get(f"events/{reach['id']}", "town-east", status=403)
    await world.get(f"events/{reach['id']}", "town-west")
    absorbed = triage.IncidentAbsorbed(incident=new, reports=(second,), discovered_at=START)
    await happen(world, triage.IncidentMerged(into=a), name="new")
    await happen(world, absorbed)
    await world.get(f"events/{reach['id']}", "town-east")


@pytest.mark.requirement("MUL-06")
async def test_who_had_a_part_reads_nothing_of_what_was_merged_into_the_matter_later(world: World) -> None:
    a, b = await match_key(world, "a", "town-east"), await match_key(world, "b", "town-west")
    over = {"unit": "town-east", "previous": "town-west", **REASON}
    await happen(world, NOTE, triage.IncidentTransferred.model_validate(over), name="b")
    own: list[Any] = (await world.get(f"incidents/{b}/timeline", "town-west"))["items"]
    report = id_of("report", "a")
    absorbed = triage.IncidentAbsorbed(incident=a, reports=(report,), discovered_at=START)
    await happen(world, triage.IncidentMerged(into=b), name="a")
    await happen(world, absorbed, name="b")
    assert (await world.get(f"incidents/{b}/timeline", "town-west"))["items"] == own
    listed = (await world.get("events", "town-west", incident=b, limit=500))["items"]
    assert len(listed) == len(own)
    for stream in (a, report):
        event = (await world.get("events", subject=stream))["items"][0]
        await world.get(f"events/{event['id']}", "town-west", status=403)
        await world.get(f"events/{event['id']}", "town-east")
    await world.get(f"incidents/{a}/timeline", "town-west", status=403)


@pytest.mark.requirement("MUL-06")
async def test_who_follows_the_record_hears_of_each_matter_as_long_as_their_part_lasts(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    begins: dict[str, int] = {unit: (await world.get("changes", unit))["position"] for unit in ("city", "town-east")}

    async def heard(unit: str, after: int) -> tuple[list[str], int]:
        answer = await world.get("changes", unit, after=after)
        return list(answer["incidents"]), int(answer["position"])

    assert await heard("town-east", 0) == ([incident], begins["town-east"]), "from the beginning on"
    assert await heard("town-west", 0) == ([], begins["city"]), "nothing of other offices"
    assert await heard("town-east", begins["town-east"]) == ([], begins["town-east"]), "nothing is said twice"
    await happen(world, NOTE, TRANSFERRED)
    told, then = await heard("town-east", begins["town-east"])
    assert told == [incident], "also of the act by which it left"
    await happen(world, NOTE, unit="town-west")
    assert (await heard("town-east", then))[0] == [], "and then no more"
    assert (await heard("town-west", then))[0] == [incident] == (await heard("city", then))[0]
    async with world.client("city") as client:
        beyond = await client.get("/audit/v1/changes", params={"after": 10**9})
    assert beyond.status_code == 422 and beyond.json()["type"].endswith("log-size-unknown")
