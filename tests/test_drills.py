"""Drills on the embedded system in moved time: an office that does all right, and one that does much wrong."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from sqlalchemy import select

from schemas.envelope import Event
from schemas.fields import parse_instant
from schemas.scenario import Expected, Scenario
from services.apps import drills, embedded
from services.apps.drills import Lead
from services.apps.embedded import Embedded
from services.audit.views import TIMELINE
from services.demo.desk import Failed, Incident, Officers, Stage, Statement
from services.escalation.clock import timers
from services.kernel.core.time_source import TimeSource
from services.kernel.settings import Settings
from tests.kit import spec

BEGINS = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POOR = "school-meal-rumour"


@dataclass
class Office:
    """The posts of an office that rehearses. They know the scenario, and act on each inject five minutes later."""

    lead: Lead
    officers: Officers
    stage: Stage
    drill: str
    scenario: Scenario
    told: Any
    matters: dict[str, Incident] = field(default_factory=dict)
    published: list[Statement] = field(default_factory=list)

    @property
    def places(self) -> dict[str, str]:
        return {one["part"]: one["unit"] for one in self.told["places"]}

    async def at(self, inject: str, minutes: float) -> None:
        """Waits until so many minutes after an inject, and looks at what it made."""
        began = parse_instant(self.told["begun_at"])
        await self.stage.until(_together(began + self.scenario.inject(inject).at + minutes * MINUTE))
        for one in (await self.lead.read(self.drill))["injects"]:
            if one["incident_id"] and one["inject"] not in self.matters:
                id_, unit = one["incident_id"], self.places["office"]
                same = next((known for known in self.matters.values() if known.id == id_), None)
                shown = await self.officers.ask(unit, "auditor", "GET", f"/triage/v1/incidents/{id_}")
                self.matters[one["inject"]] = same or Incident(id_, shown["unit"], shown["subject"], shown["version"])

    async def decide(self, of: str, role: str, verb: str, body: Any = None, by: str = "") -> None:
        """A post decides on the newest version of a matter, again if a leader gives an instruction meanwhile."""
        matter = self.matters[of]
        path = f"/triage/v1/incidents/{matter.id}"
        for more in (True, True, False):
            matter.version = (await self.officers.ask("city", "auditor", "GET", path))["version"]
            try:
                await self.officers.decide(matter, role, verb, body, by or matter.unit)
                return
            except Failed as failed:
                if not more or ": 412 " not in str(failed):
                    raise

    async def publish(self, of: str, kind: str, text: str, *approving: str) -> None:
        """Drafted, approved by these posts, published."""
        matter = self.matters[of]
        facts = ("inspected",) if kind == "facts" else ()
        statement = await self.officers.draft(matter, kind, text, *facts)
        await self.officers.handle(matter, statement, "handler", "submit")
        for role in approving:
            await self.officers.handle(matter, statement, role, "approve")
        await self.officers.handle(matter, statement, "spokesperson", "publish")
        self.published.append(statement)

    async def verify(self, of: str) -> None:
        fact = {"key": "inspected", "kind": "yes_no", "value": True, "source": "现场查看记录"}
        by = self.places["above"]
        await self.decide(of, "verifier", "establish-fact", fact, by)
        body = {"outcome": "confirmed", "text": "经核实属实"}
        await self.decide(of, "verifier", "conclude-verification", body, by)

    async def report(self, of: str, **to: str) -> None:
        """Reports upward wherever the rules ask, or where it is told."""
        path, unit = f"/escalation/v1/incidents/{self.matters[of].id}/report-upward", self.places["office"]
        for _ in range(1 if to else 4):
            await self.officers.ask(unit, "duty_officer", "POST", path, {"text": "情况正在核实", **to})
        receipt = f"/escalation/v1/incidents/{self.matters[of].id}/receipt"
        for by, role in ((self.places["above"], "duty_officer"), (unit, "approver"), (unit, "chief")) if not to else ():
            await self.officers.ask(by, role, "POST", receipt, {})

    async def well(self) -> None:
        """All that the scenario expects, in its order."""
        office = self.places["office"]
        for number, one in enumerate(self.scenario.expected):
            await self.at(one.after, 5 * (1 + min(number, 4)))
            await self.do(one, office)

    async def do(self, one: Expected, office: str) -> None:
        match one.act:
            case "incident.graded":
                await self.decide("first", "duty_officer", "grade", {"level": one.level, "reason": "影响较大"})
            case "incident.assigned":
                to = self.places[one.to or ""]
                await self.decide("first", "duty_officer", "assign", {"unit": to, "reason": "职责分工"})
                await self.decide("first", "handler", "accept", by=to)
            case "incident.help_requested":
                body = {"unit": self.places[one.to or ""], "text": "请封控道路"}
                await self.decide("first", "duty_officer", "request-help", body)
            case "incident.merged":
                into = {"into": self.matters["first"].id, "reason": "同一事项"}
                await self.decide(one.after, "chief", "merge", into, by=office)
            case "incident.verification_concluded":
                await self.verify("first")
            case "clock.reported_upward":
                await self.report("first")
            case "statement.published":
                kind = "facts" if any(each.code == "verified" for each in self.scenario.expected) else "status"
                text = f"已接到反映，正在处理，进展及时公布（{one.title}）。"
                await self.publish("first", kind, text, "approver", "chief")
            case "statement.corrected":
                body = {"text": "已核对依据，现予更正，原文保留。", "reason": "原文有误"}
                await self.officers.handle(self.matters["first"], self.published[0], "spokesperson", "correct", body)

    async def poorly(self) -> None:
        """Another level, another section, another addressee, an approval less, too late, and two texts."""
        office, beside = self.places["office"], self.places["education"]
        await self.at("first", 35)
        await self.decide("first", "duty_officer", "grade", {"level": "major", "reason": "影响较大"})
        await self.decide("first", "duty_officer", "assign", {"unit": office, "reason": "自己办"})
        await self.decide("first", "handler", "accept", by=office)
        await self.at("first", 40)
        await self.report("first", to="leader_in_charge")
        await self.at("parents", 10)
        await self.decide("parents", "duty_officer", "grade", {"level": "general", "reason": "一般"}, by=beside)
        await self.at("parents", 15)
        await self.publish("parents", "status", "教育科已到校检查，食堂没有问题。", "approver")
        await self.at("first", 125)
        await self.verify("first")
        await self.decide("first", "duty_officer", "grade", {"level": "general", "reason": "降为一般，少走一道审定"})
        await self.at("first", 130)
        await self.publish("first", "facts", "经核实，反映的情况属实，正在处理。", "approver")


@dataclass
class World:
    system: Embedded
    client: httpx.AsyncClient
    lead: Lead
    officers: Officers
    told: dict[str, Any]
    """Scenario, or `poor` -> the drill after its end."""


def _together(when: datetime) -> datetime:
    """The next whole five minutes, so that all drills do at one instant what is due in it."""
    return BEGINS + -((BEGINS - when) // (5 * MINUTE)) * 5 * MINUTE


async def _settled(system: Embedded, when: datetime) -> None:
    await system.settle()
    clock = system.time_source
    clock.move(max(when - clock.now(), timedelta()))
    await timers.settle(system.runtimes["escalation"])
    await system.settle()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    settings, clock = Settings(data=tmp_path_factory.mktemp("drills"), policies=spec.POLICIES), TimeSource()
    clock.move(BEGINS - clock.now())
    async with embedded.running(settings, clock) as system, system.client() as client:
        stage = Stage(BEGINS + timedelta(hours=7))
        clients = dict.fromkeys(("ingest", "triage", "audit"), client)

        async def until(when: datetime) -> None:
            await stage.until(_together(when))

        def lead() -> Lead:
            return Lead("city", clients, system.token, clock.now, until, lambda _: None)

        officers = Officers(client, lambda unit, *roles: system.token(unit, *roles, person=f"{roles[0]} of {unit}"))
        told = dict[str, Any]()
        shipped = drills.all_of(settings)
        for name, one in [*shipped.items(), ("poor", shipped[POOR])]:
            of = lead()
            drill = await of.begin(one, seed=7)
            await system.settle()
            office = Office(of, officers, stage, drill, one.model, await of.read(drill))
            stage.begin(_led(of, drill, name, told))
            stage.begin(office.poorly() if name == "poor" else office.well())
        await stage.play(lambda when: _settled(system, when))
        yield World(system, client, lead(), officers, told)


class Broken(Exception):
    """The command ends in the middle of a drill."""


async def _led(lead: Lead, drill: str, name: str, told: dict[str, Any]) -> None:
    if name == "power-cut":
        with pytest.raises(Broken):
            await replace(lead, say=_breaks_at("more"), _keys={}).go_on(drill)
    told[name] = await lead.go_on(drill)


def _breaks_at(inject: str) -> Callable[[str], None]:
    def say(line: str) -> None:
        if line.startswith(f"{inject}:"):
            raise Broken

    return say


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_an_office_that_does_all_that_is_expected_meets_all(world: World) -> None:
    for name, told in world.told.items():
        if name != "poor":
            wrong = [(mark["what"], mark["outcome"], mark["due"]) for mark in told["marks"] if mark["outcome"] != "met"]
            assert wrong == [], name
            assert {mark["criterion"] for mark in told["marks"]} >= {"limits", "approval", "one_text"}
            assert all(mark["events"] for mark in told["marks"])
            assert (told["state"], told["cause"]) == ("scored", "finished")


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_each_fault_of_another_office_is_found(world: World) -> None:
    told = world.told["poor"]
    office = told["places"][0]["unit"]
    own = {mark["what"]: mark["outcome"] for mark in told["marks"] if mark["unit"] == office}
    assert own | {
        "graded": "late", "assigned": "wrong", "upward": "wrong", "merged": "missed",
        "told": "wrong",
    } == own  # fmt: skip
    others = {mark["what"]: mark["outcome"] for mark in told["marks"] if mark["unit"] == f"{office}-education"}
    assert others["one_text"] == "wrong" or own["one_text"] == "wrong"
    (verified,) = [mark for mark in told["marks"] if mark["what"] == "verified"]
    assert (verified["unit"], verified["outcome"]) == (f"{office}-above", "late")


@pytest.mark.requirement("DRL-02")
@pytest.mark.asyncio(loop_scope="module")
async def test_nothing_of_a_drill_is_outside_or_counted_and_all_of_it_is_marked(world: World) -> None:
    async with world.system.runtimes["audit"].database.read() as connection:
        raw = (await connection.execute(select(TIMELINE.c.bytes).order_by(TIMELINE.c.position))).scalars().all()
    events = [event for event in map(Event.parse, raw) if event.kind not in ("unit", "policy", "words", "training")]
    of_none = {"operation.", "roster.", "post."}
    real = {event.type for event in events if not event.drill and not any(kind in event.type for kind in of_none)}
    assert len(events) > 400 and real == set()
    assert (await world.client.get("/bulletin/feed.json")).json()["items"] == []
    counted = await world.officers.ask("city", "auditor", "GET", "/audit/v1/statistics?unit=city")
    assert not [name for name, cell in counted["whole"].items() if cell["value"]]
    path = "/escalation/v1/outgoing-notices?unit=city&limit=500"
    notices = (await world.officers.ask("city", "admin", "GET", path))["items"]
    assert all(one["drill"] for one in notices if one["incident_id"]) and not any(one["deliveries"] for one in notices)


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_score_is_repeated_compared_and_shown(world: World) -> None:
    poor = world.told["poor"]
    again = await world.lead.go_on(poor["id"])
    assert again["marks"] == poor["marks"] and again["injects"] == poor["injects"]
    shown = "\n".join(drills.table(again))
    assert "wrong   drill-7" in shown and "limits of the pack" in shown
    assert orjson.loads(drills.as_json(again))["totals"] == poor["totals"]
    listed = await world.officers.pages("city", "/audit/v1/drills", scenario=POOR)
    assert [one["totals"] for one in listed] == [world.told[POOR]["totals"], poor["totals"]]
    assert listed[0]["digest"] == listed[1]["digest"]
    assert await world.officers.pages("town-east", "/audit/v1/drills") == []
    await world.officers.ask("town-east", "auditor", "GET", f"/audit/v1/drills/{poor['id']}", refused=403)


@pytest.mark.requirement("DRL-03")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_drill_trains_the_posts_that_acted_once_and_lectures_are_recorded(world: World) -> None:
    ask = world.officers.ask
    given = {"unit": "city", "kind": "lecture", "title": "信息发布讲座", "on": "2026-03-01", "minutes": 90}
    posts = {"posts": ["spokesperson@city", "chief@county"]}
    made = await ask("city", "chief", "POST", "/audit/v1/trainings", given | posts)
    wrong = await ask("city", "chief", "POST", "/audit/v1/trainings", given | posts | {"minutes": 900})
    path = f"/audit/v1/trainings/{wrong['id']}/withdraw-training"
    await ask("city", "chief", "POST", path, {"reason": "时长写错"}, version=1)
    await world.system.settle()
    year = await ask("city", "auditor", "GET", "/audit/v1/trainings/posts?unit=city&year=2026")
    of = {one["post"]: one for one in year["items"]}
    assert (of["spokesperson@city"]["times"], of["chief@city"]["times"], of["admin@city"]["times"]) == (8, 6, 0), (
        "no chief acts in the poor one"
    )
    assert of["admin@city"]["last_on"] is None and of["chief@city"]["last_on"] is not None
    county = await ask("county", "auditor", "GET", "/audit/v1/trainings/posts?unit=county&year=2026")
    assert next(one for one in county["items"] if one["post"] == "chief@county")["minutes"] == 90
    items = await world.officers.pages("city", "/audit/v1/trainings", year="2026")
    # Audit takes two streams in either order.
    told = {one["id"]: one for one in items}
    assert told[wrong["id"]]["withdrawn"] and told[wrong["id"]]["reason"] == "时长写错"
    assert told[made["id"]]["title"] == "信息发布讲座"
    assert sum(one["drill"] is not None for one in items) == 7


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_another_unit_leads_a_drill_too(world: World) -> None:
    async def until(when: datetime) -> None:
        await _settled(world.system, when)

    lead = replace(world.lead, unit="county", until=until, _keys={})
    drill = await lead.begin(drills.all_of(world.system.settings)[POOR], seed=1, speed=1000)
    told = await lead.go_on(drill)
    assert told["totals"]["missed"] and not told["totals"]["met"], "nobody acted"
    assert all(one["sent_at"] for one in told["injects"])
