"""Takes each page of the console, in both languages, light, dark and narrow, to be looked at.

python -m tests.console.screenshots FOLDER [PAGE ...]      writes FOLDER/<page>-<zh|en>-<light|dark|narrow|print>.png
python -m tests.console.screenshots FOLDER --guide         makes the images of docs/guide anew
"""

import argparse
import asyncio
import socket
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import product
from pathlib import Path

from PIL import Image
from playwright.async_api import async_playwright

from deploy import native
from services.apps.embedded import running
from services.apps.up import served
from services.kernel.settings import ROOT, Settings
from tests.console.browser import HOME, Browser
from tests.console.conftest import Desk, Town
from tests.console.test_record import ended, finding, late, signed, until
from tests.console.test_review import steady
from tests.console.test_subscriptions import subscribed
from tests.publish.test_pages import FLAGS

POSTS = ("duty_officer@town-east", "chief@town-east", "admin@town-east", "auditor@town-east")
PAGES = {
    "sign-in": "/sign-in",
    "post": "/post",
    "inbox": "/inbox",
    "board": "/board",
    "report": "/reports/new",
    "matter": "/incidents/{matter}",
    "timeline": "/incidents/{matter}/timeline",
    "verb": "/incidents/{matter}/triage/assign",
    "upward": "/incidents/{matter}/escalation/report-upward",
    "statements": "/statements",
    "statement": "/statements/{statement}",
    "approve": "/statements/{statement}/approve",
    "roster": "/roster",
    "plan": "/roster/plan-duties?unit=town-east",
    "sheet": "/roster/sheet",
    "notices": "/notices",
    "periods": "/periods/open?unit=town-east&period=special",
    "paper": "/paper",
    "search": "/search",
    "packs": "/packs",
    "pack": "/packs/county-default@2",
    "accounts": "/accounts",
    "health": "/health",
    "draft": "/statements/new?incident={matter}",
    "editor": "/statements/{draft}/revise",
    "drafted": "/statements/{draft}",
    "notice": "/statements/new",
    "approver": "/inbox",
    "approving": "/statements/{statement}/approve",
    "checking": "/statements/{statement}/check",
    "published": "/statements/{published}",
    "correct": "/statements/{published}/correct",
    "postings": "/postings",
    "channels": "/channels",
    "channel": "/channels/new?unit=town-east",
    "press": "/incidents/{matter}/press",
    "speakers": "/incidents/{matter}/press/fix-speakers",
    "contact": "/incidents/{matter}/press/log-contact",
    "keys": "/keys#posts",
    "imports": "/imports",
    "subscriptions": "/subscriptions",
    "subscription": "/subscriptions/{subscription}",
    "subscribing": "/subscriptions/new",
    "forms": "/forms",
    "form": "/forms/town-east",
    "findings": "/findings",
    "review": "/incidents/{steady}/review",
    "archive": "/incidents/{sealed}/archive",
    "proofs": "/record/log",
    "statistics": "/statistics",
    "refused": "/no-such-page",
    "bulletin": "/bulletin/",
    "bulletin-statement": "/bulletin/statements/{published}",
    "bulletin-accountability": "/bulletin/accountability",
    "bulletin-status": "/bulletin/status?number={matter}",
    "bulletin-verify": "/bulletin/verify?statement={published}",
}
"""Page -> its path below `/console`, or one of the bulletin."""
POSTS_OF: dict[str, Sequence[str]] = {
    "accounts": ("admin@town-east",),
    "health": ("admin@town-east",),
    "channels": ("admin@town-east",),
    "channel": ("admin@town-east",),
    "keys": ("admin@county",),
    **dict.fromkeys(("subscriptions", "subscription", "subscribing", "forms", "form"), ("admin@town-east",)),
    "draft": ("handler@town-east",),
    "editor": ("handler@town-east",),
    "drafted": ("handler@town-east",),
    "notice": ("handler@town-east",),
    "contact": ("handler@town-east",),
    "approver": ("approver@town-east",),
    "approving": ("approver@town-east",),
    "checking": ("approver@town-east",),
    "published": ("spokesperson@town-east",),
    "correct": ("spokesperson@town-east",),
    "postings": ("spokesperson@town-east",),
    "press": ("chief@town-east",),
    "speakers": ("chief@town-east",),
    "findings": ("chief@town-east",),
    "review": ("chief@town-east",),
    "archive": ("chief@town-east",),
    "proofs": ("auditor@county",),
    "statistics": ("chief@county",),
}
"""Page -> the posts of who looks at it; `POSTS` without."""
GUIDE = (
    "report", "board", "matter", "editor", "statement", "approver", "channels", "press", "keys", "roster",
    "findings", "review", "archive", "proofs", "statistics",
)  # fmt: skip
"""The pages that the handbook shows."""
LOOKS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 800}},
    "print": {"color_scheme": "light", "viewport": {"width": 620, "height": 880}},
}
CHINA = timezone(timedelta(hours=8))
REPORTS = (
    (25.0, "垃圾三天没有清运", "幸福里小区垃圾三天没有人清。", "幸福里小区"),
    (1.4, "三中门口路灯不亮", "三中门口两盏路灯坏了四天，学生晚自习回家看不见路。", "三中门口"),
    (0.5, "夜市噪声扰民", "北街夜市到凌晨一点还放音响。", "北街夜市"),
    (0.1, "桥下积水", "一下雨东桥下就积水，车过不去。", "东桥"),
)
"""Hours since the office learned of it, and what was said."""


def ago(hours: float) -> str:
    """A time so many hours ago, as a person types it."""
    return f"{datetime.now(CHINA) - timedelta(hours=hours):%Y-%m-%d %H:%M}"


async def worked_at(town: Town) -> dict[str, str]:
    """Puts some work into a town: the numbers of a matter and its statements, as the paths name them."""
    town.discovered_at = ago(3)
    matter, statement = await town.handled()
    officer, chief = await town.at("duty_officer@town-east"), await town.at("chief@town-east")
    await town.done(officer, f"/incidents/{matter}/triage/grade", level="general", reason="影响一条街")
    for hours, subject, text, place in REPORTS:
        await town.reported(officer, subject, text, place=place, discovered_at=ago(hours))
    today = datetime.now(CHINA).replace(hour=8, minute=0)
    duties = {}
    for number, post in enumerate(("duty_officer@town-east", "handler@town-east", "duty_officer@town-east"), 1):
        since = today + timedelta(days=number)
        duties |= {f"duties.{number - 1}.post": post, f"duties.{number - 1}.since": f"{since:%Y-%m-%d %H:%M}"}
        duties[f"duties.{number - 1}.until"] = f"{since + timedelta(hours=12):%Y-%m-%d %H:%M}"
    await town.done(chief, "/roster/plan-duties?unit=town-east", **duties)
    answered = await _answered(town, matter)
    return {"matter": matter, "statement": statement, **answered, **await _recorded(town)}


async def _recorded(town: Town) -> dict[str, str]:
    """Puts into the record what audit makes of matters: findings, a review, a sealed file that was given outside."""
    chief = await town.at("chief@town-east")
    own = await late(town, "西街路面塌陷", "西街")
    await finding(chief, own, "迟报")
    review, sealed = await steady(town, "东河路面"), await ended(town, "南门口")
    seal = await until(chief, f"{sealed}/archive/seal-archive", "责任部门回复函")
    lacking = [name for name in seal.form(f"{sealed}/archive/seal-archive").names if name.startswith("reasons.")]
    await signed(town)
    await chief.send(seal, f"{sealed}/archive/seal-archive", **dict.fromkeys(lacking, "当面答复，没有这类材料"))
    await signed(town)
    for verb, typed in (
        ("read-archive", {"purpose": "复查同类事项"}),
        ("export-timeline", {"addressee": "peoples_congress", "purpose": "专题询问"}),
    ):
        form = f"{sealed}/archive/{verb}"
        await chief.send(await chief.open(form), form, **typed)
    await signed(town)
    return {"steady": review.rpartition("/")[2], "sealed": sealed.rpartition("/")[2]}


async def _answered(town: Town, matter: str) -> dict[str, str]:
    """Answers a matter: a public text with a fact that was revised since, one that follows it, channels, the press."""
    admin, water = await town.at("admin@town-east"), await town.at("verifier@county-water")
    for code, kind, title, address in (
        ("site", "webhook", "县政府网站", "https://desk.example.gov.cn/in"),
        ("wechat", "by_hand", "东镇发布", "微信公众号：东镇发布"),
    ):
        typed = {"code": code, "kind": kind, "title": title, "address": address}
        form = "/channels/new?unit=town-east"
        await admin.send(await admin.open(form), form, **typed)
    await town.done(admin, "/forms/town-east/open-form", introduction="工作日当天受理，急事请打值班电话。")
    subscription = await subscribed(admin)
    establishing = f"/incidents/{matter}/triage/establish-fact"
    await town.done(water, establishing, key="households", value="120", source="现场统计")
    concluding = f"/incidents/{matter}/triage/conclude-verification"
    await town.done(water, concluding, outcome="confirmed", text="人民路中段主管爆裂，影响沿街住户。")
    handler, speaker = await town.at("handler@town-east"), await town.at("spokesperson@town-east")
    drafting = f"/statements/new?incident={matter}"
    told = "人民路水管爆裂，涉及{{fact:households}}。起因：{{fact:cause}}。抢修人员已经到场。"
    typed = {"kind": "facts", "title": "人民路停水情况", "text": told}
    published = await _drafted(handler, drafting, typed, "cause", "households")
    await town.done(handler, f"{published}/submit")
    await town.done(await town.at("approver@town-east"), f"{published}/approve")
    await town.done(speaker, f"{published}/publish")
    await town.done(water, establishing, key="households", value="150", source="逐户核对")
    typed = {"kind": "facts", "title": "人民路停水情况（续）", "text": f"{told}预计11月29日6时恢复供水。"}
    draft = await _drafted(handler, drafting, typed, "cause", "households")
    chief, press = await town.at("chief@town-east"), f"/incidents/{matter}/press"
    fixed = {"speaks": ["spokesperson@town-east"], "interviews": ["chief@town-east"], "reason": "会议确定"}
    await town.done(chief, f"{press}/fix-speakers", **fixed)  # type: ignore[arg-type]
    when = f"{datetime.now(CHINA) + timedelta(days=1):%Y-%m-%d %H:%M}"
    await town.done(chief, f"{press}/call-conference", at=when, place="镇政府二楼会议室", reason="停水影响面大")
    number = (await speaker.open(published)).path.rpartition("/")[2]
    given = {"medium": "县融媒体中心", "how": "telephone", "spoke": "spokesperson@town-east"}
    said = "人民路水管爆裂，涉及120户。起因：水管老化。抢修人员已经到场。"
    await town.done(handler, f"{press}/log-contact", statement=number, text=said, **given)
    await town.system.settle()
    made = {"published": published, "draft": draft, "subscription": subscription}
    return {name: path.rpartition("/")[2] for name, path in made.items()}


async def _drafted(handler: Browser, drafting: str, typed: dict[str, str], *facts: str) -> str:
    """The path of a fresh draft, once its page is there."""
    page = await handler.send(await handler.open(drafting), drafting, **typed, facts=list(facts))
    (revise,) = {one for one in page.links if "/revise" in one}
    return revise.removeprefix(HOME).partition("/revise")[0]


async def take(folder: Path, names: Sequence[str], *, whole: bool = True, looks: Iterable[str] = LOOKS) -> None:
    """Makes a town with some work in it, and takes its pages: whole, or what a window shows."""
    with tempfile.TemporaryDirectory() as data, socket.socket() as on:
        on.bind(("127.0.0.1", 0))
        on.listen()
        async with running(Settings(data=Path(data))) as system:
            town = Town(system)
            numbers = await worked_at(town)
            async with served(system, on) as address, async_playwright() as playwright:
                chrome = await playwright.chromium.launch(executable_path=str(native.chromium()), args=FLAGS)
                desk = Desk(town, chrome, address, numbers["matter"], numbers["statement"], [])
                everybody = dict.fromkeys(POSTS_OF.get(name, POSTS) for name in names)
                for language, look, posts in product(("zh-CN", "en-GB"), looks, everybody):
                    context, page = await desk.at(*posts, language=language, **LOOKS[look])
                    await page.emulate_media(media="print" if look == "print" else "screen")
                    for name in (name for name in names if POSTS_OF.get(name, POSTS) == posts):
                        path = PAGES[name].format(**numbers)
                        is_public, english = path.startswith("/bulletin/"), language.startswith("en")
                        asked = f"{path}{'&' if '?' in path else '?'}lang={'en' if english else 'zh'}"
                        await page.goto(address + (asked if is_public else HOME + path))
                        file = folder / f"{name}-{language[:2]}-{look}.png"
                        await page.screenshot(path=file, full_page=whole)
                    await context.close()
                await chrome.close()
            for browser in town.browsers:
                await browser.client.aclose()


def small(file: Path, into: Path) -> None:
    """A copy of an image with few colours, for the handbook."""
    with Image.open(file) as whole:
        whole.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(into, optimize=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--guide", action="store_true", help="make the images of the handbook anew")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}; all without")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.pages) - set(PAGES)):
        parser.error(f"no page {', '.join(unknown)}")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if not chosen.guide:
        asyncio.run(take(chosen.folder, chosen.pages or list(PAGES)))
        return
    asyncio.run(take(chosen.folder, GUIDE, whole=False, looks=("light",)))
    for name, language in product(GUIDE, ("zh", "en")):
        small(chosen.folder / f"{name}-{language}-light.png", ROOT / "docs" / "guide" / f"{name}.{language}.png")


if __name__ == "__main__":
    main()
