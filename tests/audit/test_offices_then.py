"""Answers on axes rest on the tree of units of these axes: what is decided later about units changes none of them."""

from datetime import UTC, datetime

import orjson
import pytest

from schemas.offices import UnitPlaced
from tests.audit.counted import OTHER, known, many
from tests.audit.world import START, World, id_of
from tests.kit.plans import asked as asked_of

PATHS: dict[str, dict[str, str]] = {
    "incidents": {"unit": "county"},
    "incidents/export": {"unit": "county"},
    "readings": {"unit": "county"},
    "findings": {"unit": "county"},
    "inspections": {"unit": "county"},
    "lessons": {"unit": "county"},
    "referrals": {"unit": "county"},
    "statistics": {"unit": "county", "to": "2026-12"},
    "statistics/export": {"unit": "county", "to": "2026-12"},
    "statistics/year": {"unit": "county", "year": "2026"},
    "statistics/analysis": {"unit": "county", "to": "2026-12"},
    "statistics/duty-desk": {"unit": "county", "month": "2026-03"},
    f"incidents/{id_of('incident', 'b0')}/timeline": {},
}


async def _place(world: World, unit: str, parent: str, **more: datetime) -> None:
    placed = UnitPlaced(unit=unit, kind="town", name="新镇", parent=parent, **{"since": world.now, **more})
    await world.send(world.event("triage", id_of("unit", "tree"), placed, unit="city"))
    await world.take()


async def _read(world: World, path: str, **params: object) -> bytes:
    """The answer to the whole deployment's auditor."""
    async with world.client() as client:
        answer = await client.get(f"/audit/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.content


async def _all(world: World, size: int) -> dict[str, bytes]:
    return {path: await _read(world, path, **asked, log_size=size) for path, asked in PATHS.items()}


async def test_a_later_place_of_a_unit_changes_no_answer_of_a_fixed_size(world: World) -> None:
    await known(world, [*many(world, 9, "b", unit=OTHER), *many(world, 6, "c", unit="county")])
    async with world.client("county") as client:
        looks = {"unit": OTHER, "since": "2026-03-02", "until": "2026-03-03", "scope": "all"}
        assert (await client.post("/audit/v1/inspections", json=looks)).status_code == 201
    for _ in range(2):
        await world.take()
    size = (await world.get("incidents"))["log_size"]
    before = await _all(world, size)
    await _place(world, OTHER, "city")
    await _place(world, "town-new", "county")
    assert await _all(world, size) == before
    with asked_of() as questions:
        assert await _all(world, size) == before
    placing = [one for one in questions if "unit.placed" in one and "policy.pack_assigned" in one]
    assert placing and not any("timeline.bytes" in one for one in placing), "placements are read once"
    asked = {"unit": "county"}, {"unit": "county", "log_size": size}
    shown = [len(orjson.loads(await _read(world, "incidents", **one))["items"]) for one in asked]
    shown += [len(orjson.loads(await _read(world, "inspections", **one))["items"]) for one in asked]
    assert shown == [6, 15, 0, 1], "the tree of now holds where no axes are asked"


async def test_what_was_known_of_units_by_then_holds_without_a_size(world: World) -> None:
    await known(world, many(world, 9, "b", unit=OTHER))
    at = world.now.isoformat()

    async def rows(**axes: str) -> list[str]:
        return [
            row["group"]
            for row in orjson.loads(await _read(world, "statistics", unit="county", to="2026-12", **axes))["rows"]
        ]

    before = await rows(known_at=at)
    world.now = datetime(2026, 6, 1, tzinfo=UTC)
    await _place(world, OTHER, "city", since=START)
    assert await rows(known_at=at) == before
    assert OTHER in before and OTHER not in await rows(as_of=at), "the office had the other place from its begin on"


@pytest.mark.parametrize("ends", [False, True])
async def test_a_table_stays_unaltered_when_its_units_go_elsewhere(world: World, ends: bool) -> None:
    await known(world, [*many(world, 7, "a"), *many(world, 9, "b", unit=OTHER), *many(world, 6, "c", unit="county")])
    world.now = datetime(2027, 1, 11, tzinfo=UTC)
    async with world.client("county", "chief") as client:
        answer = await client.post("/audit/v1/statistics/circulations", json={"unit": "county", "year": 2026})
    assert answer.status_code == 201, answer.text
    for _ in range(2):
        await world.take()
    await _place(world, OTHER, "county" if ends else "city", **({"until": world.now} if ends else {}))
    again = await world.get(f"statistics/circulations/{answer.json()['event']}")
    assert again["unaltered"] is True
    assert {row["unit"]: row for row in again["rows"]}.keys() == {"county", "town-east", OTHER}


async def test_the_year_of_a_table_is_that_of_its_axes(world: World) -> None:
    await known(world, many(world, 8, "a"))
    world.now = datetime(2027, 2, 1, tzinfo=UTC)
    then = {"known_at": "2026-12-01T00:00:00Z"}
    assert (await world.get("statistics/year", **then))["year"] == 2026
    assert (await world.get("statistics/year"))["year"] == 2027
    assert (await world.get("statistics", **then))["last_month"] == "2026-12"
