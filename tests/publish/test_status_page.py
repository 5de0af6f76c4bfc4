"""The page of the public status in a browser: narrow, in dark, without script, on paper."""

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe

from schemas.triage import IncidentAssigned, IncidentReplied
from tests.console.conftest import RULES
from tests.kit import spec
from tests.publish.conftest import Office
from tests.publish.test_pages import browser, opened, served
from tests.publish.test_status import CODE, clock, limit, received


async def faults(page: Any) -> list[str]:
    """What axe finds on the page as it stands."""
    found = await Axe().run(page, options=RULES)
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]]


@pytest.mark.chromium
@pytest.mark.parametrize(("scheme", "lang"), [("light", "zh"), ("dark", "en")])
async def test_somebody_with_a_receipt_asks_on_a_small_telephone_without_script(
    office: Office, chromium: str, scheme: str, lang: str
) -> None:
    await received(office)
    replied = IncidentReplied.model_validate({"text": "已修好"})
    await office.incident(IncidentAssigned(unit="county-roads"), replied)
    await clock(office, limit(policy=spec.offices().assigned["city"]))
    said = {"zh": ("查询", "已直接答复反映人"), "en": ("Ask", "Answered directly")}[lang]
    async with served(office) as address, browser(chromium) as chrome:
        page, complaints = await opened(chrome, 320, color_scheme=scheme, java_script_enabled=False)
        await page.goto(f"{address}/bulletin/status?lang={lang}")
        await page.locator("#code").fill(CODE.lower())
        await page.get_by_role("button", name=said[0]).click()
        assert said[1] in await page.locator("main").inner_text()
        assert page.url == f"{address}/bulletin/status" + ("?lang=en" if lang == "en" else "")
        assert await page.locator("#code").input_value() == ""
        assert complaints == []
        html = await page.content()
        checked, complaints = await opened(chrome, 320, color_scheme=scheme)
        await checked.route("**/bulletin/status*", lambda route: route.fulfill(body=html, content_type="text/html"))
        await checked.goto(f"{address}/bulletin/status")
        assert await checked.evaluate("document.documentElement.scrollWidth") <= 320
        assert await faults(checked) == []
        await checked.emulate_media(media="print")
        assert not await checked.locator("form").is_visible()
        assert complaints == []
