"""The tour: an office for exercises below the administrator's unit, with matters that show what each page is for.

Everything of it is made through the services' APIs, by posts of that office. Its matters are exercises: the bulletin
and the figures of real matters never have them. When the tour is removed, the office ends, and no list shows them.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from schemas.fields import instant
from services.console.calls import Answer, Calls, Refused
from services.console.page import go, render
from services.console.site import Signed, Site
from services.console.words import N_, translations
from services.kernel.core.ids import derived

logger = structlog.get_logger()
CODE = re.compile(r"^tour-(\d+)$")
"""The code of the tour's office. A unit's code serves once, so each tour has its own."""
KIND = {"city": "county", "county": "town", "town": "department"}
"""Kind of the administrator's unit -> kind of the tour's office below it."""
PATIENCE = 15.0
"""Seconds for which a step waits until the services know what the step before it did."""
EARLY = (401, 404, 422)
"""What a service answers that does not know a new office, post or matter yet."""
NAMES = {"office": "演示单位", "department": "演示科室"}
NOT_HERE = N_("科室之下不能再设单位，演示单位没有地方放。请上级单位的系统管理员开始演示。")
BEGUN, OVER = "演示", "演示结束"
"""The reasons in the record."""
MATTERS = (
    ("演示：人民路水管爆裂", "演示内容：人民路与解放街路口水管爆裂，路面积水，附近居民停水。", "人民路", 180),
    ("演示：三中门口路灯不亮", "演示内容：第三中学门口一排路灯连续四天不亮，学生晚自习后看不清路。", "第三中学", 90),
    ("演示：幸福里井盖缺失", "演示内容：幸福里小区北门外井盖缺失，已有人用树枝围挡。", "幸福里", 20),
)
"""Subject, text, place, and how many minutes ago the office learned of it."""
STOPS = (
    (
        "board",
        N_("事项列表"),
        N_(
            "上方的“事项”打开这一页。每件事一行，点事由打开；按剩余时间排列，状态有文字、形状和颜色。"
            "演示事项都标着“演练”。"
        ),
    ),
    (
        "matter",
        N_("一件办着的事"),
        N_(
            "这件事已经核实、定级、交办、接办，写了办理情况。左边有“时限”，右边“可以办理”是当前岗位能办的；"
            "系统管理员不办事项，所以比值班员和经办人看到的少。"
        ),
    ),
    (
        "timeline",
        N_("经过"),
        N_(
            "事项页最下面的“全部经过，可看任一时刻”打开这一页。谁在什么岗位上、什么时候办了什么，都在这里；"
            "点“前一条记录”，看更早时知道的情况。"
        ),
    ),
    (
        "statement",
        N_("说明稿"),
        N_("经办人“起草”“送审”，审核人“审核”或“驳回”，同意以后由新闻发言人“发布”。演示稿件不会出现在公告栏上。"),
    ),
    (
        "assigned",
        N_("等待接办的事"),
        N_("这件事已交给演示科室，等它的经办人“接办”或“退回”；“在谁手上”写着在等谁。"),
    ),
    ("new", N_("刚登记的事"), N_("这件事刚登记，还没有人看过。值班员在这里“要求核实”“定级”“交办”。")),
    (
        "bulletin",
        N_("公告栏"),
        N_("公众看到的页面，不用登录。演示内容从不出现在这里。看完了，点下面的“移除演示”。"),
    ),
)
"""Code, title and text of each stop of the walk. What it quotes stands so on the page, or is the button of a verb."""


def router(site: Site) -> APIRouter:
    """The pages of the tour."""
    pages = APIRouter()

    @pages.get("/tour")
    async def tour(request: Request, me: Signed) -> Response:
        """What the tour is; once it was begun, its stops, and how it is removed."""
        return await _page(request, me)

    @pages.get("/tour/{number}")
    async def stop(request: Request, me: Signed, number: str) -> Response:
        """One stop of the walk, with the link to the page that it tells of."""
        at = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 3 else -1
        office = _office(me)
        if office is None or at not in range(len(STOPS)):
            raise Refused(Answer(404, {}))
        places = await _places(me, office)
        return await render(request, "tour_stop.html", at=at, stops=STOPS, to=places.get(STOPS[at][0]))

    @pages.post("/tour/begin")
    async def begin(request: Request, me: Signed) -> Response:
        """Places the office and lets its posts deal with the matters."""
        kind = _kind(me)
        if kind is None:
            raise Refused(Answer(409, {"detail": translations(me.language).gettext(NOT_HERE)}))
        if _office(me) is None:
            ever = [*me.offices.units, *me.offices.former]
            number = max((int(found[1]) for code in ever if (found := CODE.match(code))), default=0) + 1
            await _place(me, f"tour-{number}", kind)
        return go("tour/1")

    @pages.post("/tour/remove")
    async def remove(request: Request, me: Signed) -> Response:
        """Ends the office, with all that is in it."""
        office = _office(me)
        for code in [f"{office}-section", office] if office else []:
            if code in me.offices.units:
                await _must(me.calls, "/triage/v1/units/end-unit", {"unit": code, "reason": OVER})
        site.look_again()
        return go("tour")

    async def _page(request: Request, me: Signed) -> Response:
        _must_administer(me)
        return await render(request, "tour.html", office=_office(me), stops=STOPS, kind=_kind(me), told=NOT_HERE)

    async def _place(me: Signed, code: str, kind: str) -> None:
        """The office with its section, then the matters, each as far as its pack lets them go."""
        common = {"drill": True, "posts_of": me.unit, "reason": BEGUN}
        office = {"unit": code, "kind": kind, "name": NAMES["office"], "parent": me.unit}
        # Below a town there are departments alone, so the section is beside the office.
        beside = me.unit if kind == "department" else code
        section = {"unit": f"{code}-section", "kind": "department", "name": NAMES["department"], "parent": beside}
        await _must(me.calls, "/triage/v1/units/place-unit", office | common)
        await _must(me.calls, "/triage/v1/units/place-unit", section | common)
        site.look_again()
        offices = await site.offices()

        def as_post(role: str, unit: str = code) -> Calls:
            """The services, as a post of the office that nobody holds. There is such a thing for exercises alone."""
            if not offices.units[unit]["drill"]:
                raise PermissionError(f"{unit} is no office for exercises")
            post = next(one for one in offices.units[unit]["posts"] if role in one["roles"])
            named = str(post["post"])
            return Calls(site.clients, lambda: site.token(derived("tour", named), named), me.language)

        ids = [await _report(as_post("duty_officer"), code, *matter) for matter in MATTERS]
        await _deal(as_post, ids[0], code)
        await _assign(as_post, ids[1], code)

    async def _report(calls: Calls, unit: str, subject: str, text: str, place: str, minutes: int) -> str:
        """The matter of a report."""
        known = instant(site.now() - timedelta(minutes=minutes))
        said = {"unit": unit, "channel": "hotline", "subject": subject, "text": text, "place": place}
        path = "/ingest/v1/reports"
        sent = await _patiently(lambda: calls.send("POST", path, body={**said, "discovered_at": known}))
        query = {"report_id": sent["report_id"]}
        found = await _patiently(lambda: calls.send("GET", "/triage/v1/incidents", params=query), some=True)
        return str(found["items"][0]["number"])

    async def _assign(as_post: Callable[..., Calls], number: str, unit: str) -> None:
        levels = (await site.pack_of(unit)).get("levels") or [{"level": ""}]
        await _verb(as_post("duty_officer"), number, "grade", {"level": levels[0]["level"], "reason": BEGUN})
        await _verb(as_post("duty_officer"), number, "assign", {"unit": f"{unit}-section", "reason": BEGUN})

    async def _deal(as_post: Callable[..., Calls], number: str, unit: str) -> None:
        """A matter that was verified and is being handled, with a statement that waits for approval."""
        section = f"{unit}-section"
        confirmed = {"outcome": "confirmed", "text": "演示：已到现场查看，情况属实。"}
        await _verb(as_post("verifier"), number, "conclude-verification", confirmed)
        await _assign(as_post, number, unit)
        await _verb(as_post("handler", section), number, "accept", {})
        handled = {"track": "problem", "text": "演示：抢修队已到现场，关阀止水，预计三小时内恢复。"}
        await _verb(as_post("handler", section), number, "record-handling", handled)
        told = {"kind": "status", "title": "演示：人民路停水抢修情况", "text": "演示：正在抢修，预计今日恢复供水。"}
        drafting, path = as_post("handler"), "/publish/v1/statements"
        made = await _patiently(lambda: drafting.send("POST", path, body={"incident_id": number, **told}))
        submitting = {"If-Match": str(made["version"])}
        sent = await drafting.send("POST", f"{path}/{made['id']}/submit", body={}, headers=submitting)
        _note(sent, "submit")

    async def _places(me: Signed, office: str) -> dict[str, str]:
        """Stop -> the page that it tells of."""
        matters = (await me.calls.get("/triage/v1/incidents", unit=office, limit=50))["items"]
        numbers = {one["state"]: one["number"] for one in reversed(matters)}
        found = {"board": f"board?unit={office}", "bulletin": ""}
        if handled := numbers.get("accepted"):
            found |= {"matter": f"incidents/{handled}", "timeline": f"incidents/{handled}/timeline"}
            statements = (await me.calls.get("/publish/v1/statements", incident=handled))["items"]
            found |= {"statement": f"statements/{statements[0]['number']}"} if statements else {}
        found |= {"assigned": f"incidents/{numbers['assigned']}"} if "assigned" in numbers else {}
        return found | ({"new": f"incidents/{numbers['open']}"} if "open" in numbers else {})

    return pages


def _office(me: Signed) -> str | None:
    """The tour's office at the administrator's unit, if a tour goes on. Raises `Refused` for others."""
    _must_administer(me)
    return next((code for code, one in me.offices.units.items() if CODE.match(code) and one["parent"] == me.unit), None)


def _kind(me: Signed) -> str | None:
    """The kind of the tour's office; None for an administrator below whose unit there can be none."""
    return KIND.get(me.offices.units.get(me.unit, {}).get("kind", ""))


def _must_administer(me: Signed) -> None:
    if "admin" not in me.roles:
        told = N_("演示会在单位下设一个演示单位，只有系统管理员能开始和移除。请本单位或上级单位的系统管理员开始演示。")
        raise Refused(Answer(403, {"detail": translations(me.language).gettext(told)}))


async def _must(calls: Calls, path: str, body: Mapping[str, Any]) -> None:
    answer = await calls.send("POST", path, body=body)
    if not answer.ok:
        raise Refused(answer)


async def _patiently(ask: Callable[[], Awaitable[Answer]], *, some: bool = False) -> Any:
    """The answer, once the service knows what the step before did; with `some`, once a list has an entry."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while True:
        answer = await ask()
        if answer.ok and (not some or answer.body["items"]):
            return answer.body
        is_early = answer.ok or answer.status in EARLY
        if not is_early or asyncio.get_running_loop().time() > until:
            raise Refused(answer)
        await asyncio.sleep(0.1)


async def _verb(calls: Calls, number: str, verb: str, body: Mapping[str, Any]) -> None:
    """One act on a matter. A pack may refuse it; the matter then stays where it is."""
    path = f"/triage/v1/incidents/{number}"
    version = str((await calls.get(path))["version"])
    _note(await calls.send("POST", f"{path}/{verb}", body=body, headers={"If-Match": version}), verb)


def _note(answer: Answer, verb: str) -> None:
    if not answer.ok:
        logger.warning("console.tour_refused", verb=verb, problem=answer.body.get("type"))
