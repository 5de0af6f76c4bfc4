"""Drills on the embedded system in moved time: an office that does all right, and one that does much wrong."""

from collections.abc import AsyncIterator, Awaitable, Callable
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
from services.apps.client import Refused
from services.apps.drills import Lead
from services.apps.embedded import Embedded
from services.audit.views import TIMELINE
from services.demo.desk import Failed, Incident, Officers, Stage, Statement
from services.escalation import gauges
from services.escalation.clock import timers
from services.escalation.views import CLOCKS, MISSED
from services.kernel import metrics
from services.kernel.core.time_source import TimeSource
from services.kernel.settings import Settings
from tests.kit import spec

BEGINS = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POOR = "school-meal-rumour"
TRIAGE = "/triage/v1/incidents"
REFUSAL = {"reason": "内容无法核实"}


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
            return Lead("city", clients, system.token, clock.now, until, lambda _: None, trained="city")

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


class Cut(Lead):
    """Is killed after it has sent a reach or an instruction, before it notes that."""

    async def _act(self, drill: str, verb: str, body: Any) -> None:
        if body.get("inject") in ("spread", "leader") and body["inject"] not in CUT:
            CUT.append(body["inject"])
            raise Broken
        await super()._act(drill, verb, body)


CUT: list[str] = []


async def _led(lead: Lead, drill: str, name: str, told: dict[str, Any]) -> None:
    if name == "burst-main":
        for _ in range(2):
            with pytest.raises(Broken):
                await Cut(lead.unit, lead.clients, lead.token, lead.now, lead.until, lead.say).go_on(drill)
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
    runtime = world.system.runtimes["escalation"]
    async with runtime.database.read() as connection:
        missed = (await connection.execute(select(CLOCKS.c.drill).where(MISSED))).scalars().all()
        figures = await gauges.read(runtime, connection)
    assert missed and all(missed), "what an exercise missed is no limit of the operator's"
    assert figures[metrics.OVERDUE.labels("escalation")] == figures[metrics.OVERDUE_OLDEST.labels("escalation")] == 0


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_each_inject_is_sent_once_also_by_a_command_that_is_killed_before_it_notes_that(world: World) -> None:
    (told,) = [one for name, one in world.told.items() if name == "burst-main"]
    assert CUT == ["spread", "leader"]
    (matter,) = {one["incident_id"] for one in told["injects"] if one["inject"] == "leader"}
    path = f"/audit/v1/incidents/{matter}/timeline"
    types = [one["event"]["type"] for one in await world.officers.pages("city", path)]
    assert [types.count(f"huiying.{one}.v1") for one in ("incident.instruction_given", "report.reach_measured")] == [
        1,
        1,
    ]
    keys = (await world.officers.ask("city", "admin", "GET", "/ingest/v1/keys?limit=200"))["items"]
    assert keys and all(one["revoked_at"] for one in keys), "a command that ends takes its keys with it"


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


async def _by_the_county(world: World, meanwhile: Callable[[Lead, Any], Awaitable[None]], scenario: str) -> Any:
    """A drill that the county leads. Before its last inject something happens `meanwhile`."""
    of: dict[str, Any] = {}

    async def until(when: datetime) -> None:
        await _settled(world.system, when)
        told = await of["lead"].read(of["drill"])
        if told["state"] == "running" and sum(not one["sent_at"] for one in told["injects"]) == 1:
            await meanwhile(of["lead"], told)
            await world.system.settle()

    of["lead"] = replace(world.lead, unit="county", until=until, trained=None, _keys={})
    of["drill"] = await of["lead"].begin(drills.all_of(world.system.settings)[scenario], seed=1, speed=1000)
    return await of["lead"].go_on(of["drill"])


def _injects(told: Any) -> dict[str, Any]:
    return {one["inject"]: one for one in told["injects"]}


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_another_unit_leads_a_drill_too_with_offices_that_rehearse_nothing_else(world: World) -> None:
    async def meanwhile(lead: Lead, told: Any) -> None:
        office = told["places"][0]["unit"]
        with pytest.raises(Refused, match=f"{office} rehearses in {told['id']} already"):
            await lead.begin(drills.all_of(world.system.settings)[POOR], seed=1, office=office)
        path = f"/audit/v1/drills/{told['id']}"
        seen = await world.officers.ask("county", "duty_officer", "GET", path)
        assert seen["canonical"] is None and all(one["sent_at"] for one in seen["injects"]), (
            "the rest comes by surprise"
        )

    before = await world.officers.pages("county", "/audit/v1/trainings")
    told = await _by_the_county(world, meanwhile, POOR)
    assert told["totals"]["missed"] and not told["totals"]["met"], "nobody acted"
    assert all(one["sent_at"] for one in told["injects"])
    seen = await world.officers.ask("county", "duty_officer", "GET", f"/audit/v1/drills/{told['id']}")
    assert seen["canonical"] == told["canonical"]
    assert await world.officers.pages("county", "/audit/v1/trainings") == before, "nobody said who was trained"


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_an_instruction_follows_its_matter_and_none_is_given_where_that_has_ended(world: World) -> None:
    ask = world.officers.ask

    async def merge(lead: Lead, told: Any) -> None:
        first, more = (_injects(told)[name]["incident_id"] for name in ("first", "more"))
        office, version = (
            told["places"][0]["unit"],
            (await ask("city", "auditor", "GET", f"{TRIAGE}/{first}"))["version"],
        )
        await ask(office, "chief", "POST", f"{TRIAGE}/{first}/merge", {"into": more, "reason": "同一事项"}, version)

    async def dismiss(lead: Lead, told: Any) -> None:
        report, office = _injects(told)["first"]["report_id"], told["places"][0]["unit"]
        version = (await ask(office, "duty_officer", "GET", f"/ingest/v1/reports/{report}"))["version"]
        await ask(office, "duty_officer", "POST", f"/ingest/v1/reports/{report}/refuse", REFUSAL, version)
        await world.system.settle()
        first = _injects(told)["first"]["incident_id"]
        version = (await ask("city", "auditor", "GET", f"{TRIAGE}/{first}"))["version"]
        review = {"upheld": True, "reason": "情况属实"}
        await ask(office, "approver", "POST", f"{TRIAGE}/{first}/review-screening", review, version)

    told = await _by_the_county(world, merge, "burst-main")
    assert told["state"] == "scored"
    injects = _injects(told)
    assert injects["leader"]["incident_id"] == injects["more"]["incident_id"] and injects["leader"]["delivered"]
    told = await _by_the_county(world, dismiss, "burst-main")
    assert (told["state"], _injects(told)["leader"]["delivered"]) == ("scored", False)
    assert "progress" not in {mark["what"] for mark in told["marks"]}, "nothing is owed after it"


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_a_drill_that_somebody_else_ended_sends_nothing_more(world: World) -> None:
    async def end(lead: Lead, told: Any) -> None:
        await replace(lead, _keys={}).end(told["id"], "来了真的险情")

    told = await _by_the_county(world, end, "burst-main")
    assert (told["state"], told["cause"], _injects(told)["leader"]["sent_at"]) == ("scored", "stopped", None)
    matter = _injects(told)["first"]["incident_id"]
    types = [
        one["event"]["type"] for one in await world.officers.pages("city", f"/audit/v1/incidents/{matter}/timeline")
    ]
    assert "huiying.incident.instruction_given.v1" not in types


@pytest.mark.requirement("DRL-03")
@pytest.mark.asyncio(loop_scope="module")
async def test_the_record_says_when_a_drill_trained_and_it_trains_once(world: World) -> None:
    told = world.told[POOR]
    (made,) = [one for one in await world.officers.pages("city", "/audit/v1/trainings") if one["drill"] == told["id"]]
    assert (made["on"], made["minutes"]) == (
        "2026-03-02",
        round((parse_instant(told["ended_at"]) - parse_instant(told["begun_at"])) / MINUTE),
    )
    body = {"unit": "city", "kind": "drill", "title": "演练", "posts": made["posts"], "drill": told["id"]}
    ask = world.officers.ask
    again = await ask("city", "chief", "POST", "/audit/v1/trainings", body, refused=409)
    assert again["type"].endswith("training-recorded")
    unknown = body | {"drill": f"drill-{spec.UUID}"}
    assert (
        "there is no drill"
        in (await ask("city", "chief", "POST", "/audit/v1/trainings", unknown, refused=422))["detail"]
    )
    await ask("city", "chief", "POST", "/audit/v1/trainings", {**body, "drill": None}, refused=422)
