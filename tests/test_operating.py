"""How services run, their dead letters and the last use of keys, through HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from schemas import catalogue
from schemas.envelope import Event
from services.apps.embedded import Embedded, running
from services.ingest import keys
from services.kernel.delivery import operations
from services.kernel.delivery.log import Record
from services.kernel.settings import Settings
from services.kernel.store import sql
from services.kernel.store.session import OWNER

pytestmark = pytest.mark.asyncio(loop_scope="module")
TELEPHONE = "电话13812345678".encode()
SERVICES = ("ingest", "triage", "escalation", "publish", "audit")
REPORT = {"unit": "town-east", "channel": "hotline", "subject": "路灯不亮", "text": "已经四天不亮。"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    async with running(Settings(data=tmp_path_factory.mktemp("operating") / "data")) as made:
        yield made


async def ask(system: Embedded, method: str, path: str, role: str = "admin", unit: str = "city", **send: Any) -> Any:
    async with system.client(system.token(unit, role)) as client:
        return await client.request(method, path, **send)


async def aside(system: Embedded, service: str, record: Record, event: Event | None, cause: str) -> str:
    """The id of a dead letter of a service."""
    runtime = system.runtimes[service]
    row = operations.dead_letter(service, record, event, cause, "给我打13812345678", runtime.time_source.now())
    async with runtime.database.transaction() as connection:
        await sql.insert(connection, runtime.tables["dead_letters"], [row])
    return str(row["id"])


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_says_how_it_runs_to_those_who_administer_or_audit(system: Embedded, service: str) -> None:
    path = f"/{service}/v1/operation"
    await system.settle()
    for role, unit in (("admin", "town-east"), ("auditor", "city")):
        async with asyncio.timeout(20):
            # The log may sign just now, and the others then have its checkpoint to read.
            while (told := (await ask(system, "GET", path, role, unit)).json())["behind"] or told["outbox"]["count"]:
                await asyncio.sleep(0.02)
        assert told["ready"] and told["reason"] is None and told["service"] == service
        assert told["outbox"] == {"count": 0, "since": None} and told["behind"] == 0
    assert (await ask(system, "GET", path, "duty_officer")).status_code == 403
    for role, unit in (("admin", "county"), ("chief", "city")):
        assert (await ask(system, "GET", f"/{service}/v1/dead-letters", role, unit)).status_code == 403


async def test_a_service_that_takes_no_commands_says_why(system: Embedded) -> None:
    runtime = system.runtimes["publish"]
    runtime.lost = "publish.statement was lost"
    try:
        told = (await ask(system, "GET", "/publish/v1/operation", headers={"Accept-Language": "en"})).json()
    finally:
        runtime.lost = ""
    assert not told["ready"] and "was lost" in told["reason"]


async def test_dead_letters_are_listed_oldest_first_and_shown_masked(system: Embedded) -> None:
    ids = [
        await aside(
            system, "audit", Record("ingest.report", 0, 900_000 + at, b"k", "电话13812345678".encode()), None, cause
        )
        for at, cause in enumerate(("undecodable", "undecodable", "fork"))
    ]
    listed = (await ask(system, "GET", "/audit/v1/dead-letters", "auditor")).json()
    assert [one["id"] for one in listed["items"]] == ids and listed["causes"] == {"undecodable": 2, "fork": 1}
    first = (await ask(system, "GET", "/audit/v1/dead-letters?cause=undecodable&limit=1")).json()
    then = await ask(system, "GET", "/audit/v1/dead-letters", params={"cause": "undecodable", "cursor": first["next"]})
    assert [one["id"] for one in (*first["items"], *then.json()["items"])] == ids[:2]
    one = (await ask(system, "GET", f"/audit/v1/dead-letters/{ids[0]}")).json()
    assert "13812345678" not in str(one) and "[手机号]" in one["content"] and one["may"] == ["redrive", "discard"]
    assert (await ask(system, "GET", f"/audit/v1/dead-letters/{ids[0]}", "auditor")).json()["may"] == []
    words = await aside(
        system,
        "audit",
        Record(catalogue.content_topic("ingest"), 0, 900_009, b"k", "原话".encode()),
        None,
        "undecodable",
    )
    assert (await ask(system, "GET", f"/audit/v1/dead-letters/{words}")).json()["content"] is None
    for path in ("redrive", "discard"):
        answer = await ask(system, "POST", f"/audit/v1/dead-letters/{ids[0]}/{path}", "auditor", json={"reason": "r"})
        assert answer.status_code == 403
    again = await ask(system, "POST", f"/audit/v1/dead-letters/{ids[0]}/redrive", json={"reason": "新版本"})
    assert again.status_code == 409 and again.json()["type"].endswith("record-fails-again")
    for id_ in (*ids, words):
        done = await ask(system, "POST", f"/audit/v1/dead-letters/{id_}/discard", json={"reason": "测试数据"})
        assert done.json() == {"id": id_, "state": "discarded", "taken": 0}, done.text
    settled = await ask(system, "POST", f"/audit/v1/dead-letters/{ids[0]}/discard", json={"reason": "测试数据"})
    assert settled.status_code == 409 and settled.json()["type"].endswith("record-settled")
    assert (await ask(system, "GET", "/audit/v1/dead-letters")).json()["items"] == []


async def test_a_record_is_given_to_its_service_again(system: Embedded) -> None:
    now = system.time_source.now().isoformat()
    sent = await ask(
        system, "POST", "/ingest/v1/reports", "duty_officer", "town-east", json=REPORT | {"discovered_at": now}
    )
    assert sent.status_code == 201, sent.text
    await system.settle()
    runtime = system.runtimes["ingest"]
    async with runtime.database.read() as connection:
        chosen = select(runtime.tables["events"].c.bytes).where(
            runtime.tables["events"].c.stream_id == sent.json()["report_id"]
        )
        event = Event.parse((await connection.execute(chosen)).scalars().first())
    id_ = await aside(system, "triage", Record("ingest.report", 0, 900_000, b"k", event.bytes), event, "poison")
    one = (await ask(system, "GET", f"/triage/v1/dead-letters/{id_}")).json()
    assert one["type"] == event.type and one["stream"] == event.stream
    done = await ask(system, "POST", f"/triage/v1/dead-letters/{id_}/redrive", json={"reason": "缺陷已修复"})
    assert done.json()["state"] == "redriven", done.text


async def test_what_is_on_the_service_s_own_topic_is_discarded_for_all_services_at_once(system: Embedded) -> None:
    runtime = system.runtimes["triage"]
    record = Record("triage.incident", 0, 900_000, b"k", b"forged")
    row = operations.dead_letter("owner", record, None, "fork", "forged", runtime.time_source.now()) | {
        "consumer": "own"
    }

    async with runtime.database.transaction() as connection:
        await sql.insert(connection, runtime.tables["dead_letters"], [row | {"consumer": OWNER}])
    answer = await ask(system, "POST", f"/triage/v1/dead-letters/{row['id']}/discard", json={"reason": "伪造"})
    assert answer.status_code == 409 and answer.json()["type"].endswith("record-on-own-topic")


async def test_the_last_use_of_a_key_is_kept_to_the_hour(system: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await ask(system, "POST", "/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})).json()

    async def used() -> Any:
        listed = (await ask(system, "GET", "/ingest/v1/keys")).json()["items"]
        return next(one for one in listed if one["id"] == made["id"])["used_at"]

    async def use() -> None:
        system.runtimes["ingest"].part(keys.Keys)._remembered.forget()
        body = REPORT | {"discovered_at": system.time_source.now().isoformat()}
        async with system.client(made["key"]) as client:
            assert (await client.post("/ingest/v1/reports", json=body)).status_code in (200, 201)

    assert await used() is None
    await use()
    first = await used()
    assert first is not None
    await use()
    assert await used() == first, "not a write for each request"
    monkeypatch.setattr(keys, "NOTED", timedelta())
    await use()
    assert await used() > first
    ended = await ask(system, "POST", f"/ingest/v1/keys/{made['id']}/revoke", json={"reason": "对接单位更换系统"})
    assert ended.status_code == 200
    runtime = system.runtimes["ingest"]
    async with runtime.database.read() as connection:
        table = runtime.tables["events"]
        chosen = select(table.c.bytes).where(table.c.type.contains("key_revoked"))
        (event,) = [Event.parse(found) for found in await connection.scalars(chosen)]
    assert event.data.reason is not None, "the reason is in the record"
