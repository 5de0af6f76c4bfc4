"""Takes each page of the console, in both languages, light, dark and narrow, to be looked at.

python -m tests.console.screenshots FOLDER [PAGE ...]      writes FOLDER/<page>-<zh|en>-<light|dark|narrow|print>.png
"""

import argparse
import asyncio
import socket
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

from deploy import native
from services.apps.embedded import running
from services.apps.up import served
from services.kernel.settings import Settings
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
    "revise": "/statements/{statement}/approve",
    "roster": "/roster",
    "plan": "/roster/plan-duties?unit=town-east",
    "sheet": "/roster/sheet",
    "search": "/search",
    "packs": "/packs",
    "pack": "/packs/county-default@2",
    "accounts": "/accounts",
    "health": "/health",
    "refused": "/no-such-page",
}
LOOKS: dict[str, dict[str, object]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 375, "height": 800}},
    "print": {"color_scheme": "light", "viewport": {"width": 620, "height": 880}},
}
REPORTS = (
    ("垃圾三天没有清运", "幸福里小区垃圾三天没有人清。", "幸福里小区"),
    ("三中门口路灯不亮", "三中门口两盏路灯坏了四天，学生晚自习回家看不见路。", "三中门口"),
    ("夜市噪声扰民", "北街夜市到凌晨一点还放音响。", "北街夜市"),
    ("桥下积水", "一下雨东桥下就积水，车过不去。", "东桥"),
)


async def take(folder: Path, names: list[str]) -> None:
    """Makes a town with some work in it, and takes its pages."""
    with tempfile.TemporaryDirectory() as data, socket.socket() as on:
        on.bind(("127.0.0.1", 0))
        on.listen()
        async with running(Settings(data=Path(data))) as system:
            town = Town(system)
            matter, statement = await town.handled()
            officer = await town.at("duty_officer@town-east")
            for subject, text, place in REPORTS:
                await town.reported(officer, subject, text, place=place)
            await system.settle()
            async with served(system, on) as address, async_playwright() as playwright:
                chrome = await playwright.chromium.launch(executable_path=str(native.chromium()), args=FLAGS)
                desk = Desk(town, chrome, address, matter, statement, [])
                for language in ("zh-CN", "en-GB"):
                    for look, more in LOOKS.items():
                        who = ("admin@town-east",) if names == ["accounts"] else POSTS
                        context, page = await desk.at(*who, language=language, **more)
                        await page.emulate_media(media="print" if look == "print" else "screen")
                        for name in names:
                            path = PAGES[name].format(matter=matter, statement=statement)
                            await _one(page, f"{address}{HOME}{path}", folder / f"{name}-{language[:2]}-{look}.png")
                        await context.close()
                await chrome.close()
            for browser in town.browsers:
                await browser.client.aclose()


async def _one(page: Page, address: str, file: Path) -> None:
    await page.goto(address)
    await page.screenshot(path=file, full_page=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}; all without")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.pages) - set(PAGES)):
        parser.error(f"no page {', '.join(unknown)}")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(chosen.folder, chosen.pages or list(PAGES)))


if __name__ == "__main__":
    main()
