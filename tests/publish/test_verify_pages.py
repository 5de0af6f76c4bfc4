"""The check in a browser: without script, on a telephone, on paper, and with the picture of a code."""

from itertools import product
from pathlib import Path

import pytest
import segno
from playwright.async_api import Request

from tests.console.conftest import faults
from tests.publish.conftest import PUBLIC, TEXT, Office
from tests.publish.test_pages import browser, opened, served

FORGED = TEXT.replace("17时", "19\u200b时") + "请转账。" + "长" * 300


@pytest.mark.chromium
async def test_a_text_is_verified_without_script_in_each_width_and_scheme(office: Office, chromium: str) -> None:
    id_ = await office.published(TEXT + "\n" + "https://" + "a" * 200)
    async with served(office) as address, browser(chromium) as chrome:
        for width, scheme, lang in product((320, 1280), ("light", "dark"), ("zh", "en")):
            page, complaints = await opened(chrome, width, color_scheme=scheme, java_script_enabled=True)
            await page.goto(f"{address}/bulletin/verify?lang={lang}")
            found = await faults(page)
            for text in (FORGED, TEXT, id_, "https://evil.example/bulletin/", "   x" * 3):
                await page.locator("#text").fill(text)
                await page.locator("#verify button").click()
                await page.locator(".verdict").wait_for()
                found += await faults(page)
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (text[:20], width)
                assert text[:5] not in page.url
            await page.goto(f"{address}/bulletin/statements/{id_}?lang={lang}")
            found += await faults(page)
            assert found == []
            assert [one for one in complaints if "404" not in one] == []
            await page.close()
        page, _ = await opened(chrome, 390, java_script_enabled=False)
        await page.goto(f"{address}/bulletin/verify")
        await page.locator("#text").fill(FORGED)
        await page.locator("#verify button").click()
        assert await page.locator(".verdict h2").inner_text() == "没有发布过这样的文字"
        assert await page.locator(".difference del").count() >= 1
        assert await page.locator("#picture").is_hidden()


@pytest.mark.chromium
async def test_a_picture_of_a_code_is_read_here_and_not_sent(office: Office, chromium: str, tmp_path: Path) -> None:
    id_ = await office.published()
    number = (await office.read(id_))["number"]
    code, foreign, empty = (tmp_path / name for name in ("code.png", "foreign.png", "empty.png"))
    segno.make(f"{PUBLIC}/bulletin/verify?statement={number}", error="m").save(str(code), scale=6)
    segno.make("https://office.test.evil.example/bulletin/verify?statement=1").save(str(foreign), scale=3, dark="navy")
    segno.make("1", micro=True).save(str(empty), scale=1)
    sent: list[Request] = []

    def note(request: Request) -> None:
        sent.append(request)

    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 390)
        page.on("request", note)
        for picture, says in ((code, "statement"), (foreign, "foreign")):
            await page.goto(f"{address}/bulletin/verify")
            await page.locator("#picture").set_input_files(picture)
            await page.locator(f".verdict.{says}").wait_for()
        await page.goto(f"{address}/bulletin/verify")
        await page.locator("#picture").set_input_files(empty)
        await page.get_by_text("这张图片里没有读到核验码").wait_for()
        bodies = [one.post_data_buffer or b"" for one in sent]
        assert all(len(body) < 300 and b"PNG" not in body for body in bodies)
        assert {one.url.partition("?")[0].removeprefix(f"{address}/bulletin/") for one in sent} <= {
            "verify",
            "verify.js",
            "jsQR.js",
            "style.css",
            "icon.svg",
        }
        assert complaints == []


@pytest.mark.chromium
async def test_the_code_of_a_statement_is_on_paper_and_can_be_read(
    office: Office, chromium: str, tmp_path: Path
) -> None:
    id_ = await office.published()
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 794, color_scheme="dark")
        await page.goto(f"{address}/bulletin/statements/{id_}")
        await page.emulate_media(media="print")
        assert await page.locator(".code img").is_visible()
        assert await page.locator(".code .printed").is_visible()
        shot = tmp_path / "paper.png"
        await page.screenshot(path=shot, full_page=True)
        await page.emulate_media(media="screen")
        await page.goto(f"{address}/bulletin/verify")
        await page.locator("#picture").set_input_files(shot)
        await page.locator(".verdict.statement").wait_for()
        assert complaints == []
