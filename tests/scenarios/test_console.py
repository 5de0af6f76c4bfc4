"""A burst water main in the browser: from the first call at night to the bulletin, by five people of two units."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest_asyncio

from schemas.catalogue import SERVICES
from services.console.serving import Console
from services.kernel.core.time_source import TimeSource
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from tests.console.browser import HOME, Browser, Page
from tests.kit import substrate
from tests.kit.stack import SECRET, World, get

PASSWORD = "a phrase for these tests"


@dataclass
class Desk:
    """The console before the services of a world."""

    console: Console
    world: World

    async def at(self, post: str) -> Browser:
        """A browser of a new person at a post."""
        login = post.replace("@", "-at-")
        await self.console.site.accounts.make(login, "王敏", PASSWORD, [post], must_change=False)
        browser = Browser(self.console.alone)
        assert (await browser.sign_in(login, PASSWORD)).path == f"{HOME}/inbox"
        return browser


@pytest_asyncio.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    """A console in this process, with a database of the world's kind; it reaches the services over HTTP."""
    database = substrate.new_databases("console", services=["console"]) if "HUIYING_KAFKA" in world.environment else ""
    store = Database(database.format(service="console") if database else tmp_path / "console.sqlite")
    clients = {service: httpx.AsyncClient(base_url=world.url(service), timeout=20) for service in SERVICES}
    settings = Settings(data=tmp_path, signing_key=world.folder / "signing-key.pem", clock=world.clock)
    console = Console(settings, store, SECRET.encode(), clients, TimeSource(world.clock).now)
    try:
        await console.start()
        yield Desk(console, world)
    finally:
        await console.stop()
        if database:
            substrate.drop_databases(database, services=["console"])


async def done(browser: Browser, own: str, verb: str, service: str = "triage", **typed: object) -> Page:
    """Opens the form of a verb from the matter's page and sends it, as soon as the service offers it."""
    action = f"{own}/{service}/{verb}" if service else f"{own}/{verb}"
    async with asyncio.timeout(20):
        while HOME + action not in (page := await browser.open(own)).links:
            await asyncio.sleep(0.1)
    after = await browser.send(await browser.open(action), action, **typed)
    assert "done=" in after.path, f"{verb}: {after.status} {after.said[:600]}"
    assert page.status == 200
    return after


async def test_a_water_main_at_night_from_the_first_call_to_the_bulletin(desk: Desk) -> None:
    duty, chief = await desk.at("duty_officer@town-east"), await desk.at("chief@town-east")
    page = await duty.open("/reports/new")
    said = {
        "channel": "hotline",
        "subject": "人民路自来水主管爆裂",
        "text": "人民路口漫水，三栋楼停水",
        "place": "人民路口",
    }
    checked = await duty.send(page, "/reports/new", discovered_at="2026-01-02 08:55", **said)
    taken = await duty.send(checked, "/reports/new", checked="yes")
    (link,) = [link for link in taken.links if re.search(r"/reports/report-[0-9a-f-]+$", link)]
    async with asyncio.timeout(20):
        while "/incidents/" not in (matter := await duty.open(link.removeprefix(HOME))).path:
            await asyncio.sleep(0.1)
    own = matter.path.removeprefix(HOME)
    await done(duty, own, "grade", level="general", reason="影响三栋楼")
    await done(duty, own, "classify", answer_kind="answer")
    await done(duty, own, "assign", unit="county-water", reason="管网归水利局")
    handler = await desk.at("handler@county-water")
    assert "人民路自来水主管爆裂" in (await handler.open("/inbox")).said
    await done(handler, own, "accept")
    await done(handler, own, "record-handling", track="problem", text="02:10 关阀，04:30 换管完毕恢复供水")
    own_handler = await desk.at("handler@town-east")
    drafted = await own_handler.open(f"/statements/new?incident={own.rpartition('/')[2]}")
    action = f"/statements/new?incident={own.rpartition('/')[2]}"
    text = {"kind": "status", "title": "人民路供水恢复情况", "text": "人民路主管已换管，四时三十分恢复供水。"}
    assert "done=draft" in (await own_handler.send(drafted, action, **text)).path
    (statement,) = [link for link in (await own_handler.open("/statements")).links if "/statements/town-east" in link]
    sheet = statement.removeprefix(HOME)
    await done(own_handler, sheet, "submit", service="")
    approver = await desk.at("approver@town-east")
    await done(approver, sheet, "approve", service="")
    spokesperson = await desk.at("spokesperson@town-east")
    await done(spokesperson, sheet, "publish", service="")
    async with asyncio.timeout(20):
        while "人民路供水恢复情况" not in get(f"{desk.world.url('publish')}/bulletin/").text:
            await asyncio.sleep(0.1)
    timeline = await chief.open(f"{own}/timeline")
    assert "人民路" not in timeline.path and "经热线电话收到反映" in timeline.said
    desk.world.check()
