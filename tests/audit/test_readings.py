"""Who read what citizens wrote: for the unit above the reader's and for reviewers, by post, never added up."""

from typing import Any

import pytest

from schemas.operation import OperationRecordRead
from services.kernel.delivery.log import Partition
from tests.audit.test_matters import opened
from tests.audit.world import World, id_of, words


async def reads(world: World, record: str, post: str, purpose: str | None = None) -> None:
    """A reading of a record, as triage or ingest records it."""
    unit = post.partition("@")[2]
    fact = OperationRecordRead(record=record, works=purpose is None, purpose=words(purpose) if purpose else None)
    await world.send(world.event("triage", id_of("operation", "today"), fact, unit=unit, actor=post))
    await world.take()


async def listed(world: World, where: str, role: str = "auditor", **params: Any) -> Any:
    async with world.client(where, role) as client:
        answer = await client.get("/audit/v1/readings", params=params)
    assert answer.status_code == 200, answer.text
    return [(one["post"], one["record"], one["purpose"]) for one in answer.json()["items"]]


@pytest.mark.requirement("AUD-13")
async def test_the_unit_above_sees_who_read_what_and_what_for(world: World) -> None:
    incident = await opened(world, "a")
    await world.tell("督办核对")
    await reads(world, incident, "handler@town-east")
    await reads(world, id_of("report", "a"), "chief@county", "督办核对")
    await reads(world, id_of("incident", "other"), "verifier@town-west", "x")
    east, above = ("handler@town-east", incident, None), ("chief@county", id_of("report", "a"), "督办核对")
    west = ("verifier@town-west", id_of("incident", "other"), None)
    assert await listed(world, "city") == [west, above, east]
    assert await listed(world, "county") == [west, east], "not what its own people read"
    assert await listed(world, "county", "chief", unit="town-east") == [east]
    assert await listed(world, "city", record=incident) == [above, east], "with the reports of the matter"
    assert await listed(world, "city", record=id_of("report", "a")) == [above]
    assert await listed(world, "town-east") == []


async def test_others_do_not_see_it_in_the_list_of_events_either(world: World) -> None:
    incident = await opened(world, "a")
    await reads(world, incident, "handler@town-east")
    (event,) = [row[0] for row in await world.rows("timeline", "event_id", "type") if ".record_read." in row[1]]
    for unit, sees in (("town-east", False), ("county", False), ("city", True)):
        types = [one["type"] for one in (await world.get("events", unit, limit=500))["items"]]
        assert ("huiying.operation.record_read.v1" in types) is sees, unit
        await world.get(f"events/{event}", unit, status=200 if sees else 403)
    async with world.client("town-east", "handler") as client:
        assert (await client.get("/audit/v1/readings")).status_code == 403
    assert all("read" not in item for item in (await world.get("incidents"))["items"])


async def test_an_unreadable_record_of_a_reading_breaks_nothing(world: World) -> None:
    incident = await opened(world, "a")
    event = world.event("triage", id_of("operation", "odd"), OperationRecordRead(record=incident, works=True))
    odd = event.bytes.replace(b'"works":true', b'"works":"yes, always"')
    assert odd != event.bytes
    await world.log.append({Partition("triage.operation", 0): [(b"k", odd)]})
    await world.take()
    assert await listed(world, "city") == []


async def test_pages_keep_their_size(world: World) -> None:
    incident = await opened(world, "a")
    for name in ("handler", "verifier", "chief"):
        await reads(world, incident, f"{name}@town-east")
    first = await world.get("readings", limit=2)
    await reads(world, incident, "duty_officer@town-east")
    second = await world.get("readings", limit=2, cursor=first["next"])
    seen = [one["post"] for page in (first, second) for one in page["items"]]
    assert seen == ["chief@town-east", "verifier@town-east", "handler@town-east"]
    assert second["next"] is None
