"""Outages that probes tell of: one for all probes, from the first sight to the last."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import update

from schemas.envelope import Event
from schemas.fields import instant
from services.ingest.outages import decider
from services.ingest.outages.commands import Observe, Seen
from services.kernel.core.decider import Actor, Occurred
from tests.ingest.conftest import Ingest, post, refused
from tests.ingest.test_api import rebuilt
from tests.kit import spec

pytestmark = pytest.mark.requirement("ING-13")
PATH = "/ingest/v1/outages"
START = datetime(2026, 3, 2, 1, tzinfo=UTC)


def at(minute: float) -> str:
    return instant(START + timedelta(minutes=minute))


def seen(since: float, until: float | None = None, **more: Any) -> dict[str, Any]:
    told = {"site": "bulletin", "trouble": "unreachable", "symptom": "no_answer", "since": at(since), **more}
    return told if until is None else {**told, "until": at(until)}


async def probe(ingest: Ingest, **more: Any) -> dict[str, str]:
    body = {"unit": "city", "scope": "probe", **more}
    made = await ingest.client.post("/ingest/v1/keys", json=body, headers=ingest.staff("admin", unit="city"))
    return {"Authorization": f"Bearer {made.json()['key']}"}


async def tell(ingest: Ingest, key: dict[str, str], minute: float, *seen: Any, **more: Any) -> httpx.Response:
    return await ingest.client.post(PATH, json={"at": at(minute), "seen": seen, **more}, headers=key)


async def listed(ingest: Ingest, **query: Any) -> list[dict[str, Any]]:
    answer = await ingest.client.get(PATH, params=query, headers=ingest.staff("handler", unit="town-east"))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_an_outage_is_recorded_once_however_many_probes_tell_it(ingest: Ingest) -> None:
    one, two = await probe(ingest, name="one"), await probe(ingest, name="two")
    told = await tell(ingest, one, 3, seen(0, status=502, symptom="refusing"))
    (id_,) = told.json()["recorded"]
    for key, minute, what, recorded in (
        (one, 4, seen(0), []),  # as before
        (two, 5, seen(2), [id_]),  # a further probe
        (two, 6, seen(2), []),
        (one, 9, seen(0, 8), [id_]),  # sees it no more, the other does
        (one, 9, seen(0, 8), []),
        (two, 12, seen(2, 11), [id_]),
        (two, 12, seen(2, 11), []),
    ):
        answer = await tell(ingest, key, minute, what)
        assert (answer.status_code, answer.json()["recorded"]) == (200, recorded), (minute, answer.text)
    events = [event.type.split(".")[2] for event in await ingest.events("outage.")]
    assert events == ["found", "confirmed", "receded", "ended"]
    (row,) = await listed(ingest, going_on="false")
    assert (row["since"], row["until"], row["probes"], row["status"]) == (at(0), at(11), 2, 502)
    assert await listed(ingest, going_on="true") == []
    assert len(await listed(ingest, **{"from": at(11), "to": at(12)})) == 1
    assert await listed(ingest, **{"from": at(12), "to": at(13)}) == []
    assert rebuilt("outages", await ingest.events()) == await ingest.rows("outages")


async def test_what_a_probe_could_not_tell_at_the_time_is_told_later(ingest: Ingest) -> None:
    """It was over before it could be told. What overlaps with it is the same outage, and makes it longer."""
    one, two = await probe(ingest, name="one"), await probe(ingest, name="two")
    (first,) = (await tell(ingest, one, 30, seen(0, 20), seen(25, 27))).json()["recorded"][:1]
    assert (await tell(ingest, two, 40, seen(19, 22))).json()["recorded"] == [first]
    assert [(row["since"], row["until"]) for row in await listed(ingest)] == [(at(25), at(27)), (at(0), at(22))]


async def test_a_probe_that_lost_its_memory_ends_what_it_saw(ingest: Ingest) -> None:
    statement = "statement-01890a5d-f6a7-7182-8d9e-0f1a2b3c4d5e"
    one, two = await probe(ingest, name="one"), await probe(ingest, name="two")
    altered = {"trouble": "altered", "symptom": "changed", "site": "statement_page", "statement": statement}
    assert len((await tell(ingest, one, 3, seen(0), seen(0, **altered))).json()["recorded"]) == 2
    assert (await tell(ingest, two, 4, well=["bulletin", "statement_page"])).json()["recorded"] == []
    again = await probe(ingest, name="one")  # another key, the same probe
    assert len((await tell(ingest, again, 5, well=["bulletin", "statement_page"])).json()["recorded"]) == 1
    assert len((await tell(ingest, again, 6, well=["statement_page"], whole=[statement])).json()["recorded"]) == 1
    assert await listed(ingest, going_on="true") == []


async def test_a_probe_that_tells_nothing_for_three_rounds_is_silent(ingest: Ingest) -> None:
    """Also one that never told. Without its key it is none any more. A telling makes no event."""

    async def probes() -> list[tuple[str, bool, bool]]:
        answer = await ingest.client.get(PATH, headers=ingest.staff("handler", unit="town-east"))
        return [(one["name"], one["heard_at"] is not None, one["silent"]) for one in answer.json()["probes"]]

    assert await probes() == []
    one, two, _ = [await probe(ingest, name=name) for name in ("one", "two", "unused")]
    before = len(await ingest.events())
    for key, every in ((one, 60), (two, 600)):
        assert (await tell(ingest, key, 3, every=every, well=["bulletin"])).status_code == 200
    assert len(await ingest.events()) == before
    unused = ("unused", False, True)
    assert await probes() == [("one", True, False), ("two", True, False), unused]
    table = ingest.runtime.tables["heard"]
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(update(table).values(at=instant(datetime.now(UTC) - timedelta(seconds=200))))
    assert await probes() == [("one", True, True), ("two", True, False), unused]
    assert (await tell(ingest, await probe(ingest, name="one"), 4)).status_code == 200  # a second key of the same probe
    assert await probes() == [("one", True, False), ("two", True, False), unused]
    admin = ingest.staff("admin", unit="city")
    keys = (await ingest.client.get("/ingest/v1/keys", headers=admin)).json()["items"]
    for key in keys:
        if key["name"] != "two":
            assert (await ingest.client.post(f"/ingest/v1/keys/{key['id']}/revoke", headers=admin)).status_code == 200
    assert await probes() == [("two", True, False)]


async def test_two_probes_that_tell_at_once_find_each_other(ingest: Ingest) -> None:
    keys = [await probe(ingest, name=f"probe-{number}") for number in range(4)]
    await asyncio.gather(*(tell(ingest, key, 3, seen(0)) for key in keys))
    (row,) = await listed(ingest)
    assert row["probes"] == 4


async def test_a_key_is_for_one_thing(ingest: Ingest) -> None:
    key = await probe(ingest)
    refused(await post(ingest, key, unit="city"), 403, "report")
    refused(await tell(ingest, await ingest.key("city"), 3, seen(0)), 403, "outages")
    refused(await tell(ingest, key, 3, seen(5)), 422, "in the future", field="seen")
    refused(await tell(ingest, key, 9, seen(5, 4)), 422, "where the outage begins", field="seen")
    refused(await tell(ingest, key, 9, seen(5, body="x")), 422, "not a field here", field="seen.0")


def test_the_end_waits_for_every_probe() -> None:
    """Whatever the order in which probes tell, the outage lasts from the first sight to the last."""
    told = [("a", 0, None), ("a", 0, 5), ("b", 2, None), ("b", 2, 9)]
    for order in permutations(told):
        if order.index(told[0]) > order.index(told[1]) or order.index(told[2]) > order.index(told[3]):
            continue
        state = decider.State()
        for who, since, until in order:
            command = Observe(seen=Seen.model_validate(seen(since, until)), at=START + timedelta(minutes=20))
            for occurred in decider.decide(state, command, spec.ctx(actor=Actor(who))):
                assert isinstance(occurred, Occurred)
                event = SimpleNamespace(actor=who, data=occurred.data)
                state = decider.evolve(state, cast("Event", event))
        assert state.seen is not None and state.seen.since == START
        assert state.seen.until == START + timedelta(minutes=9)
