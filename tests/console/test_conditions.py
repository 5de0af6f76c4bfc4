"""The console under conditions: a service down, spaced text, forced colours, print; what cookies and storage hold."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Error, Page
from structlog.testing import capture_logs

from schemas.catalogue import SERVICES
from services.console.app import application
from services.console.labels import PARTS
from services.console.site import Site
from services.kernel.rules import pack_words
from tests.console.browser import HOME, Browser
from tests.console.conftest import PASSWORD, Desk, Town, faults

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chromium]
POSTS = ("duty_officer@town-east", "chief@town-east", "admin@town-east")
WHOLE = {"ingest": (), "triage": ("/incidents/{}",), "escalation": ("/roster",), "publish": ("/statements",),
         "audit": ("/incidents/{}/timeline",)}  # fmt: skip
"""Service -> pages that are about what it alone knows. They say so as a whole."""
PARTLY = {"ingest": (), "triage": ("/board", "/inbox"), "escalation": ("/incidents/{}",),
          "publish": ("/incidents/{}",), "audit": ("/incidents/{}",)}  # fmt: skip
"""Service -> pages of which it fills a part."""
SPACED = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-bottom: 2em !important }
"""
"""What WCAG 1.4.12 lets a person set."""
CUT_OFF = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const style = getComputedStyle(one);
  return /hidden|clip/.test(style.overflowX + style.overflowY) && !one.closest(".hidden")
    && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1);
}).map((one) => one.outerHTML.slice(0, 120))"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def officer(desk: Desk) -> AsyncIterator[Page]:
    """A page of somebody who may read most."""
    context, page = await desk.at(*POSTS)
    yield page
    await context.close()


class Gone(httpx.AsyncBaseTransport):
    """A service that does not answer."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down")


@pytest.mark.parametrize("service", SERVICES)
async def test_with_a_service_down_a_part_says_so_and_the_rest_works(
    desk: Desk, officer: Page, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    site, found = desk.town.system.console.site, []  # type: ignore[union-attr]
    async with httpx.AsyncClient(transport=Gone(), base_url="http://huiying") as gone:
        monkeypatch.setitem(site.clients, service, gone)  # type: ignore[arg-type]
        told = f"{PARTS[service]}暂时不能用"
        for path in (path.format(desk.number) for path in PARTLY[service]):
            await desk.open(officer, path)
            assert told in await officer.inner_text("main"), path
            found += await faults(officer)
        for path in (path.format(desk.number) for path in WHOLE[service]):
            answer = await officer.goto(f"{desk.address}{HOME}{path}")
            assert answer is not None and answer.status == 503 and told in await officer.inner_text("main"), path
            found += await faults(officer)
        for path in ("/packs", "/search", "/reports/new", "/post", "/account/password"):
            await desk.open(officer, path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [1280, 320])
async def test_text_that_a_person_spaces_out_is_not_cut_off(desk: Desk, width: int) -> None:
    context, page = await desk.at(*POSTS, viewport={"width": width, "height": 800}, bypass_csp=True)
    matter = f"/incidents/{desk.number}"
    for path in ("/inbox", "/board", "/reports/new", "/statements", "/roster", "/search", "/packs", matter,
                 f"{matter}/triage/grade", f"/statements/{desk.statement}"):  # fmt: skip
        await desk.open(page, path)
        await page.add_style_tag(content=SPACED)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert await page.evaluate(CUT_OFF) == [], path
    await context.close()


async def test_forced_colours_leave_states_the_place_and_the_focus_to_be_seen(desk: Desk) -> None:
    context, page = await desk.at(*POSTS, forced_colors="active")
    for path in ("/board", f"/incidents/{desk.number}"):
        await desk.open(page, path)
        borders = "all => all.map(one => getComputedStyle(one).borderTopStyle)"
        assert set(await page.eval_on_selector_all(".state, .tag", borders)) <= {"solid", "dashed"}, path
        assert not await faults(page)
    await desk.open(page, "/board")
    colours = await page.eval_on_selector_all(
        ".nav a", "all => all.map(one => [one.ariaCurrent, getComputedStyle(one).borderBottomColor])"
    )
    here = {colour for current, colour in colours if current}
    assert len(here) == 1 and not here & {colour for current, colour in colours if not current}
    await page.keyboard.press("Tab")
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await context.close()


async def test_nothing_moves_for_whoever_asked_for_rest(officer: Page, desk: Desk) -> None:
    await desk.open(officer, "/board")
    moving = "() => [...document.querySelectorAll('*')].filter(one => getComputedStyle(one).transitionDuration != '0s')"
    assert await officer.evaluate(f"({moving})().length") == 0
    assert await officer.evaluate("document.getAnimations().length") == 0


async def test_print_is_dark_on_light_without_the_frame_on_a_dark_screen_too(desk: Desk) -> None:
    context, page = await desk.at(*POSTS, color_scheme="dark", viewport={"width": 590, "height": 860})
    await page.emulate_media(media="print")
    for path in ("/board", "/roster", f"/incidents/{desk.number}", f"/statements/{desk.statement}"):
        await desk.open(page, path)
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        for frame in (".top", ".nav", "footer", ".verbs"):
            assert not await page.locator(frame).first.is_visible() if await page.locator(frame).count() else True
        assert await page.evaluate("document.documentElement.scrollWidth") <= 590, path
        assert not await faults(page), path
    await context.close()


async def cookies_of(town: Town, address: str) -> dict[str, str]:
    """Name -> attributes of each cookie that a sign-in sets, at a console of this public address."""
    site = town.system.console.site  # type: ignore[union-attr]
    settings = site.settings.model_copy(update={"public_url": address})
    own = Site(settings, site.database, b"another secret, long enough to be one", site.clients, site.now)
    own.accounts = site.accounts
    browser, found = Browser(application(own)), {}
    browser.client.base_url = address
    browser.client.event_hooks["response"].append(
        lambda answer: _noted(found, answer)  # type: ignore[arg-type, return-value]
    )
    await browser.sign_in(await town.person("duty_officer@town-east"), PASSWORD)
    await browser.client.aclose()
    return found


async def _noted(found: dict[str, str], answer: httpx.Response) -> None:
    for line in answer.headers.get_list("set-cookie"):
        name, _, rest = line.partition("=")
        found[name] = rest.partition(";")[2].lower()


async def test_no_script_reads_a_cookie_and_https_keeps_it_to_itself(town: Town) -> None:
    plain, secure = await cookies_of(town, "http://127.0.0.1:8400"), await cookies_of(town, "https://huiying.test")
    assert "huiying" in plain and "__Host-huiying" in secure
    for name, attributes in (plain | secure).items():
        assert "httponly" in attributes and "samesite=lax" in attributes, name
    assert "path=/console" in plain["huiying"] and "secure" not in plain["huiying"]
    for name, attributes in secure.items():
        assert "secure" in attributes and "domain" not in attributes, name
    assert "path=/;" in secure["__Host-huiying"] + ";"


async def test_words_of_a_report_stay_in_no_address_title_storage_or_log(desk: Desk) -> None:
    """Planted words go through each form that takes some, and the browser is left as at a public computer."""
    planted = ("金鱼巷", "藏头诗", "青花瓷", "野鸭湖")
    context, page = await desk.at()
    await page.goto(f"{desk.address}{HOME}/")
    await page.fill("#login", await desk.town.person("duty_officer@town-east"))
    await page.fill("#password", PASSWORD)
    await page.click("main button.main")
    kept: list[str] = []
    context.on("request", lambda request: kept.extend((request.url, request.headers.get("referer", ""))))

    async def presses(button: str) -> None:
        async with page.expect_navigation():
            await page.click(button)
        kept.append(await page.title())

    with capture_logs() as logs:
        await desk.open(page, "/reports/new")
        await page.select_option("#f-channel", "hotline")
        for name, words in zip(("subject", "text", "place"), planted, strict=False):
            await page.fill(f"#f-{name}", f"{words}一带停电")
        await page.fill("#f-discovered_at", "2026-11-25 21:07")
        for button in ("main form .main", "main form .main", "main .button.main", ".verbs a:text-is('交办')"):
            await presses(button)
        await page.fill("#f-reason", f"{planted[3]}由本局管")
        await presses("main form .main")
        assert await page.locator("#faults").count(), "a refused form keeps the words"
        assert any(planted[3] in one for one in await _storage(page)), "a draft is kept in this browser"
        await desk.open(page, "/search")
        await page.fill("#s-words", f"{planted[0]}一带")
        await page.fill("#s-purpose", planted[1])
        await presses("main form .main")
        assert planted[0] in await page.inner_text("main")
        await presses("form[action$='/sign-out'] button")
    assert await _storage(page) == []
    with suppress(Error):  # the browser has kept nothing to which it could go back
        await page.go_back()
    await page.wait_for_load_state()
    left = await page.locator("body").inner_text()
    assert not [words for words in planted if words in left]
    told = "\n".join([*kept, *map(str, logs), *[f"{one}" for one in await context.cookies()]])
    assert len(kept) > 20 and not [words for words in planted if words in told]
    await context.close()


async def _storage(page: Page) -> list[str]:
    found: list[str] = await page.evaluate("[...Object.values(localStorage), ...Object.values(sessionStorage)]")
    return found


async def test_pages_go_without_the_words_of_packs_while_their_file_is_faulty(town: Town, tmp_path: Path) -> None:
    site = town.system.console.site  # type: ignore[union-attr]
    (tmp_path / pack_words.FILE).write_text("titles: three")
    settings = site.settings.model_copy(update={"policies": tmp_path})
    own = Site(settings, site.database, b"another secret, long enough to be one", site.clients, site.now)
    assert own.spoken({"title": "期限"}, "en") == {"title": "期限"}
