"""Inspections and referrals over the API, on SQLite and PostgreSQL."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from schemas.fields import WIRE, Day
from services.audit.archive import building
from services.audit.queries import Axes
from services.audit.review import seen
from tests.audit.matter import Matter
from tests.audit.test_findings import either, listed, settle  # noqa: F401  a fixture
from tests.audit.world import World
from tests.kit import access


async def post(
    world: World, path: str, body: Any, *, unit: str, role: str, version: int | None = None
) -> httpx.Response:
    """The answer to a command of this post; each role is another person."""
    async with world.client(unit, role) as client:
        client.headers.update(access.bearer(unit, role, person=f"{role} {unit}"))
        more = {} if version is None else {"If-Match": str(version)}
        return await client.post(f"/audit/v1/{path}", json=body, headers=more)


async def read(world: World, path: str, unit: str = "county", **params: Any) -> Any:
    """The newest answer, after audit has taken in what was decided."""
    for _ in range(2):
        await world.take()
    return await world.get(path, unit, **params)


async def test_nobody_names_a_matter_that_the_own_unit_may_not_read(either: World) -> None:  # noqa: F811
    matter = Matter().known("city")
    await settle(either, matter)
    praise = {"unit": "town-east", "post": "handler", "kind": "praise", "reason": "及时", "incident": matter.id}
    assert (await post(either, "referrals", praise, unit="county", role="auditor")).status_code == 403
    opening = {"unit": "town-east", "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复"}
    opened = await post(either, "inspections", opening, unit="county", role="auditor")
    said = {
        "text": "迟复",
        "remedy": "补复",
        "incident": matter.id,
        "due": (either.now + timedelta(days=5)).isoformat(),
    }
    path = f"inspections/{opened.json()['id']}/make-remark"
    assert (await post(either, path, said, unit="county", role="auditor", version=1)).status_code == 403


@pytest.mark.parametrize("wrong", ["2026-99-99", "2026-02-30", "2026-00-01"])
async def test_a_day_that_no_calendar_has_is_refused_and_stays_readable(either: World, wrong: str) -> None:  # noqa: F811
    opening = {"unit": "town-east", "since": wrong, "until": "2026-12-31", "scope": "来件答复"}
    refused = await post(either, "inspections", opening, unit="county", role="auditor")
    told = refused.json()
    assert (refused.status_code, told["field"]) == (422, "since")
    assert told["type"].endswith("wrong-form") and "calendar" in told["detail"]
    adapter = TypeAdapter(Day)
    assert adapter.validate_python(wrong, context=WIRE) == wrong, "an event that says so is read"


@pytest.mark.requirement("AUD-19")
async def test_an_inspection_from_its_scope_to_its_end(either: World) -> None:  # noqa: F811
    world, due = either, (either.now + timedelta(days=5)).isoformat()
    opening = {"unit": "town-east", "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复，电话 13812345678"}
    opened = await post(world, "inspections", opening, unit="county", role="auditor")
    assert opened.status_code == 201, opened.text
    path = f"inspections/{opened.json()['id']}"
    said = {"text": "三件迟复", "remedy": "补充答复", "due": due}
    assert (await post(world, f"{path}/make-remark", said, unit="county", role="auditor", version=1)).status_code == 200
    one = await read(world, path)
    assert one["scope"].startswith("来件答复")
    assert "13812345678" not in one["scope"]
    assert [(r["remark"], r["state"], r["overdue"]) for r in one["remarks"]] == [(1, "due", False)]
    assert {"accept-remedy", "report-remedy"}.isdisjoint(one["may"])
    before = one["log_size"]
    remedy = {"remark": 1, "text": "已补充答复"}
    stale = await post(world, f"{path}/report-remedy", remedy, unit="town-east", role="chief", version=1)
    assert stale.status_code == 412
    done = await post(world, f"{path}/report-remedy", remedy, unit="town-east", role="chief", version=2)
    assert done.status_code == 200, done.text
    judged = await post(world, f"{path}/accept-remedy", {"remark": 1}, unit="county", role="auditor", version=3)
    assert judged.status_code == 200, judged.text
    end = await post(world, f"{path}/end-inspection", {"conclusion": "已整改"}, unit="county", role="chief", version=4)
    assert end.status_code == 200, end.text
    last = await read(world, path)
    assert (last["state"], last["conclusion"], last["may"]) == ("ended", "已整改", [])
    assert [step["step"] for step in last["remarks"][0]["steps"]] == ["remedy_reported", "remedy_accepted"]
    old = await read(world, path, log_size=before)
    assert (old["state"], old["remarks"][0]["state"]) == ("open", "due")
    assert [item["id"] for item in (await read(world, "inspections", state="ended"))["items"]] == [last["id"]]
    assert (await read(world, "inspections", state="open"))["items"] == []
    (then,) = (await read(world, "inspections", state="open", log_size=before))["items"]
    assert then["state"] == "open"


async def test_an_inspection_is_read_by_the_office_and_those_above_it(either: World) -> None:  # noqa: F811
    world = either
    opening = {"unit": "town-east", "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复"}
    id_ = (await post(world, "inspections", opening, unit="county", role="auditor")).json()["id"]
    assert (await read(world, "inspections", "town-east"))["items"][0]["id"] == id_
    assert (await read(world, "inspections", "town-west"))["items"] == []
    await world.get(f"inspections/{id_}", "town-west", status=403)
    await world.get(f"inspections/{id_[:-4]}0000", status=404)


@pytest.mark.requirement("AUD-10")
async def test_serious_neglect_rests_on_a_finding_and_is_passed_on_after_the_post_was_heard(
    either: World,  # noqa: F811
) -> None:
    world = either
    await settle(world, Matter().known().missed("public_statement", 3))
    (finding,) = await listed(world)
    body = {"unit": "town-east", "post": "chief", "kind": "neglect", "findings": [finding["id"]], "reason": "三次迟复"}
    none = await post(world, "referrals", body | {"findings": []}, unit="county", role="auditor")
    assert (none.status_code, none.json()["type"]) == (422, "urn:huiying:problem:findings-needed")
    proposed = await post(world, "referrals", body, unit="county", role="auditor")
    assert proposed.status_code == 201, proposed.text
    path = f"referrals/{proposed.json()['id']}"
    early = {"body": "discipline", "reason": "移送"}
    refused = await post(world, f"{path}/pass-on", early, unit="county", role="chief", version=1)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:huiying:problem:post-not-heard")
    view = await post(world, f"{path}/state-own-view", {"text": "有记录"}, unit="town-east", role="chief", version=1)
    assert view.status_code == 200, view.text
    passed = await post(world, f"{path}/pass-on", early, unit="county", role="chief", version=2)
    assert passed.status_code == 200, passed.text
    noted = await post(world, f"{path}/note-receipt", {"text": "收文 118 号"}, unit="county", role="auditor", version=3)
    assert noted.status_code == 200, noted.text
    one = await read(world, path)
    assert (one["state"], one["body"], one["heard"]["text"], one["receipt"]["text"]) == (
        "received", "discipline", "有记录", "收文 118 号",
    )  # fmt: skip
    assert one["findings"] == [finding["id"]]


async def test_a_referral_is_read_by_leaders_reviewers_and_the_post_itself(either: World) -> None:  # noqa: F811
    world = either
    praise = {"unit": "town-east", "post": "duty_officer", "kind": "praise", "reason": "一小时回应"}
    proposed = await post(world, "referrals", praise, unit="county", role="auditor")
    assert proposed.status_code == 201, proposed.text
    for _ in range(2):
        await world.take()
    seen = {}
    for unit, role in (
        ("county", "auditor"),
        ("town-east", "duty_officer"),
        ("town-east", "handler"),
        ("town-west", "chief"),
    ):
        async with world.client(unit, role) as client:
            seen[unit, role] = len((await client.get("/audit/v1/referrals")).json()["items"])
            status = (await client.get(f"/audit/v1/referrals/{proposed.json()['id']}")).status_code
            assert (status == 200) == bool(seen[unit, role]), (unit, role)
    assert list(seen.values()) == [1, 1, 0, 0]
    for role, told in (("auditor", 1), ("duty_officer", 0)):
        async with world.client("county", role) as client:
            listed_ = (await client.get("/audit/v1/events", params={"type": "referral.proposed"})).json()["items"]
            assert len(listed_) == told, role
    event = proposed.json()["events"][0]["id"]
    await world.get(f"events/{event}", "county")
    async with world.client("county", "duty_officer") as client:
        assert (await client.get(f"/audit/v1/events/{event}")).status_code == 403


async def test_a_time_that_is_none_is_refused_and_never_a_fault(either: World) -> None:  # noqa: F811
    world = either
    opening = {"unit": "town-east", "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复"}
    id_ = (await post(world, "inspections", opening, unit="county", role="auditor")).json()["id"]
    for due in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 12, "soon"):
        said = {"text": "迟复", "remedy": "补复", "due": due}
        refused = await post(world, f"inspections/{id_}/make-remark", said, unit="county", role="auditor", version=1)
        assert refused.status_code == 422, (due, refused.text)


@pytest.mark.requirement("AUD-19")
async def test_a_remark_on_an_office_is_not_read_by_others_with_a_part_in_its_matter(world: World) -> None:
    matter, made = Matter().known("town-east"), dict[str, str]()
    await settle(world, matter)
    start = (await world.get("changes"))["position"]
    for office in ("town-west", "town-east"):
        opening = {"unit": office, "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复"}
        opened = (await post(world, "inspections", opening, unit="county", role="auditor")).json()
        due = (world.now + timedelta(days=5)).isoformat()
        said = {"text": "迟复", "remedy": "补复", "incident": matter.id, "due": due}
        path = f"inspections/{opened['id']}/make-remark"
        answer = await post(world, path, said, unit="county", role="auditor", version=1)
        made[office] = answer.json()["events"][0]["id"]
        for _ in range(2):
            await world.take()
        follows = (await world.get("changes", "town-east", after=start))["incidents"]
        assert follows == ([matter.id] if office == "town-east" else [])
    for unit, reads in (("county", {"town-west", "town-east"}), ("town-east", {"town-east"})):
        timeline = {one["event"]["id"] for one in (await world.get(f"incidents/{matter.id}/timeline", unit))["items"]}
        told = {one["id"] for one in (await world.get("events", unit, incident=matter.id))["items"]}
        for office, event in made.items():
            assert (event in timeline, event in told) == (office in reads, office in reads), (unit, office)
            await world.get(f"events/{event}", unit, 200 if office in reads else 403)
    size = (await world.get("changes"))["position"]
    archived = {row.event.id for row in await building.rows(world.runtime.database, matter.id, size)}
    assert archived and archived.isdisjoint(made.values())
    async with world.runtime.database.read() as connection:
        offices = (await world.runtime.context(connection)).offices
        reviewed = await seen.course(connection, matter.id, Axes(size), offices)
    assert reviewed.events and {one.event.id for one in reviewed.events}.isdisjoint(made.values())
