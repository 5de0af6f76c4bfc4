"""The loop that judges the record, and the API of findings, on SQLite and PostgreSQL."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import escalation as e
from schemas import ingest as i
from schemas import triage as t
from schemas.offices import PolicyLessonRecorded
from schemas.publish import StatementDrafted
from schemas.words import WordsErased
from services.audit.findings import loop, seen
from services.kernel import failpoints
from services.kernel.core.ids import derived
from services.kernel.core.units import Offices
from tests.audit.matter import COUNTY, TOWN, Matter, at
from tests.audit.test_findings_rules import TEXT, elsewhere
from tests.audit.world import World, id_of, words
from tests.kit import access, spec, substrate

LATER = at(1000)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Audit on SQLite with the packs of the product, long after the matters of these tests."""
    world = World(tmp_path)
    await world.start()
    await world.units()
    with_packs(world)
    yield world
    await world.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The same on SQLite and on PostgreSQL."""
    template = (
        substrate.new_databases("t", services=("audit",), with_tables=True) if request.param == "postgres" else ""
    )
    world = World(tmp_path, template.format(service="audit"))
    await world.start()
    await world.units()
    with_packs(world)
    yield world
    await world.stop()
    if template:
        substrate.drop_databases(template)


def with_packs(world: World) -> None:
    known = world.runtime.offices

    async def offices(connection: Any, **more: bool) -> Offices:
        found = await known(connection, **more)
        return replace(found, packs=spec.offices().packs, assigned={"city": spec.offices().assigned["city"]})

    world.runtime.offices = offices  # type: ignore[method-assign]
    world.now = LATER


async def settle(world: World, *matters: Matter, topics: tuple[str, ...] = ()) -> None:
    """Lets audit take events in and judge them. What it decides comes back on its own topic, so it takes in twice."""
    for matter in matters:
        await world.send(*matter.events)
        matter.events = []
    for _ in range(2):
        await world.take(*topics)
    world.now += timedelta(minutes=1)
    await loop.settle(world.runtime)
    for _ in range(2):
        await world.take()


async def listed(world: World, reader: str = "city", **params: Any) -> list[dict[str, Any]]:
    async with world.client(reader) as client:
        answer = await client.get("/audit/v1/findings", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def kinds(world: World, **params: Any) -> list[tuple[str, str]]:
    return sorted((one["finding"], one["state"]) for one in await listed(world, **params))


async def post(
    world: World, path: str, body: Any, *, unit: str, role: str, person: str = "", version: int | None = None
) -> httpx.Response:
    async with world.client(unit, role) as client:
        client.headers.update(access.bearer(unit, role, person=person))
        more = {} if version is None else {"If-Match": str(version)}
        return await client.post(f"/audit/v1/findings{path}", json=body, headers=more)


@pytest.mark.requirement("AUD-07")
async def test_a_late_answer_stands_with_its_rule_its_events_and_a_sentence(world: World) -> None:
    await settle(world, Matter().known().missed("public_statement", 3))
    (one,) = await listed(world, lang="en")
    assert (one["finding"], one["state"], one["unit"], one["rule"]) == (
        "late_reply", "stands", TOWN, "clocks.public_statement",
    )  # fmt: skip
    assert one["source"]["clause"] == "L18 三(三)"
    assert one["explanation"].startswith(f"{TOWN} did not answer (public statement) by ")
    assert one["number"] == "town-east-2026-00001"
    types = [(await world.get(f"events/{behind['event']}"))["event"]["type"] for behind in one["events"]]
    assert types == ["huiying.clock.started.v1", "huiying.clock.breached.v1"]
    positions = [(await world.get(f"events/{behind['event']}"))["position"] for behind in one["events"]]
    assert positions == [behind["position"] for behind in one["events"]]
    (chinese,) = await listed(world, lang="zh")
    assert chinese["explanation"].startswith(f"{TOWN}未在 03-02 20:00 前完成“公开回应”")


async def test_an_annulled_breach_takes_the_finding_with_it_and_the_past_stays_as_it_was(either: World) -> None:
    matter = Matter().known().missed("public_statement", 3)
    await settle(either, matter)
    before = await either.get("findings")
    matter.add(5, e.ClockBreachAnnulled(clock="public_statement", cause="recorded_in_time"))
    await settle(either, matter)
    (one,) = await listed(either)
    assert (one["state"], one["lapsed"]["cause"]) == ("lapsed", "annulled")
    (annulment,) = [await either.get(f"events/{one['lapsed']['event']['event']}")]
    assert annulment["event"]["type"] == "huiying.clock.breach_annulled.v1"
    assert await either.get("findings", log_size=before["log_size"]) == before
    known_at = before["items"][0]["made_at"]
    assert [item["state"] for item in await listed(either, known_at=known_at)] == ["stands"]
    assert await kinds(either, state="stands") == []
    assert await kinds(either, state="stands", known_at=known_at) == [("late_reply", "stands")]


async def test_judging_again_and_again_gives_the_same(either: World) -> None:
    matter = Matter().known().missed("public_statement", 3)
    await settle(either, matter)
    matter.add(6, t.IncidentAccepted(unit=TOWN), unit=TOWN)
    await settle(either, matter)
    before = await either.rows("findings")
    async with either.runtime.database.transaction() as connection:
        await connection.execute(either.runtime.tables["judged"].delete())
    await settle(either)
    assert await either.rows("findings") == before
    assert len(before) == 1


async def test_nothing_is_judged_that_was_recorded_at_the_horizon_or_after_it(world: World) -> None:
    """What is on its way might still excuse the office."""
    matter = Matter().known().missed("public_statement", 3)
    await world.send(*matter.events)
    await world.take()
    world.now = matter.events[-1].recorded
    await loop.settle(world.runtime)
    assert await world.rows("findings") == []
    world.now += timedelta(seconds=1)
    await loop.settle(world.runtime)
    assert len(await world.rows("findings")) == 1


async def test_nothing_is_judged_while_a_record_is_still_to_be_taken_in(world: World) -> None:
    matter = Matter().known().missed("public_statement", 3)
    annulled = matter.add(5, e.ClockBreachAnnulled(clock="public_statement", cause="recorded_in_time"))
    await world.send(*matter.events[:-1])
    await world.take()
    await world.send(annulled)
    assert not await loop.turn(world.runtime, loop.Horizon())
    with pytest.raises(TimeoutError):
        await loop.settle(world.runtime, 0.1)
    await world.take()
    await loop.settle(world.runtime)
    assert await world.rows("findings") == []


async def test_a_matter_that_was_merged_keeps_its_own_findings_and_gives_the_other_none(world: World) -> None:
    road, bridge = Matter().known().missed("public_statement", 3), Matter("bridge").known()
    road.add(6, t.IncidentMerged(into=bridge.id), unit=TOWN)
    bridge.add(6, t.IncidentAbsorbed(incident=road.id, reports=(id_of("report", "road"),)), unit=TOWN)
    await settle(world, road, bridge)
    assert [one["incident_id"] for one in await listed(world)] == [road.id]


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_report_that_left_the_matter_says_nothing_about_it(world: World, leaves: bool) -> None:
    matter, report = elsewhere(-2), id_of("report", "again")
    matter.add(8, t.IncidentReportAttached(report=report, unit=TOWN, discovered_at=at(-2)), unit=COUNTY)
    if leaves:
        matter.add(9, t.IncidentReportDetached(report=report), unit=COUNTY)
    await settle(world, matter)
    async with world.runtime.database.read() as connection:
        record = await seen.record(connection, matter.id, 10**6, at(9), spec.offices())
    assert report in {one.event.stream for one in record.events}, "what is recorded at the horizon may come later"
    assert [one["sign"] for one in await listed(world, kind="concealed_report")] == ["known_elsewhere"] * (not leaves)


async def test_exercises_stand_apart(world: World) -> None:
    await settle(world, Matter(drill=True).known().missed("public_statement", 3))
    assert await kinds(world) == []
    assert await kinds(world, drill=True) == [("late_reply", "stands")]


async def test_a_gap_on_duty_stands_without_a_matter_and_erased_words_with_theirs(either: World) -> None:
    desk = Matter()
    desk.add(0, e.RosterDutyGapFound(unit=TOWN, since=at(0), until=at(12), cause="not_planned", ahead=False))
    matter = Matter("bridge").known().clock("public_statement", 30)
    gone = WordsErased(stream=matter.id, refs=(), cause="asked", reason=words("r"), by="3" * 64)
    matter.add(1, gone, unit=COUNTY)
    await settle(either, desk, matter)
    found = {one["finding"]: (one["unit"], one["incident_id"]) for one in await listed(either)}
    assert found == {"duty_gap": (TOWN, None), "erased_in_limit": (COUNTY, matter.id)}


async def test_a_report_that_was_confirmed_is_not_held_against_its_addressee(world: World) -> None:
    matter = Matter().known().clock("report_to_town", 1).reported(0.5)
    matter.add(0.7, e.ClockReceiptGiven(report=derived("report", "0.5"), unit=COUNTY), unit=COUNTY)
    await settle(world, matter.breach("report_to_town", 1))
    assert [(one["finding"], one["unit"]) for one in await listed(world)] == [("late_report", TOWN)]


async def test_a_text_is_compared_with_those_on_other_matters(either: World) -> None:
    await settle(either, Matter("bridge").known().published(10, TEXT))
    await settle(either, Matter().known().published(20, TEXT))
    (one,) = await listed(either)
    assert (one["finding"], one["sign"], one["count"]) == ("perfunctory_answer", "same_text", 100)


async def test_a_text_is_not_compared_with_one_of_an_exercise(world: World) -> None:
    await settle(world, Matter("bridge", drill=True).known().published(10, TEXT))
    await settle(world, Matter().known().published(20, TEXT))
    assert await listed(world) == []


def judged_until(folder: Path, database: str, failpoint: str) -> int:
    """Judges what is in a folder in a process of its own, which dies at a failpoint. Returns its code."""
    child = os.fork()
    if child == 0:
        os.environ["HUIYING_FAILPOINT"] = failpoint
        failpoints._chosen.cache_clear()
        try:
            asyncio.run(judge_once(folder, database))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def judge_once(folder: Path, database: str) -> None:
    world = World(folder, database)
    await world.start()
    with_packs(world)
    await loop.settle(world.runtime)


@pytest.mark.parametrize(("failpoint", "kept"), [("command.before_commit", 0), ("command.committed", 1)])
async def test_a_kill_between_a_finding_and_its_position_leaves_both_or_neither(
    either: World, failpoint: str, kept: int
) -> None:
    await either.send(*Matter().known().missed("public_statement", 3).events)
    await either.take()
    await either.take()
    await either.runtime.database.close()
    assert await asyncio.to_thread(judged_until, either.folder, either.database, failpoint) == -signal.SIGKILL
    await either.restart()
    with_packs(either)
    assert len(await either.rows("findings")) == len(await either.rows("judged")) == kept
    await settle(either)
    (one,) = await listed(either)
    assert (one["finding"], one["state"]) == ("late_reply", "stands")
    assert len(await either.rows("findings")) == 1


# reading


async def test_a_unit_sees_findings_against_itself_and_below_and_filters_narrow_them(world: World) -> None:
    await settle(world, Matter().known().missed("public_statement", 3).missed("report_to_town", 1))
    await settle(world, Matter("west").known("town-west").missed("public_statement", 3, "town-west"))
    assert [one["unit"] for one in await listed(world, "town-west")] == ["town-west"]
    assert len(await listed(world, COUNTY)) == 3
    assert len(await listed(world, COUNTY, unit="town-east")) == 2
    assert await kinds(world, unit="city", kind="late_report") == [("late_report", "stands")]
    assert len(await listed(world, incident=id_of("incident", "west"))) == 1
    assert await listed(world, to=(LATER - timedelta(days=1)).isoformat()) == []
    (west,) = await listed(world, "town-west")
    await world.get(f"findings/{west['id']}", "town-west")
    await world.get(f"findings/{west['id']}", "town-east", 403)


async def test_a_list_goes_on_page_by_page_on_one_size(either: World) -> None:
    await settle(either, Matter().known().missed("public_statement", 3).missed("report_to_town", 1))
    whole = await listed(either)
    first = await either.get("findings", limit=1)
    await settle(either, Matter("west").known("town-west").missed("public_statement", 3, "town-west"))
    second = await either.get("findings", limit=1, cursor=first["next"])
    assert [*first["items"], *second["items"]] == whole
    assert (second["next"], second["log_size"]) == (None, first["log_size"])


# deciding


async def omitted(world: World, *, in_data: bool = True) -> str:
    matter = Matter().known().missed("report_to_town", 1)
    matter.add(50, t.IncidentClosed(reason=words("done")), unit=TOWN, actor="chief@town-east")
    if in_data:
        matter.add(51, drafted(matter), unit=COUNTY, actor="auditor@county-roads")
    else:
        by = spec.ctx(spec.staff("auditor", person="worked")).by(matter.id)
        matter.add(51, t.IncidentFollowedUp(text=words("t")), unit=COUNTY, actor="auditor@county-roads", by=by)
    await settle(world, matter)
    (one,) = await listed(world, kind="omitted_report")
    id_: str = one["id"]
    return id_


def drafted(matter: Matter) -> StatementDrafted:
    made: dict[str, Any] = {"incident": matter.id, "unit": TOWN, "number": "town-east-2026-S00001", "kind": "status"}
    digest = spec.ctx(spec.staff("auditor", person="worked")).by(id_of("statement", matter.name))
    return StatementDrafted(**made, title=words("t"), draft=words("d"), by=digest)


@pytest.mark.requirement("AUD-07")
async def test_a_proposal_is_heard_and_then_confirmed_by_a_reviewer_above(either: World) -> None:
    id_ = await omitted(either)
    early = await post(either, f"/{id_}/confirm-finding", {"reason": "成立"}, unit=COUNTY, role="auditor", version=0)
    assert (early.status_code, early.json()["type"]) == (409, "urn:huiying:problem:office-not-heard")
    seen = await either.get(f"findings/{id_}", COUNTY)
    assert (seen["may"], seen["hear_by"] > seen["made_at"]) == ([], True)
    said = await post(either, f"/{id_}/state-view", {"text": "通信中断"}, unit=TOWN, role="chief", version=0)
    assert said.status_code == 200, said.text
    await settle(either)
    seen = await either.get(f"findings/{id_}", COUNTY)
    assert (seen["state"], seen["heard"]["answered"], seen["may"]) == (
        "heard", True, ["confirm-finding", "reject-finding"],
    )  # fmt: skip
    stale = await post(either, f"/{id_}/confirm-finding", {"reason": "成立"}, unit=COUNTY, role="auditor", version=0)
    assert stale.status_code == 412
    done = await post(either, f"/{id_}/confirm-finding", {"reason": "成立"}, unit=COUNTY, role="auditor", version=1)
    assert done.status_code == 200, done.text
    await settle(either)
    seen = await either.get(f"findings/{id_}", COUNTY)
    assert (seen["state"], seen["decided"]["confirms"], seen["decided"]["by"]) == ("upheld", True, "auditor@county")
    assert (seen["heard"]["text"], seen["decided"]["text"]) == ("通信中断", "成立")
    assert await kinds(either, state="upheld") == [("omitted_report", "upheld")]
    timeline = (await either.get(f"incidents/{seen['incident_id']}/timeline"))["items"]
    summaries = [one["summary"] for one in timeline]
    assert summaries[-2:] == [f"{TOWN} stated its view: yes", "county confirmed the finding"]
    assert f"it was proposed to find about {TOWN}: not reported; it is heard until 18 Apr 09:01" in summaries
    assert f"{TOWN}: reported late (report to town)" in summaries


async def test_an_office_that_says_nothing_is_heard_when_its_limit_has_passed(world: World) -> None:
    id_ = await omitted(world)
    world.now += timedelta(days=5, minutes=1)
    await settle(world)
    seen = await world.get(f"findings/{id_}", COUNTY)
    assert (seen["state"], seen["heard"]["answered"]) == ("heard", False)


@pytest.mark.parametrize("in_data", [True, False])
async def test_who_worked_on_the_matter_by_post_or_person_does_not_decide(world: World, in_data: bool) -> None:
    id_ = await omitted(world, in_data=in_data)
    world.now += timedelta(days=5, minutes=1)
    await settle(world)
    world.runtime.keys.digest = spec.ctx().keyed  # type: ignore[method-assign]
    body = {"reason": "成立"}
    by_person = await post(
        world, f"/{id_}/confirm-finding", body, unit=COUNTY, role="auditor", person="worked", version=0
    )
    assert (by_person.status_code, by_person.json()["type"]) == (409, "urn:huiying:problem:handled-by-you")
    other = await post(world, f"/{id_}/reject-finding", body, unit=COUNTY, role="auditor", version=0)
    assert other.status_code == 200, other.text


async def test_a_reviewer_proposes_by_hand_on_the_events_of_a_matter(world: World) -> None:
    matter = Matter().known()
    opened, stranger = matter.events[-1].id, Matter("bridge").known()
    other = stranger.events[-1].id
    taught = PolicyLessonRecorded(
        lesson=1, incident=matter.id, unit=TOWN, pack="p", version="1", text=words("t"), change=words("c")
    )
    lesson = world.event("triage", id_of("policy", "a"), taught, unit=COUNTY)
    report, reach = id_of("report", "again"), i.ReportReachMeasured(clicks=9, measured_at=at(0))
    matter.add(8, t.IncidentReportAttached(report=report, unit=TOWN, discovered_at=at(8)), unit=COUNTY)
    before = matter.add(8, reach, stream=report, unit=TOWN).id
    matter.add(9, t.IncidentReportDetached(report=report), unit=COUNTY)
    after = matter.add(10, reach, stream=report, unit=TOWN).id
    await world.send(lesson)
    await settle(world, matter, stranger)
    behind = [opened, before, lesson.id]
    body = {"incident": matter.id, "unit": TOWN, "finding": "concealed_report", "reason": "不符", "events": behind}
    for stranger_ in (other, after):
        wrong = await post(world, "", {**body, "events": [stranger_]}, unit=COUNTY, role="auditor")
        assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:huiying:problem:events-unknown")
    assert (await post(world, "", body, unit=TOWN, role="auditor")).status_code == 403
    made = await post(world, "", body, unit=COUNTY, role="auditor")
    assert made.status_code == 201, made.text
    await settle(world)
    (one,) = await listed(world)
    assert (one["sign"], one["state"], one["proposed"]["by"]) == ("reviewer", "proposed", "auditor@county")
    assert [each["event"] for each in one["events"]] == behind, "all that its timeline shows"


async def test_nobody_proposes_on_a_matter_that_the_own_unit_may_not_read(world: World) -> None:
    matter = Matter().known("city")
    opened = matter.events[-1].id
    await settle(world, matter)
    body = {"incident": matter.id, "unit": TOWN, "finding": "concealed_report", "reason": "不符", "events": [opened]}
    refused = await post(world, "", body, unit=COUNTY, role="auditor")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:huiying:problem:other-office")


async def test_the_newest_findings_come_first_if_somebody_asks_so(either: World) -> None:
    await settle(either, Matter().known().missed("public_statement", 3).missed("report_to_town", 1))
    whole = [one["id"] for one in await listed(either)]
    assert [one["id"] for one in await listed(either, newest=True)] == whole[::-1]
    first = await either.get("findings", newest=True, limit=1)
    second = await either.get("findings", newest=True, limit=1, cursor=first["next"])
    assert [one["id"] for page in (first, second) for one in page["items"]] == whole[::-1]
    assert second["next"] is None


async def test_a_matter_is_judged_without_reading_what_was_erased_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    matter, others = Matter("bridge").known().clock("public_statement", 30), [Matter(f"x{n}").known() for n in range(5)]
    for one in (matter, *others):
        gone = WordsErased(stream=one.id, refs=(), cause="asked", reason=words("r"), by="3" * 64)
        one.add(1, gone, stream=id_of("words", one.name), unit=COUNTY)
    await settle(world, matter, *others)
    assert await kinds(world) == [("erased_in_limit", "stands")]
    read, known = list[Any](), seen.placed
    monkeypatch.setattr(seen, "placed", lambda *given: read.append(known(*given)) or read[-1])
    async with world.runtime.database.read() as connection:
        offices = await world.runtime.offices(connection)
        record = await seen.record(connection, matter.id, 1000, LATER, offices)
    assert [one.data.stream for one in record.of(WordsErased)] == [matter.id]
    assert [one.data.stream for one in read if isinstance(one.data, WordsErased)] == [matter.id]


# any order of deliveries

TOPICS = ("ingest.report", "triage.incident", "escalation.clock", "publish.statement", "escalation.roster")


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=st.lists(st.permutations(TOPICS), min_size=2, max_size=2), turns=st.lists(st.booleans(), max_size=3))
async def test_any_order_of_deliveries_gives_the_same_findings(
    tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[str, ...]], turns: list[bool]
) -> None:
    found = []
    for order in orders:
        world = World(tmp_path_factory.mktemp("order"))
        await world.start()
        await world.units()
        with_packs(world)
        found.append(await found_in(world, order, turns))
        await world.stop()
    assert found[0] == found[1]
    assert {one[1] for one in found[0]} >= {"late_report", "perfunctory_answer"}


async def found_in(world: World, order: tuple[str, ...], turns: list[bool]) -> list[Any]:
    """The findings after each topic was taken in by itself; the loop takes a turn in between, or not."""
    matter = Matter().known().missed("report_to_town", 1).missed("public_statement", 3)
    matter.add(5, e.ClockBreachAnnulled(clock="public_statement", cause="recorded_in_time"))
    matter.published(20, TEXT)
    other = Matter("bridge").known().published(10, TEXT)
    await world.send(*matter.events, *other.events)
    for topic, judges in zip(order, [*turns, False, False, False, False, False], strict=False):
        await take_one(world, topic)
        if judges:
            await loop.turn(world.runtime, loop.Horizon())
    await settle(world)
    return [row[:5] for row in await world.rows("findings", "finding_id", "kind", "unit", "stage", "record")]


async def take_one(world: World, topic: str) -> None:
    for partition, end in (await world.log.ends([topic])).items():
        offset = (await world.work.offsets([partition]))[partition]
        async for records in world.log.read(partition, offset, end):
            await world.work.handle(records)
