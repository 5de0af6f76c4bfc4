"""What an earlier version did not draw from the record is drawn afterwards, whoever else works on the tables."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from schemas.triage import IncidentFollowedUp
from services.audit import projection
from services.audit.projection import AuditWork, Unlearned, learn
from services.audit.views import ENTRIES, LIMITS, LINKED_TYPES, LINKS, MARKS, STEPS, TIMELINE
from tests.audit.test_timeline import match_key
from tests.audit.world import World, words

DRAWN = (ENTRIES, LIMITS, LINKS, MARKS, STEPS)


async def forget(world: World) -> None:
    """As a version left the tables that draws neither reports of matters nor marks and numbers."""
    of_reports = select(TIMELINE.c.position).where(TIMELINE.c.stream_id.like("report-%"))
    async with world.runtime.database.transaction() as connection:
        await connection.execute(ENTRIES.delete().where(ENTRIES.c.position.in_(of_reports)))
        await connection.execute(LINKS.delete().where(LINKS.c.stream_id.like("report-%")))
        for table in (LIMITS, MARKS, STEPS, LINKED_TYPES):
            await connection.execute(table.delete())


async def drawn(world: World) -> dict[str, list[tuple[Any, ...]]]:
    return {table.name: await world.rows(table.name) for table in (*DRAWN, LINKED_TYPES)}


async def test_two_who_learn_at_once_draw_each_row_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await match_key(world)
    await world.take()
    before = await drawn(world)
    assert before["marks"] and before["entries"]
    await forget(world)
    came, both, lower, lock = [0], asyncio.Event(), projection._lower, projection.lock_head

    async def asked(connection: Any) -> Any:
        came[0] += 1
        if came[0] == 2:
            both.set()
        return await lock(connection)

    async def beside(*given: Any) -> Any:
        """On SQLite the other one cannot even begin."""
        if not world.runtime.database.is_sqlite:
            await both.wait()
        return await lower(*given)

    with monkeypatch.context() as patched:
        patched.setattr(projection, "lock_head", asked)
        patched.setattr(projection, "_lower", beside)
        async with asyncio.timeout(20):
            await asyncio.gather(learn(world.runtime), learn(world.runtime))
    assert await drawn(world) == before
    await forget(world)
    await learn(world.runtime)
    async with world.runtime.database.transaction() as connection:
        await connection.execute(LINKED_TYPES.delete())
    await learn(world.runtime)
    assert await drawn(world) == before, "what stands already is skipped"


@pytest.mark.parametrize("other", ["an older leader", "a newer leader"])
async def test_who_takes_events_in_waits_for_a_leader_of_its_version(
    world: World, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    incident = await match_key(world)
    await world.take()
    if other == "an older leader":
        await forget(world)
    else:
        async with world.runtime.database.transaction() as connection:
            await connection.execute(LINKED_TYPES.insert().values(type="sung:huiying.incident.opened.v1"))
    waits, judged = asyncio.Event(), AuditWork._must_be_learned

    async def told(work: AuditWork, connection: Any) -> None:
        try:
            await judged(work, connection)
        except Unlearned:
            waits.set()
            raise

    monkeypatch.setattr(AuditWork, "_must_be_learned", told)
    event = world.event("triage", incident, IncidentFollowedUp(text=words("well")), incident=incident, unit="county")
    await world.send(event)
    taking = asyncio.create_task(world.take())
    await waits.wait()
    kept = len(await world.rows("timeline", "position"))
    await projection.start(world.runtime)
    await taking
    assert len(await world.rows("timeline", "position")) == kept + 1
    after = await drawn(world)
    await forget(world)
    await learn(world.runtime)
    assert after == await drawn(world)
