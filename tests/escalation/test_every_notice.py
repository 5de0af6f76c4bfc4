"""Each kind of notice: what calls for it, which posts are told, and what it says."""

import json
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from schemas import publish, triage
from schemas.approval import Step
from schemas.escalation import ClockApprovalAwaited
from schemas.fields import Fact
from schemas.offices import PolicyPackAssigned
from schemas.pack.office import Telling
from services.escalation.commands import AwaitApproval
from services.escalation.notify import places, postbox, posting
from services.escalation.notify.places import SetAddress
from services.kernel.core.ids import derived, stream_of
from services.kernel.rules.packs import parse_pack
from tests.escalation.conftest import LONG_AGO, Desk
from tests.escalation.incident import OFFICES, PACK, at
from tests.escalation.incident import Incident as Clocks
from tests.escalation.incident import opened as first
from tests.escalation.test_notices import NOTICE
from tests.escalation.test_obligations import hop, rule
from tests.escalation.test_service import REPORT, grade, incident, opened, statement
from tests.kit.spec import UUID, loaded
from tests.kit.webhook import Hook
from tests.kit.webhook import opened as opened_hook

SOURCE = {"kind": "derived", "reason": "of these tests"}
WORD = "黄河路停水三天没人管"
UNIT, CHIEF, APPROVER, OFFICER = "town-east", "chief@town-east", "approver@town-east", "duty_officer@town-east"
REPLY: dict[str, Any] = {
    "name": "reply",
    "title_zh": "一日内答复",
    "from": "discovered",
    "to": ["replied"],
    "limit": {"mode": "elapsed", "duration": "P1D"},
    "warn": ["PT6H"],
    "per_case": True,
    "extension": {
        "approved_by": "leader_in_charge",
        "at_most": {"mode": "elapsed", "duration": "P9D"},
        "source": SOURCE,
    },
    "deferral": {"review": {"mode": "elapsed", "duration": "P90D"}, "source": SOURCE},
    "source": SOURCE,
}
DECISION = {"decides": "meet", "who": ["principal_leader", "leader_in_charge"], "together": 2, "source": SOURCE}


async def begins(desk: Desk, **more: Any) -> None:
    """A matter is opened under a pack with one limit, one report upward, one decision and superiors' notices."""
    whole = PACK.model.model_dump(by_alias=True, mode="json", exclude_none=True)
    up = rule("up", hop("to_office", "office", "county"))
    parts = {"clocks": [REPLY], "reports": [up], "review": {}, "answering": {}}
    written = {**whole, **parts, "version": 9, "decisions": [DECISION], "notice": NOTICE, **more}
    pack = parse_pack(json.dumps(written, ensure_ascii=False))
    desk.tell(f"policy-{UUID}", loaded(pack), LONG_AGO)
    desk.tell(f"policy-{UUID}", PolicyPackAssigned(unit="city", policy=pack.ref, since=LONG_AGO), LONG_AGO)
    await desk.consume()
    desk.clock.at = at(0.5)
    opened(desk)
    await desk.consume()


@dataclass
class Told:
    """The notices that came, by the post whose place took them."""

    desk: Desk
    hook: Hook

    async def now(self) -> dict[str, list[tuple[str, str]]]:
        """Sends what is due, and returns what came since the last time: post -> titles and texts."""
        self.hook.calls.clear()
        with ThreadPoolExecutor(4) as threads:
            await posting.turn(self.desk.runtime, posting.Known(), threads)
        found = dict[str, list[tuple[str, str]]]()
        for call in self.hook.calls:
            found.setdefault(call.path, []).append((call.body["title"].split("】")[-1], call.body["message"]))
        return found


@pytest.fixture
def hook() -> Iterator[Hook]:
    with opened_hook() as made:
        yield made


@pytest.fixture
async def told(desk: Desk, hook: Hook) -> Told:
    """A place for each post of a town, a department and the county, set long ago."""
    async with desk.runtime.database.transaction() as connection:
        for unit in ("town-east", "county-roads", "county"):
            for post in (f"{code}@{unit}" for code, post in OFFICES.posts[unit].items() if not post.members):
                address = SetAddress(post=post, address=hook.address(post))
                await places.add(connection, desk.runtime.keys, address, "webhook", LONG_AGO)
    return Told(desk, hook)


async def acts(desk: Desk, verb: str, role: str, unit: str = UNIT, **body: Any) -> None:
    answer = await desk.ask("POST", f"/incidents/{incident()}/{verb}", role, unit, body, person=role)
    assert answer.status_code == 200, answer.text


async def tells(desk: Desk, fact: Fact, hour: float, stream: str = "") -> None:
    desk.clock.at = at(hour)
    desk.tell(stream or incident(), fact, at(hour), incident=incident())
    await desk.consume()


async def nothing_more(desk: Desk) -> None:
    """The matter was opened."""


async def is_assigned(desk: Desk) -> None:
    await tells(desk, triage.IncidentAssigned(unit="county-roads"), 1)


async def a_limit_is_near(desk: Desk) -> None:
    await desk.turn(at(18.5))


async def a_limit_passes(desk: Desk) -> None:
    await desk.turn(at(24.5))


async def a_rung_is_reached(desk: Desk) -> None:
    await desk.turn(at(24.5))
    await desk.turn(at(49))


async def is_reported(desk: Desk) -> None:
    await acts(desk, "report-upward", "duty_officer", text=WORD)


async def an_office_is_informed(desk: Desk) -> None:
    await acts(desk, "inform-office", "chief", to="county-roads", text=WORD)


def submitted(*who: str) -> Fact:
    steps = tuple(Step(code=one, who=(one,)) for one in who)
    return publish.StatementSubmitted(unit=UNIT, steps=steps, by="0" * 64)


async def a_statement_is_submitted(desk: Desk) -> None:
    await tells(desk, submitted("leader_in_charge", "principal_leader"), 1, statement())


async def the_next_step_is_reached(desk: Desk) -> None:
    await tells(desk, submitted("leader_in_charge", "principal_leader"), 1, statement())
    agreed = {"step": "leader_in_charge", "who": "leader_in_charge", "post": APPROVER, "by": "1" * 64}
    await tells(desk, publish.StatementApproved(**agreed, last=False, next=("principal_leader",)), 30, statement())


async def a_text_is_referred(desk: Desk) -> None:
    await tells(desk, submitted("leader_in_charge"), 1, statement())
    unsure = {"step": "leader_in_charge", "who": "leader_in_charge", "post": APPROVER, "by": "1" * 64}
    await tells(desk, publish.StatementReferred(**unsure, to="leading_group", reason="r"), 30, statement())  # type: ignore[arg-type]


async def a_measure_is_proposed(desk: Desk) -> None:
    steps = (Step(code="leader", who=("leader_in_charge",)),)
    proposed = {"proposal": 1, "of": "measure", "text": "t", "chain": "usual", "steps": steps, "by": "0" * 64}
    await tells(desk, triage.IncidentProposed(**proposed), 1)  # type: ignore[arg-type]


async def posts_decide_together(desk: Desk) -> None:
    await acts(desk, "decide", "chief", decides="meet", yes=True, reason="r", took_part=[APPROVER])


async def an_extension_is_asked_for(desk: Desk) -> None:
    await acts(desk, "request-extension", "handler", clock="reply", due="2026-03-05T00:00:00Z", reason="r")


async def an_extension_is_granted(desk: Desk) -> None:
    await an_extension_is_asked_for(desk)
    await acts(desk, "decide-extension", "approver", clock="reply", granted=True, reason="r", notice="n")


async def an_extension_is_refused(desk: Desk) -> None:
    await an_extension_is_asked_for(desk)
    await acts(desk, "decide-extension", "approver", clock="reply", granted=False, reason="r")


async def a_deferral_is_asked_for(desk: Desk) -> None:
    await acts(desk, "request-deferral", "handler", clock="reply", plan="p", review="2026-04-02T00:00:00Z")


async def a_deferral_is_granted(desk: Desk) -> None:
    await a_deferral_is_asked_for(desk)
    await acts(desk, "decide-deferral", "chief", clock="reply", granted=True, reason="r")


async def a_limit_is_set(desk: Desk) -> None:
    await acts(desk, "set-limit", "chief", clock="reply", due="2026-03-02T20:00:00Z", reason="r")


async def a_notice_is_given(desk: Desk) -> None:
    await acts(desk, "give-notice", "duty_officer", "county", text=WORD, due="2026-03-09T00:00:00Z")


async def duty_is_planned(desk: Desk) -> None:
    """From 10:00 until 14:00 of the zone; twelve hours are needed."""
    desk.clock.at = at(1)
    duty = {"post": OFFICER, "since": "2026-03-02T02:00:00Z", "until": "2026-03-02T06:00:00Z"}
    answer = await desk.ask("PUT", "/roster", "chief", UNIT, {"unit": UNIT, "duties": [duty]})
    assert answer.status_code == 200, answer.text


async def nobody_is_planned(desk: Desk) -> None:
    await duty_is_planned(desk)
    await desk.turn(at(1.1))


async def nobody_is_there(desk: Desk) -> None:
    await duty_is_planned(desk)
    more = triage.IncidentReportAttached(unit=UNIT, report=REPORT, discovered_at=at(3))
    await tells(desk, more, 3)


async def many_reports_come(desk: Desk) -> None:
    for number in range(6):
        id_ = f"incident-{derived('surge', str(number))}"
        fact = triage.IncidentOpened(unit=UNIT, report=f"report-{UUID}", discovered_at=at(0), category="water")
        desk.tell(id_, fact, at(0.6))
    await desk.consume()
    await desk.turn(at(1))


LEADING = ["approver@town-east", "chief@town-east", "duty_officer@town-east", "spokesperson@town-east"]
DUE = "时限：2026-03-03 08:00"
Scene = Callable[[Desk], Awaitable[None]]
CASES: tuple[tuple[Telling, Scene, str, list[str], str], ...] = (
    ("new", nothing_more, "新事项", [CHIEF], "事由：报告\n时限：2026-03-02 09:00"),
    ("assigned", is_assigned, "交办", ["chief@county-roads"], "编号："),
    ("warn", a_limit_is_near, "时限将到", [CHIEF], f"事由：一日内答复\n{DUE}"),
    ("breach", a_limit_passes, "逾期", [CHIEF], DUE),
    ("rung", a_rung_is_reached, "催办督办", [CHIEF], DUE),
    ("hop", is_reported, "收到上报，请签收", ["duty_officer@county"], "编号："),
    ("informed", an_office_is_informed, "收到通报，请签收", ["duty_officer@county-roads"], "编号："),
    ("approval", a_statement_is_submitted, "等待审定", [APPROVER], "事由：说明稿"),
    ("approval", the_next_step_is_reached, "等待审定", [CHIEF], "事由：说明稿"),
    ("approval", a_text_is_referred, "等待审定", LEADING, "事由：说明稿"),
    ("approval", a_measure_is_proposed, "等待审定", [APPROVER], "事由：措施"),
    ("approval", posts_decide_together, "等待审定", [APPROVER], "编号："),
    ("approval", an_extension_is_asked_for, "等待审定", [APPROVER], "事由：延期 · 一日内答复\n时限：2026-03-05 08:00"),
    ("approval", a_deferral_is_asked_for, "等待审定", [CHIEF], "事由：挂账 · 一日内答复\n时限：2026-04-02 08:00"),
    ("due", an_extension_is_granted, "时限确定", [CHIEF], "时限：2026-03-05 08:00"),
    ("due", an_extension_is_refused, "时限确定", [CHIEF], DUE),
    ("due", a_deferral_is_granted, "时限确定", [CHIEF], "时限：2026-04-02 08:00"),
    ("due", a_limit_is_set, "时限确定", [CHIEF], "时限：2026-03-03 04:00"),
    ("due", a_notice_is_given, "时限确定", [CHIEF], "事由：整改通知\n时限：2026-03-09 08:00"),
    ("gap", nobody_is_planned, "值班空缺", [CHIEF], "时段：2026-03-02 16:00 – 2026-03-03 00:00"),
    ("held", nobody_is_there, "无人值班，来件待处理", [CHIEF], "编号："),
    ("surge", many_reports_come, "集中反映", [APPROVER], "件数：6"),
)
each = pytest.mark.parametrize(
    ("rule", "scene", "title", "posts", "says"), CASES, ids=lambda one: getattr(one, "__name__", "")
)


@each
async def test_it_reaches_the_post_that_has_to_act(
    told: Told, rule: str, scene: Scene, title: str, posts: list[str], says: str
) -> None:
    await begins(told.desk)
    await scene(told.desk)
    found = await told.now()
    of_it = {post: [text for one, text in said if one == title] for post, said in found.items()}
    of_it = {post: texts for post, texts in of_it.items() if texts}
    assert sorted(of_it) == posts, found
    for texts in of_it.values():
        assert any(says in text for text in texts), texts
        assert all("链接：" in text and WORD not in text for text in texts)
    assert await told.now() == {}, "a second one"


@each
async def test_the_pack_chooses_the_posts(
    told: Told, rule: str, scene: Scene, title: str, posts: list[str], says: str
) -> None:
    await begins(told.desk, outgoing=[{"rule": rule, "to": ["information_officer"], "source": SOURCE}])
    await scene(told.desk)
    unit = {"assigned": "county-roads", "informed": "county-roads", "hop": "county"}.get(rule, UNIT)
    found = await told.now()
    assert list(found) == [f"information_officer@{unit}"], found
    assert {one for said in found.values() for one, _ in said} == {title}


async def test_the_pack_chooses_of_what_posts_are_told(told: Told) -> None:
    await begins(told.desk, outgoing=[{"rule": "breach", "source": SOURCE}])
    for scene in (is_assigned, is_reported, a_statement_is_submitted, nobody_is_planned, a_limit_passes):
        await scene(told.desk)
    found = await told.now()
    assert {title for title, _ in found[CHIEF]} == {"逾期"}
    assert list(found) == [CHIEF]


async def test_a_notice_of_no_matter_is_on_record_with_its_post(told: Told) -> None:
    await begins(told.desk)
    await nobody_is_planned(told.desk)
    await told.now()
    [gap] = await told.desk.rows("outgoing", rule="gap")
    tried = [one.data for one in await told.desk.events(postbox.stream_of_post(CHIEF)) if "notice_" in one.type]
    assert [(one.notice, one.post, one.attempt) for one in tried] == [(gap["notice"], CHIEF, 1)]
    assert gap["notice"] not in repr(await told.desk.events(stream_of("clock", incident())))


def test_an_approval_is_asked_for_once_and_further_steps_know_what_it_is_of() -> None:
    matter = Clocks().hear(first(at(0)))
    asked = {"record": statement(), "proposal": None, "basis": ("statement@2",)}
    once = AwaitApproval(**asked, of="statement", unit=UNIT, who=("leader_in_charge",), event=derived("1"))
    further = AwaitApproval(**asked, of=None, unit=None, who=("principal_leader",), event=derived("2"))
    for command in (once, once, further, once):
        matter.do(command, at(1))
    found = [(one.of, one.unit, one.who) for one in matter.of(ClockApprovalAwaited)]
    assert found == [("statement", UNIT, once.who), ("statement", UNIT, further.who)]


async def test_a_major_matter_says_its_level(told: Told) -> None:
    await begins(told.desk)
    grade(told.desk, level="major", hour=0.6)
    await told.desk.consume()
    await told.desk.turn(at(24.5))
    assert any("等级：重大" in text for _, text in (await told.now())[CHIEF])


async def the_request_is_refused(desk: Desk) -> None:
    await acts(desk, "decide-extension", "approver", clock="reply", granted=False, reason="r")


@pytest.mark.parametrize(
    ("waits", "happens", "title"),
    [
        (a_limit_is_near, a_limit_passes, "时限将到"),
        (a_limit_is_near, an_extension_is_granted, "时限将到"),
        (an_extension_is_asked_for, the_request_is_refused, "等待审定"),
    ],
    ids=["limit has passed", "limit was extended", "request was decided"],
)
async def test_what_waited_until_it_was_moot_is_not_sent(told: Told, waits: Scene, happens: Scene, title: str) -> None:
    await begins(told.desk)
    await told.now()
    await waits(told.desk)
    await happens(told.desk)
    titles = {of for said in (await told.now()).values() for of, _ in said}
    assert titles
    assert title not in titles
