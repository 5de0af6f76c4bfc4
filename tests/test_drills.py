"""Drills on the embedded system in moved time: an office that does all right, and one that does much wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from schemas.fields import parse_instant
from schemas.scenario import Expected, Scenario
from services.apps import drills, embedded, operate
from services.apps.drills import Lead
from services.apps.embedded import Embedded
from services.demo.desk import Failed, Incident, Officers, Stage, Statement
from services.escalation.clock import timers
from services.kernel.core.time_source import TimeSource
from services.kernel.rules.scenarios import parse_scenario
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
        """A post decides on the newest version of a matter."""
        matter = self.matters[of]
        path = f"/triage/v1/incidents/{matter.id}"
        matter.version = (await self.officers.ask("city", "auditor", "GET", path))["version"]
        await self.officers.decide(matter, role, verb, body, by or matter.unit)

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

    async def well(self) -> None:
        """All that the scenario expects, in its order."""
        office = self.places["office"]
        for number, one in enumerate(self.scenario.expected):
            await self.at(one.after, 5 + number // 4)
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
        await self.report("first", to="leader_in_charge")
        await self.at("parents", 10)
        await self.decide("parents", "duty_officer", "grade", {"level": "general", "reason": "一般"}, by=beside)
        await self.publish("parents", "status", "教育科已到校检查，食堂没有问题。", "approver")
        await self.at("first", 125)
        await self.verify("first")
        await self.decide("first", "duty_officer", "grade", {"level": "general", "reason": "降为一般，少走一道审定"})
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

        lead = Lead("city", clients, system.token, clock.now, until, lambda _: None)
        officers = Officers(client, lambda unit, *roles: system.token(unit, *roles, person=f"{roles[0]} of {unit}"))
        told = dict[str, Any]()
        shipped = drills.all_of(settings)
        for name, one in [*shipped.items(), ("poor", shipped[POOR])]:
            drill = await lead.begin(one, seed=7)
            await system.settle()
            office = Office(lead, officers, stage, drill, one.model, await lead.read(drill))
            stage.begin(_led(lead, drill, name, told))
            stage.begin(office.poorly() if name == "poor" else office.well())
        await stage.play(lambda when: _settled(system, when))
        yield World(system, client, lead, officers, told)


async def _led(lead: Lead, drill: str, name: str, told: dict[str, Any]) -> None:
    told[name] = await lead.go_on(drill)


@pytest.mark.requirement("DRL-01")
@pytest.mark.asyncio(loop_scope="module")
async def test_an_office_that_does_all_that_is_expected_meets_all(world: World) -> None:
    for name, told in world.told.items():
        if name != "poor":
            wrong = [(mark["what"], mark["outcome"]) for mark in told["marks"] if mark["outcome"] != "met"]
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
