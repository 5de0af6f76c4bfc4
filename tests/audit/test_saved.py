"""Saved queries: kept by units under names as events, asked now, in codes alone."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import text

from schemas.operation import Period
from services.audit.saved import saved_api
from services.audit.saved.periods import cut
from services.kernel.store import sql
from tests.audit.test_matters import found, opened
from tests.audit.world import World

HERE = ZoneInfo("Asia/Shanghai")
ASKED = {"title": "上月东镇的", "unit": "town-east", "period": "last_month"}


async def post(
    world: World, path: str, body: Any, unit: str = "town-east", role: str = "chief", seen: int = 1
) -> httpx.Response:
    async with world.client(unit, role) as client:
        headers = {"If-Match": str(seen)} if path else {}
        return await client.post(f"/audit/v1/saved-queries{path}", json=body, headers=headers)


async def kept(world: World, unit: str = "town-east", role: str = "handler") -> list[dict[str, Any]]:
    async with world.client(unit, role) as client:
        answer = await client.get("/audit/v1/saved-queries")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.parametrize(
    ("period", "now", "first", "last"),
    [
        ("today", "2026-03-02T00:00:00", "2026-03-02", "2026-03-02"),
        ("yesterday", "2026-03-01T23:59:59", "2026-02-28", "2026-02-28"),
        ("last_7_days", "2026-03-02T12:00:00", "2026-02-23", "2026-03-01"),
        ("last_30_days", "2026-03-02T12:00:00", "2026-01-31", "2026-03-01"),
        ("this_week", "2026-03-08T23:00:00", "2026-03-02", "2026-03-08"),
        ("last_week", "2026-03-02T00:00:00", "2026-02-23", "2026-03-01"),
        ("this_month", "2024-02-29T00:00:00", "2024-02-01", "2024-02-29"),
        ("last_month", "2026-01-31T12:00:00", "2025-12-01", "2025-12-31"),
        ("this_quarter", "2026-12-31T12:00:00", "2026-10-01", "2026-12-31"),
        ("last_quarter", "2026-01-01T00:00:00", "2025-10-01", "2025-12-31"),
        ("this_year", "2026-01-01T00:00:00", "2026-01-01", "2026-12-31"),
        ("last_year", "2026-01-01T00:00:00", "2025-01-01", "2025-12-31"),
    ],
)
def test_a_period_is_cut_into_whole_days_of_the_unit(period: Period, now: str, first: str, last: str) -> None:
    begin, end = cut(period, datetime.fromisoformat(now).replace(tzinfo=HERE), HERE)
    assert (begin.isoformat(), end.isoformat()) == (f"{first}T00:00:00+08:00", f"{last}T23:59:59.999999+08:00")


def test_no_hour_is_lost_where_the_clock_goes_back_over_midnight() -> None:
    zone = ZoneInfo("America/Santiago")
    sunday = datetime(2026, 4, 5, 12, tzinfo=zone)
    (_, end), (begin, _) = cut("yesterday", sunday, zone), cut("today", sunday, zone)
    assert begin.astimezone(UTC) - end.astimezone(UTC) == timedelta(microseconds=1)


def test_every_period_is_known() -> None:
    now = datetime(2026, 3, 2, tzinfo=HERE)
    assert all(begin < end for begin, end in (cut(one, now, HERE) for one in get_args(Period)))


async def test_a_question_is_kept_changed_and_removed_by_its_unit_alone_and_each_step_is_an_event(world: World) -> None:
    made = await post(world, "", ASKED)
    assert made.status_code == 201, made.text
    id_ = made.json()["id"]
    (one,) = await kept(world)
    assert (one["id"], one["title"], one["by"]) == (id_, "上月东镇的", "chief@town-east")
    assert {name: of for name, of in one["asks"].items() if of} == {"unit": "town-east", "period": "last_month"}
    assert await kept(world, "town-west") == [] == await kept(world, "county")
    changed = {"title": "全部已结", "state": "closed"}
    assert (await post(world, f"/{id_}/change-query", changed, "town-west")).status_code == 404
    assert (await post(world, f"/{id_}/change-query", changed, role="handler")).status_code == 200
    (one,) = await kept(world)
    assert (one["id"], one["title"], one["asked"]) == (id_, "全部已结", {"state": "closed"})
    assert one["asks"] == dict.fromkeys(one["asks"]) | {"state": "closed"} and one["asks"]["period"] is None
    assert (await post(world, f"/{id_}/drop-query", {}, "county")).status_code == 404
    assert (await post(world, f"/{id_}/drop-query", {})).status_code == 412, "somebody changed it meanwhile"
    assert (await post(world, f"/{id_}/drop-query", {}, seen=2)).status_code == 200
    assert await kept(world) == [] == await world.rows("saved_queries")
    assert (await post(world, f"/{id_}/drop-query", {})).status_code == 404
    await world.take()
    await world.take()
    types = [row[0] for row in await world.rows("timeline", "type")]
    assert types.count("huiying.operation.query_saved.v1") == 2
    assert types.count("huiying.operation.query_dropped.v1") == 1
    told = b"".join(row[0] for row in await world.rows("timeline", "bytes"))
    assert "上月东镇的".encode() not in told, "the title is typed, so it can be erased"


async def test_what_a_question_asks_now_is_a_request_to_the_list_of_matters(world: World) -> None:
    incident = await opened(world, "a")
    await opened(world, "bb", unit="town-west")
    for name, period in (("今天", "today"), ("昨天", "yesterday")):
        assert (await post(world, "", {**ASKED, "title": name, "period": period})).status_code == 201
    drill = await opened(world, "ccc", drill=True)
    assert (await post(world, "", {"title": "不含演练", "drill": False, "period": "today"})).status_code == 201
    today, yesterday, real = await kept(world)
    assert found(await world.get("incidents", **today["asked"])) == [drill, incident]
    assert found(await world.get("incidents", **yesterday["asked"])) == []
    assert (real["asks"]["drill"], real["asks"]["period"]) == (False, "today") and real["asked"]["drill"] == "false"
    assert drill not in found(await world.get("incidents", **real["asked"]))


async def test_a_question_holds_codes_that_exist_and_no_words(world: World) -> None:
    for wrong in ({"unit": "nowhere"}, {"level": "no_level"}, {"period": "soon"}, {"words": "漫水"}, {"title": " "}):
        assert (await post(world, "", {**ASKED, **wrong})).status_code == 422, wrong
    assert (await post(world, "", {**ASKED, "title": "王小明 13812345678"})).status_code == 201
    (one,) = await kept(world)
    assert "13812345678" not in one["title"]


async def test_a_unit_keeps_so_many_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_api, "MOST", 1)
    assert (await post(world, "", ASKED)).status_code == 201
    full = await post(world, "", ASKED)
    assert (full.status_code, full.json()["type"].endswith("saved-queries-full")) == (409, True)
    assert (await post(world, "", ASKED, "town-west")).status_code == 201


@pytest.mark.parametrize("world", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_of_two_at_once_the_second_sees_what_the_first_did(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await post(world, "", ASKED)
    id_ = made.json()["id"]
    changes = [post(world, f"/{id_}/change-query", {**ASKED, "title": title}) for title in ("甲", "乙")]
    assert sorted(await at_once(world, *changes)) == [200, 412], "both saw the first version"
    monkeypatch.setattr(saved_api, "MOST", 2)
    assert sorted(await at_once(world, post(world, "", ASKED), post(world, "", ASKED))) == [201, 409]


@pytest.mark.parametrize("world", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_of_two_on_both_sides_of_midnight_the_second_sees_what_the_first_did(world: World) -> None:
    id_ = (await post(world, "", ASKED)).json()["id"]
    now: ContextVar[datetime] = ContextVar("now")
    world.runtime.time_source.now = lambda: now.get(world.now)  # type: ignore[method-assign]

    async def change(at: datetime) -> httpx.Response:
        now.set(at)
        return await post(world, f"/{id_}/change-query", {**ASKED, "title": f"{at:%d}"})

    midnight = world.now.replace(hour=0) + timedelta(days=1)
    changes = [change(midnight - timedelta(seconds=1)), change(midnight)]
    assert sorted(await at_once(world, *changes)) == [200, 412]


async def at_once(world: World, *requests: Coroutine[Any, Any, httpx.Response]) -> list[int]:
    """The answers to requests that all come to the lock of the unit's questions before one of them goes on."""
    waiting = text(
        "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = "
        "(select oid from pg_database where datname = current_database())"
    )
    async with world.runtime.database.transaction() as connection:
        await sql.lock(connection, sql.Hold("saved", ["town-east"]))
        tasks = [asyncio.create_task(one) for one in requests]
        while True:
            async with world.runtime.database.read() as reading:
                if (await reading.execute(waiting)).scalar_one() >= len(tasks):
                    break
            assert not any(task.done() for task in tasks)
    return [answer.status_code for answer in await asyncio.gather(*tasks)]
