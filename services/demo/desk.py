"""The desk at which the officers of the demo deal with a matter.

Everything is a request with the token of one post, at its appointment.
"""

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

PARALLEL = 8
TRIES, REST = 10, 1.0
"""How often a request is sent while the store is busy, and the seconds between two tries."""
STEP, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)


class Failed(Exception):
    """An unexpected answer."""


class Over(Exception):
    """The demo ends before this appointment."""


class Stage:
    """Lets stories run until `end`. When all of them wait, it moves the time to the next appointment."""

    def __init__(self, end: datetime) -> None:
        self.end = end
        self._waiting: list[tuple[datetime, int, asyncio.Event]] = []
        self._numbers = itertools.count()
        self._playing = 0
        self._quiet = asyncio.Event()
        self._error: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, story: Coroutine[Any, Any, None]) -> None:
        """Starts a story."""
        self._playing += 1
        self._quiet.clear()
        task = asyncio.create_task(self._tell(story))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def until(self, when: datetime) -> None:
        """Waits for an appointment. Raises `Over` if it is after the end; the story then stays as it is."""
        if when > self.end:
            raise Over
        gate = asyncio.Event()
        heapq.heappush(self._waiting, (when, next(self._numbers), gate))
        self._rest()
        await gate.wait()

    async def play(self, go_on: Callable[[datetime], Awaitable[None]]) -> None:
        """Runs all stories to their end. `go_on` moves the time to an appointment. Raises a story's error."""
        try:
            while True:
                await self._quiet.wait()
                if self._error:
                    raise self._error
                if not self._waiting:
                    return
                when = self._waiting[0][0]
                await go_on(when)
                self._quiet.clear()
                while self._waiting and self._waiting[0][0] <= when:
                    self._playing += 1
                    heapq.heappop(self._waiting)[2].set()
        finally:
            for task in self._tasks:
                task.cancel()

    async def _tell(self, story: Coroutine[Any, Any, None]) -> None:
        try:
            await story
        except Over:
            pass
        except Exception as error:  # noqa: BLE001 - `play` raises it
            self._error = self._error or error
        self._rest()

    def _rest(self) -> None:
        self._playing -= 1
        if self._playing == 0 or self._error:
            self._quiet.set()


CATEGORIES = (
    ("roads.lighting", ("路灯", "漆黑")),
    ("roads.signals", ("红绿灯", "信号灯", "护栏")),
    ("roads.parking", ("停车",)),
    ("transit.bus", ("公交", "班车")),
    ("utilities.water", ("自来水", "供水", "停水", "水管")),
    ("utilities.drainage", ("积水", "下水", "化粪池", "污水")),
    ("utilities.power", ("停电", "高压线", "供电")),
    ("utilities.heating", ("供暖", "暖气")),
    ("environment.noise", ("噪声", "噪音", "音响", "扰民")),
    ("environment.waste", ("垃圾",)),
    ("environment.dust", ("扬尘", "混凝土")),
    ("city.stalls", ("摊", "占道")),
    ("housing.lifts", ("电梯",)),
    ("housing.delivery", ("办证", "房产证", "不动产", "交房")),
    ("housing.management", ("物业",)),
    ("land.irrigation", ("渠", "灌溉")),
    ("education", ("学", "幼儿园", "食堂")),
    ("health", ("医", "卫生")),
    ("labour", ("工资", "养老", "社保", "退役", "补助")),
    ("safety.fire", ("消防",)),
    ("roads", ("路", "道")),
    ("government", ("建议", "表扬", "咨询", "办理")),
)
"""Category -> words of a subject by which the demo's desk takes it, in this order."""


def category_of(subject: str) -> str:
    """The category of a matter of the demo."""
    return next((code for code, words in CATEGORIES if any(word in subject for word in words)), "other")


@dataclass
class Incident:
    """An incident as its officers see it."""

    id: str
    unit: str
    subject: str
    version: int
    assigned: str = ""
    proposals: int = 0
    verified: bool = False


@dataclass
class Statement:
    """A statement before and after its publication."""

    id: str
    version: int
    waive: list[dict[str, Any]] = field(default_factory=list)
    """The figures of its text that need no fact, as a request says them."""


class Patient(httpx.AsyncHTTPTransport):
    """Sends a request again while the store is busy, since nothing of it was kept. A slow machine is no fault."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(TRIES - 1):
            answer = await super().handle_async_request(request)
            if answer.status_code != 503 or b"store-busy" not in await answer.aread():
                return answer
            await asyncio.sleep(REST)
        return await super().handle_async_request(request)


@dataclass
class Officers:
    """The posts of all units, over HTTP."""

    client: httpx.AsyncClient
    token: Callable[..., str]
    """Unit and roles -> a staff token."""
    acts: Counter[str] = field(default_factory=Counter)
    """How often each act was done, and how often a request was refused as expected."""
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL))
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    async def ask(
        self,
        unit: str,
        role: str,
        method: str,
        path: str,
        body: Any = None,
        version: int | None = None,
        refused: int = 0,
    ) -> Any:
        """The API's answer to a post. Raises `Failed` unless it is a success, or the status `refused`."""
        if (unit, role) not in self._tokens:
            self._tokens[unit, role] = self.token(unit, *role.split("+"))
        headers = {"Authorization": f"Bearer {self._tokens[unit, role]}"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        async with self._gate:
            answer = await self.client.request(method, path, json=body, headers=headers)
        if answer.status_code != refused if refused else not answer.is_success:
            raise Failed(f"{role}@{unit} {method} {path}: {answer.status_code} {answer.text[:300]}")
        if refused:
            self.acts[f"(refused with {refused})"] += 1
        return answer.json()

    async def pages(self, unit: str, path: str, **filters: str) -> list[Any]:
        """All items of a list, as a unit's auditor sees them."""
        return list((await self.whole(unit, path, **filters))["items"])

    async def whole(self, unit: str, path: str, **filters: str) -> Any:
        """The answer of a list, with the items of all its pages."""
        items: list[Any] = []
        query = {**filters, "limit": "500"}
        while True:
            page = await self.ask(unit, "auditor", "GET", f"{path}?{httpx.QueryParams(query)}")
            items += page["items"]
            if page["next"] is None:
                return {**page, "items": items}
            query["cursor"] = page["next"]

    async def decide(self, incident: Incident, role: str, verb: str, body: Any = None, by: str = "") -> None:
        """A post of the accountable unit, or of the unit `by`, decides on a matter."""
        path = f"/triage/v1/incidents/{incident.id}/{verb}"
        answer = await self.ask(by or incident.unit, role, "POST", path, body or {}, incident.version)
        incident.version = answer["version"]
        self.acts[verb] += 1

    async def upward(self, incident: Incident, role: str, verb: str, body: Any = None, by: str = "") -> None:
        """The commands of escalation: `report-upward`, `receipt`, `annul`."""
        await self.ask(by or incident.unit, role, "POST", f"/escalation/v1/incidents/{incident.id}/{verb}", body or {})
        self.acts[verb] += 1

    async def draft(self, incident: Incident, kind: str, text: str, *facts: str) -> Statement:
        """A handler writes a statement."""
        body = {
            "incident_id": incident.id,
            "kind": kind,
            "title": f"关于{incident.subject}",
            "text": text,
            "facts": facts,
        }
        made = await self.ask(incident.unit, "handler", "POST", "/publish/v1/statements", body)
        self.acts["draft"] += 1
        statement = Statement(made["id"], made["version"])
        await self.waive_quoted(incident, statement, text)
        return statement

    async def waive_quoted(self, incident: Incident, statement: Statement, text: str) -> None:
        """The handler waives the figures of the subject that the text quotes. The office did not find them."""
        shown = await self.ask(incident.unit, "handler", "GET", f"/publish/v1/statements/{statement.id}")
        free = dict.fromkeys(one["figure"] for one in shown["findings"] if one["what"].startswith("free-"))
        if free:
            statement.waive = [{"figures": list(free), "reason": "引用反映的标题，不是查明的事实"}]
            await self.handle(incident, statement, "handler", "revise", {"text": text, "waive": statement.waive})

    async def handle(self, incident: Incident, statement: Statement, role: str, verb: str, body: Any = None) -> None:
        """A post of the accountable unit decides on a statement."""
        path = f"/publish/v1/statements/{statement.id}/{verb}"
        answer = await self.ask(incident.unit, role, "POST", path, body or {}, statement.version)
        statement.version = answer["version"]
        self.acts[verb] += 1


@dataclass
class Desk:
    """One matter on the desks of the offices, with the means to tell its story."""

    stage: Stage
    officers: Officers
    incident: Incident
    begun: datetime
    """When its office first looks at it."""
    reports: list[str]
    other: Incident | None = None
    """Another incident, for stories with two."""

    async def at(self, after: timedelta) -> None:
        """Waits until this long after the office's first look."""
        await self.stage.until(self.begun + after)

    async def decide(self, role: str, verb: str, body: Any = None, by: str = "") -> None:
        await self.officers.decide(self.incident, role, verb, body, by)

    async def sort(
        self, level: str = "general", kind: str = "answer", to: str = "", after: timedelta = 0 * HOUR
    ) -> None:
        """Judged, classified if needed, and assigned. Half an hour later the assigned unit has accepted."""
        await self.at(after)
        await self.judge(level)
        if level != "general" or kind != "answer":
            await self.decide("duty_officer", "classify", {"answer_kind": kind})
        await self.assign(to or self.incident.unit)
        await self.at(after + 2 * STEP)
        await self.decide("handler", "accept", by=self.incident.assigned)

    async def judge(self, level: str = "general") -> None:
        """Put into a category, and graded."""
        await self.decide("duty_officer", "categorize", {"category": category_of(self.incident.subject)})
        await self.decide("duty_officer", "grade", {"level": level, "reason": "按影响范围和紧急程度研判"})

    async def assign(self, to: str) -> None:
        self.incident.assigned = to
        await self.decide("duty_officer", "assign", {"unit": to, "reason": "按职责分工交办"})

    async def verify(self, by: str = "") -> None:
        """Two facts, each with its source, and the outcome. Of a grave matter, the unit above establishes them."""
        source = "现场查看记录"
        inspected = {"key": "inspected", "kind": "yes_no", "value": True, "source": source}
        finding = {"key": "finding", "kind": "text", "value": "现场情况与反映基本一致", "source": source}
        for fact in (inspected, finding):
            await self.decide("verifier", "establish-fact", fact, by)
        await self.conclude(by)

    async def conclude(self, by: str = "") -> None:
        """What was reported is so."""
        await self.decide("verifier", "conclude-verification", {"outcome": "confirmed", "text": "经核实属实"}, by)
        self.incident.verified = True

    async def act(self, verb: str, text: str) -> None:
        """The assigned unit acts."""
        await self.decide("handler", verb, {"text": text}, by=self.incident.assigned)

    async def reply(self, text: str, chief: bool = False) -> None:
        """The assigned unit writes a reply on what is verified. It is given when the accountable unit approved it."""
        if not self.incident.verified:
            await self.conclude()
        await self.act("reply", text)
        self.incident.proposals += 1
        for role in ("approver", "chief") if chief else ("approver",):
            await self.decide(role, "approve", {"proposal": self.incident.proposals})

    async def draft(self, kind: str) -> Statement:
        """A statement of status tells what is being done, a statement of facts what was found."""
        about = f"关于“{self.incident.subject}”"
        if kind == "status":
            text = f"{about}，我单位已接到反映，正在核实处理，核实后及时公布。"
            statement = await self.officers.draft(self.incident, kind, text)
        else:
            text = f"{about}，经现场核实，反映基本属实。我单位已安排处理，完成后将回访。"
            statement = await self.officers.draft(self.incident, kind, text, "inspected", "finding")
        await self.officers.handle(self.incident, statement, "handler", "submit")
        return statement

    async def approve(self, statement: Statement, after: timedelta, chief: bool = False) -> timedelta:
        """Approved step by step and published, a quarter of an hour for each step. Returns when it is public."""
        steps = [("approver", "approve"), *([("chief", "approve")] if chief else []), ("spokesperson", "publish")]
        for role, verb in steps:
            after += STEP
            await self.at(after)
            await self.officers.handle(self.incident, statement, role, verb)
        return after

    async def finish(self, after: timedelta) -> None:
        """Handled on both tracks, resolved."""
        await self.at(after)
        await self.act("solve", "已到现场处理，问题解决")
        await self.decide("handler", "resolve", {"reason": "问题已解决，答复已公开"}, by=self.incident.assigned)

    async def look_back(self, after: timedelta) -> None:
        """Followed up, closed."""
        await self.at(after)
        await self.decide("handler", "follow-up", {"text": "回访：情况稳定，没有反复"}, by=self.incident.assigned)
        await self.at(after + STEP)
        await self.decide("chief", "close", {"reason": "办结并回访"})
