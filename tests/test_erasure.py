"""Words of staff are erased from any stream: one person asks, another one of a unit above does it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.apps import operate
from services.apps.embedded import Embedded, running
from services.kernel.settings import Settings
from services.kernel.store.words import ERASED

TYPED = "张三是上访人"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    folder: Path = tmp_path_factory.mktemp("erasure")
    async with running(Settings(data=folder)) as made:
        yield made


async def ask(
    system: Embedded, who: tuple[str, ...], method: str, path: str, body: Any = None, **headers: str
) -> httpx.Response:
    unit, role, person = who
    async with system.client(system.token(unit, role, person=person)) as client:
        answer = await client.request(method, path, json=body, headers=headers)
        await system.settle()
        return answer


async def graded(system: Embedded) -> str:
    """An incident of town-east, with a reason for its grading that must go."""
    body = {
        "unit": "town-east",
        "channel": "visit",
        "subject": f"路灯不亮 {datetime.now(UTC)}",
        "text": "请尽快处理。",
        "discovered_at": datetime.now(UTC).isoformat(),
    }
    officer = ("town-east", "duty_officer", "officer")
    report = (await ask(system, officer, "POST", "/ingest/v1/reports", body)).json()["report_id"]
    found = (await ask(system, officer, "GET", f"/triage/v1/incidents?report_id={report}")).json()["items"]
    incident = str(found[0]["id"])
    body = {"level": "general", "reason": TYPED}
    done = await ask(system, officer, "POST", f"/triage/v1/incidents/{incident}/grade", body, **{"If-Match": "0"})
    assert done.status_code == 200, done.text
    return incident


async def reason_of(system: Embedded, incident: str) -> str:
    """The reference of the reason in the incident's events."""
    events = (await ask(system, ("city", "auditor", "a"), "GET", f"/audit/v1/events?subject={incident}")).json()
    return next(str(e["data"]["reason"]["ref"]) for e in events["items"] if "graded" in e["type"])


async def stored(system: Embedded, ref: str) -> list[str]:
    table = system.runtimes["triage"].tables["contents"]
    async with system.runtimes["triage"].database.read() as connection:
        return [row.words for row in await connection.execute(table.select().where(table.c.ref == ref))]


async def test_words_of_an_incident_take_two_persons_one_of_a_unit_above(system: Embedded) -> None:
    incident = await graded(system)
    ref = await reason_of(system, incident)
    path, body = "/triage/v1/words/erase", {"stream": incident, "refs": [ref], "reason": "有个人信息"}
    one, same = ("town-east", "chief", "one"), ("county", "chief", "one")
    other, above = ("town-east", "chief", "other"), ("county", "chief", "above")

    assert (await ask(system, ("town-west", "chief", "far"), "POST", path, body)).status_code == 403
    asked = await ask(system, one, "POST", path, body)
    assert [event["type"] for event in asked.json()["events"]] == ["huiying.words.erasure_asked.v1"]
    assert await stored(system, ref) == [TYPED]
    assert (await ask(system, other, "POST", path, body)).status_code == 403, "nobody of the unit itself agrees"
    assert (await ask(system, same, "POST", path, body)).json()["type"].endswith("erasure-asked-by-you")
    done = await ask(system, above, "POST", path, body)
    assert [event["type"] for event in done.json()["events"]] == ["huiying.words.erased.v1"]

    assert await stored(system, ref) == []
    notes = (await ask(system, above, "GET", f"/triage/v1/incidents/{incident}")).json()["notes"]
    assert ERASED in [note["text"] for note in notes]
    assert (await ask(system, above, "POST", path, body)).json()["type"].endswith("words-erased-already")
    events = (await ask(system, ("city", "auditor", "a"), "GET", "/audit/v1/events?limit=500")).json()["items"]
    said = [event for event in events if event["type"].startswith("huiying.words.")]
    assert [event["actor"] for event in said] == ["chief@town-east", "chief@county"]
    assert len({event["data"]["by"] for event in said}) == 2


async def test_words_of_a_report_upward_are_the_business_of_the_unit_that_answers_for_the_matter(
    system: Embedded,
) -> None:
    incident = await graded(system)
    path, officer = f"/escalation/v1/incidents/{incident}/report-upward", ("town-east", "duty_officer", "officer")
    told = await ask(system, officer, "POST", path, {"text": TYPED})
    assert told.status_code == 200, told.text
    stream = incident.replace("incident", "clock")
    events = (await ask(system, ("city", "auditor", "a"), "GET", f"/audit/v1/events?subject={stream}&limit=500")).json()
    ref = next(e["data"]["text"]["ref"] for e in events["items"] if "reported_upward" in e["type"])
    over, transfer = {"unit": "town-west", "reason": "r"}, f"/triage/v1/incidents/{incident}/transfer"
    done = await ask(system, ("county", "chief", "above"), "POST", transfer, over, **{"If-Match": "1"})
    assert done.status_code == 200, done.text
    path, body = "/escalation/v1/words/erase", {"stream": stream, "refs": [ref], "reason": "有个人信息"}
    assert (await ask(system, ("town-east", "chief", "former"), "POST", path, body)).status_code == 403
    for unit, person, says in (("town-west", "one", "erasure_asked"), ("county", "above", "erased")):
        done = await ask(system, (unit, "chief", person), "POST", path, body)
        assert [event["type"] for event in done.json().get("events", [])] == [f"huiying.words.{says}.v1"], done.text


async def test_what_cannot_be_erased_is_said(system: Embedded) -> None:
    incident = await graded(system)
    ref = await reason_of(system, incident)
    chief = ("town-east", "chief", "one")
    nothing = "incident-00000000-0000-7000-8000-000000000000"
    report = nothing.replace("incident", "report")
    for service, body, status, says in (
        ("triage", {"stream": nothing, "refs": [ref]}, 404, "there is no incident"),
        ("publish", {"stream": incident, "refs": [ref]}, 404, "publish has no town-east-"),
        ("ingest", {"stream": report, "refs": [ref]}, 409, "a report is erased whole"),
        ("triage", {"stream": incident, "refs": [nothing[9:]]}, 422, "names no words"),
        ("triage", {"stream": incident, "refs": []}, 422, "refs"),
        ("triage", {"stream": "张三", "refs": [ref]}, 422, "stream"),
    ):
        answer = await ask(system, chief, "POST", f"/{service}/v1/words/erase", {**body, "reason": "有个人信息"})
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


async def test_the_record_is_sound_afterwards(system: Embedded) -> None:
    stores = operate.Stores(system.runtimes, system.log, system)
    report = await operate.check_stores(stores)
    assert report.ok, report.faults
