"""How a drill is led: its offices are placed, its injects are sent through the public APIs, and it is scored.

Nothing is kept here. The record says which injects were sent, so that another run goes on where one was broken off.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from schemas.fields import instant, parse_instant
from schemas.scenario import ABOVE, OFFICE, InstructionInject, ReachInject, ReportInject, Scenario
from services.apps import access
from services.apps.client import Refused, api, ask, pages
from services.apps.folder import folder_owner
from services.kernel.core.time_source import TimeSource
from services.kernel.core.units import Offices
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.scenarios import (
    LoadedScenario,
    chosen,
    filled,
    load_scenario,
    parse_scenario,
    scenarios,
)
from services.kernel.settings import Settings

KINDS = {"city": ("county", "town"), "county": ("town", "department"), "town": (None, "department")}
"""Kind of the unit that leads -> kinds of the unit above the office that rehearses, and of this office.

Of a grave matter the unit above takes the lead, and no matter goes from an office for exercises to another one. So it
is one, too. Only below a town there is no room for it.
"""
NAME = "演练上级单位"
PATIENCE = 60.0
"""Seconds for which a step waits until the services know what the step before did."""
KEY = "drill"
"""The name of the keys of drills. Each unit that leads has an integration of this name, with a source of its own."""
REASON = "演练"
ENDED = ("closed", "dismissed")
"""States of a matter on which nobody gives an instruction any more."""
FINAL = frozenset({"office-rehearses"})
"""Codes of refusals that no waiting changes."""
TRIES = 6
Say = Callable[[str], None]
Token = Callable[[str, str], str]
"""Unit and role -> a token for the unit's post with this role."""
Clients = Mapping[str, httpx.AsyncClient]
DRILLS = "/audit/v1/drills"


def find(settings: Settings, named: str) -> LoadedScenario:
    """The scenario of this id in the policy folder, or of a file. Raises `Refused`."""
    try:
        if named.endswith((".yaml", ".yml")):
            return load_scenario(Path(named))
        known = scenarios(settings.policies)
    except (DocumentError, OSError) as error:
        raise Refused(str(error)) from None
    if named not in known:
        raise Refused(f"no scenario {named!r}; there are {', '.join(known)}, or name a file")
    return known[named]


def all_of(settings: Settings) -> Mapping[str, LoadedScenario]:
    """The scenarios of the policy folder. Raises `Refused`."""
    try:
        return scenarios(settings.policies)
    except (DocumentError, OSError) as error:
        raise Refused(str(error)) from None


@dataclass
class Lead:
    """Leads drills of one unit."""

    unit: str
    clients: Clients
    token: Token
    now: Callable[[], datetime]
    until: Callable[[datetime], Awaitable[None]]
    """Waits for an instant."""
    say: Say
    trained: str | None = None
    """The unit whose staff rehearse. Their training is recorded; without a unit, none is."""
    patience: float = PATIENCE
    _keys: dict[str, str] = field(default_factory=dict)

    async def begin(self, scenario: LoadedScenario, seed: int, speed: int = 1, office: str | None = None) -> str:
        """Places the offices for exercises, or takes the one that is named, and begins. Returns the drill's id."""
        places = await self._places(scenario.model, office)
        body = {"unit": self.unit, "scenario": scenario.canonical, "places": places, "seed": seed, "speed": speed}
        made = await self._patiently(lambda: self.ask("audit", "POST", DRILLS, json=body))
        for part, unit in places.items():
            self.say(f"{part} is {unit}")
        return str(made["id"])

    async def go_on(self, drill: str) -> Any:
        """Sends each inject that was not sent when its time has come, ends the drill, and returns its score.

        It stops when somebody else has ended the drill. The keys that it made are revoked, however it ends.
        """
        try:
            told = await self._whole(drill)
            scenario = parse_scenario(told["canonical"]).model
            values, began, speed = chosen(scenario, told["seed"]), parse_instant(told["begun_at"]), told["speed"]
            places = {one["part"]: one["unit"] for one in told["places"]}
            sent = {one["inject"]: one for one in told["injects"] if one["sent_at"]}
            left = [one for one in scenario.injects if one.code not in sent]
            for inject in sorted(left, key=lambda one: (one.at, one.code)):
                if await self._is_over(drill, at := began + inject.at / speed):
                    break
                sent[inject.code] = await self._send(drill, filled(inject, values), at, places, sent)
            if not await self._is_over(drill, began + scenario.lasts / speed):
                await self.end(drill)
        finally:
            await self._revoke()
        return await self.score(drill)

    async def end(self, drill: str, reason: str | None = None) -> None:
        """Ends it; with a reason, before its time."""
        cause = {"cause": "stopped", "reason": reason} if reason else {"cause": "finished"}
        await self._act(drill, "end-drill", cause)
        self.say("the drill has ended")

    async def score(self, drill: str) -> Any:
        """Scores it, once audit has all that was done by the end, and records what it trained."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + self.patience
        told = await self.read(drill)
        while (told["complete_until"] or "") < (told["ended_at"] or "~") and loop.time() < limit:
            await asyncio.sleep(0.2)
            told = await self.read(drill)
        if (told["complete_until"] or "") < told["ended_at"]:
            raise Refused(
                f"the record is not complete until {told['ended_at']} yet; `huiying drill go-on` scores it later"
            )
        await self._act(drill, "judge-drill", {})
        told = await self._patiently(lambda: self.read(drill), lambda found: found["state"] == "scored")
        if self.trained is not None:
            await self._train(told)
        return told

    async def _whole(self, drill: str) -> Any:
        return await self._patiently(lambda: self.read(drill), _is_whole)

    async def _is_over(self, drill: str, at: datetime) -> bool:
        """Waits until an instant; then, whether the drill was ended. Others may end it while the command waits."""
        if (await self._whole(drill))["state"] != "running":
            return True
        await self.until(at)
        return bool((await self._whole(drill))["state"] != "running")

    async def _revoke(self) -> None:
        keys, self._keys = self._keys, {}
        for id_ in keys:
            try:
                await self.ask("ingest", "POST", f"/ingest/v1/keys/{id_}/revoke")
            except Refused as refused:
                self.say(f"the key {id_} of the drill is still valid; revoke it on the page Integrations: {refused}")

    async def read(self, drill: str) -> Any:
        """The drill, as audit shows it."""
        return await self.ask("audit", "GET", f"{DRILLS}/{drill}")

    async def ask(self, service: str, method: str, path: str, role: str = "admin", **request: Any) -> Any:
        """The answer to a post of the unit that leads. Raises `Refused`."""
        return await ask(self.clients[service], method, path, self.token(self.unit, role), **request)

    async def _places(self, scenario: Scenario, office: str | None) -> dict[str, str]:
        known = await self.ask("triage", "GET", "/triage/v1/units")
        units = {one["unit"]: one for one in known["items"]}
        own = units.get(self.unit)
        if own is None:
            raise Refused(f"no unit has the code {self.unit!r}")
        if own["kind"] not in KINDS:
            raise Refused(f"below {self.unit} there can be no office; let the unit above lead the drill")
        above_kind, kind = KINDS[own["kind"]]
        if office is None:
            codes = [*units, *(one["unit"] for one in known["former"])]
            office = f"drill-{1 + max((int(n) for code in codes if (n := _number(code))), default=0)}"
            above = f"{office}-{ABOVE}" if above_kind else None
            if above is not None and above_kind is not None:
                await self._place(above, above_kind, NAME, self.unit)
            await self._place(office, kind, scenario.office, above or self.unit)
        elif office in units and units[office]["drill"]:
            parent, kind = units[office]["parent"], units[office]["kind"]
            above = parent if units[parent]["drill"] else None
        else:
            raise Refused(f"{office} is no office for exercises; leave out --office, and one is placed")
        places = {OFFICE: office, **({ABOVE: above} if above else {})}
        for one in scenario.departments:
            places[one.code] = f"{office}-{one.code.replace('_', '-')}"
            if places[one.code] not in units:
                beside = above or self.unit
                await self._place(places[one.code], "department", one.name, beside if kind == "department" else office)
        return places

    async def _place(self, code: str, kind: str, name: str, parent: str) -> None:
        placed = {"unit": code, "kind": kind, "name": name, "parent": parent, "drill": True}
        body = {**placed, "posts_of": self.unit, "reason": REASON}
        await self.ask("triage", "POST", "/triage/v1/units/place-unit", json=body)

    async def _send(
        self, drill: str, inject: Any, at: datetime, places: Mapping[str, str], sent: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Sends an inject and notes it. A repetition makes nothing twice: each has one key, and the same body."""
        key, report, delivered = (
            f"{drill}:{inject.code}",
            sent.get(getattr(inject, "about", ""), {}).get("report_id"),
            True,
        )
        match inject:
            case ReportInject():
                report = await self._report(key, inject, places[inject.to])
                matter = await self._matter(report)
            case ReachInject():
                counts = inject.model_dump(include={"clicks", "comments", "mainstream_sites", "shares"})
                body = {name: count for name, count in counts.items() if count is not None}
                body["measured_at"] = instant(at)
                path = f"/ingest/v1/reports/{report}/reach"
                await self._by_key("POST", path, json=body, headers={"Idempotency-Key": key})
                matter = await self._matter(report)
            case InstructionInject():
                matter, delivered = await self._instruct(key, inject.text, report)
        of = None if isinstance(inject, InstructionInject) else report
        noted = {"inject": inject.code, "report": of, "incident": matter["id"], "delivered": delivered}
        await self._act(drill, "note-inject", noted)
        what = getattr(inject, "subject", None) or getattr(inject, "text", inject.kind)
        self.say(f"{inject.code}: {what}" if delivered else f"{inject.code}: not sent, {matter['number']} has ended")
        return {"report_id": of, "incident_id": matter["id"]}

    async def _report(self, key: str, inject: ReportInject, unit: str) -> str:
        said = inject.model_dump(include={"channel", "subject", "text", "place"}, exclude_none=True)
        named = {"unit": unit, "source": f"{KEY}-{self.unit}", "external_id": key}
        body = {**said, **named, "discovered_at": instant(self.now())}
        made = await self._patiently(lambda: self._by_key("POST", "/ingest/v1/reports", json=body))
        return str(made["report_id"])

    async def _matter(self, report: str | None) -> Any:
        """The matter to which a report belongs now, also after its own was merged or split."""
        query = {"report_id": report}
        found = await self._patiently(
            lambda: self.ask("triage", "GET", "/triage/v1/incidents", params=query), lambda answer: answer["items"]
        )
        return found["items"][0]

    async def _instruct(self, key: str, text: str, report: str | None) -> tuple[Any, bool]:
        """Gives an instruction on the matter of a report. Returns the matter, and False if it had ended before."""
        for left in reversed(range(TRIES)):  # others decide on the matter meanwhile
            matter = await self._matter(report)
            if matter["state"] in ENDED:
                return matter, False
            headers = {"If-Match": str(matter["version"]), "Idempotency-Key": key}
            path = f"/triage/v1/incidents/{matter['id']}/instruct"
            try:
                await self.ask("triage", "POST", path, role="chief", json={"text": text}, headers=headers)
            except Refused as refused:
                # The key came with another version of the matter: the instruction was given, and not noted.
                if refused.code != "idempotency-key-reused":
                    if not left:
                        raise
                    await asyncio.sleep(0.2)
                    continue
            return matter, True
        raise AssertionError("the last try returns or raises")

    async def _by_key(self, method: str, path: str, **request: Any) -> Any:
        """As an integration does. The key is made for this run, and revoked at its end."""
        if not self._keys:
            made = await self.ask(
                "ingest", "POST", "/ingest/v1/keys", json={"unit": self.unit, "scope": "ingest", "name": KEY}
            )
            self._keys[made["id"]] = made["key"]
        return await ask(self.clients["ingest"], method, path, next(iter(self._keys.values())), **request)

    async def _act(self, drill: str, verb: str, body: Mapping[str, Any]) -> None:
        headers = {"If-Match": str((await self.read(drill))["version"])}
        await self.ask("audit", "POST", f"{DRILLS}/{drill}/{verb}", json=body, headers=headers)

    async def _train(self, told: Any) -> None:
        """Those posts of the trained unit were trained whose counterparts in the drill acted."""
        known = (await self.ask("triage", "GET", "/triage/v1/units"))["items"]
        own = {post["post"] for one in known if one["unit"] == self.trained for post in one["posts"]}
        posts = sorted(own & {f"{post.partition('@')[0]}@{self.trained}" for post in told["posts"]})
        if not posts:
            self.say(f"no training is recorded: no post of {self.trained} has a counterpart that acted")
            return
        body = {"unit": self.trained, "kind": "drill", "title": told["title"], "posts": posts, "drill": told["id"]}
        try:
            await self.ask("audit", "POST", "/audit/v1/trainings", json=body)
        except Refused as refused:
            if refused.code != "training-recorded":
                raise

    async def _patiently(self, try_: Callable[[], Awaitable[Any]], good: Callable[[Any], Any] = lambda _: True) -> Any:
        """The answer, once it is good and the services know what the step before did. Raises `Refused` at the end."""
        limit = asyncio.get_running_loop().time() + self.patience
        while True:
            try:
                if good(found := await try_()):
                    return found
                problem = Refused("the services do not know what was done before; is each of them running?")
            except Refused as refused:
                if refused.code in FINAL:
                    raise
                problem = refused
            if asyncio.get_running_loop().time() > limit:
                raise problem
            await asyncio.sleep(0.1)


def _is_whole(told: Any) -> bool:
    """Whether audit's order has all that was decided on the drill, so that nothing is sent again."""
    sent = sum(one["sent_at"] is not None for one in told["injects"])
    return bool(told["state"] != "running" or 1 + sent == told["version"])


def _number(code: str) -> str:
    head, _, number = code.partition("-")
    return number if head == "drill" and number.isdigit() else ""


@asynccontextmanager
async def leading(
    settings: Settings, unit: str, say: Say, *, runs: bool = False, trained: str | None = None
) -> AsyncIterator[Lead]:
    """A lead over the system of the settings. With `runs`, it must be running. Raises `Refused`."""
    if runs and settings.embedded and folder_owner(settings.data) is None:
        raise Refused(f"nothing runs in {settings.data}; start `huiying up` first, so that the office can act")
    time, offices = TimeSource(settings.clock), await access.directory(settings)

    async def until(when: datetime) -> None:
        while (left := when - time.now()) > timedelta():
            await asyncio.sleep(min(1.0, left.total_seconds()))

    async with AsyncExitStack() as stack:
        names = ("audit",) if settings.embedded else ("ingest", "triage", "audit")
        found = {name: await stack.enter_async_context(api(settings, name)) for name in names}
        clients = {name: found.get(name, found["audit"]) for name in ("ingest", "triage", "audit")}
        yield Lead(unit, clients, _signed(settings, offices), time.now, until, say, trained)


def _signed(settings: Settings, offices: Offices) -> Token:
    return lambda unit, role: access.post_token(settings, offices, unit, role, person="drill")


async def listed(settings: Settings, unit: str | None, scenario: str | None) -> list[Any]:
    """The drills of a unit and those below it, as the root's auditor sees them."""
    narrow = {name: value for name, value in (("unit", unit), ("scenario", scenario)) if value}
    offices = await access.directory(settings)
    token = access.post_token(settings, offices, unit or offices.root, "admin", person="drill")
    async with api(settings, "audit") as client:
        return [one async for page in pages(client, DRILLS, token, **narrow) for one in page["items"]]


def table(told: Any) -> list[str]:
    """The score of a drill, a line for each mark."""
    titles = {one["criterion"]: one["title_en"] for one in told["criteria"]}
    titles |= {"limits": "limits of the pack", "approval": "approvals", "one_text": "one text"}
    lines, last = [], None
    for mark in told["marks"]:
        if mark["criterion"] != last:
            last = mark["criterion"]
            lines.append(titles.get(last, last))
        what = mark["title_en"] or mark["what"]
        lines.append(f"  {mark['outcome']:<7} {mark['unit']:<20} {what:<40} {_times(mark)}")
    total = told["totals"] or {}
    return [*lines, ", ".join(f"{count} {name}" for name, count in total.items())]


def _times(mark: Mapping[str, Any]) -> str:
    due, done = (mark[name] and mark[name][:16].replace("T", " ") for name in ("due", "done"))
    return " ".join(filter(None, (f"due {due}" if due else "", f"done {done}" if done else "")))


def as_json(told: Any) -> str:
    """The same for programs."""
    shown = {name: value for name, value in told.items() if name != "canonical"}
    return json.dumps(shown, ensure_ascii=False, indent=2)
