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
from tests.console.browser import HOME
from tests.console.conftest import Desk, Town
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
    "refused": "/no-such-page",
}
GUIDE = ("report", "board", "matter", "statement", "roster")
"""The pages that the handbook shows."""
LOOKS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 375, "height": 800}},
    "print": {"color_scheme": "light", "viewport": {"width": 620, "height": 880}},
}
ADMINISTRATORS = ("accounts", "health")
"""Pages that another post sees."""
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


async def worked_at(town: Town) -> tuple[str, str]:
    """Puts some work into a town. Numbers of a matter and of a statement on which much was done."""
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
    await town.system.settle()
    return matter, statement


async def take(folder: Path, names: Sequence[str], *, whole: bool = True, looks: Iterable[str] = LOOKS) -> None:
    """Makes a town with some work in it, and takes its pages: whole, or what a window shows."""
    with tempfile.TemporaryDirectory() as data, socket.socket() as on:
        on.bind(("127.0.0.1", 0))
        on.listen()
        async with running(Settings(data=Path(data))) as system:
            town = Town(system)
            matter, statement = await worked_at(town)
            async with served(system, on) as address, async_playwright() as playwright:
                chrome = await playwright.chromium.launch(executable_path=str(native.chromium()), args=FLAGS)
                desk = Desk(town, chrome, address, matter, statement, [])
                for language, look, posts in product(("zh-CN", "en-GB"), looks, (POSTS, POSTS[2:])):
                    context, page = await desk.at(*posts, language=language, **LOOKS[look])
                    await page.emulate_media(media="print" if look == "print" else "screen")
                    for name in (name for name in names if (name in ADMINISTRATORS) == (posts != POSTS)):
                        await page.goto(address + HOME + PAGES[name].format(matter=matter, statement=statement))
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
