"""The public form of a unit on pages without script: opened, given out, described anew, closed."""

import httpx
import pytest

from tests.console.browser import WHERE
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPEN, CLOSE = "/forms/town-east/open-form", "/forms/town-east/close-form"


async def test_an_administrator_opens_a_form_gives_its_address_out_and_closes_it(town: Town) -> None:
    admin = await town.at("admin@county")
    listed = await admin.open("/forms")
    assert listed.said.count("○ 没有启用过") > 3 and "还没有单位启用过" in listed.said
    page = await admin.open("/forms/town-east")
    assert "启用网上表单" in page.said and "data:image/svg" not in page.text
    long = await admin.send(await admin.open(OPEN), OPEN, introduction="急" * 2001)
    assert long.status == 422 and "最多 2000 字" in long.said and "急急急" in long.text
    opened = await admin.send(long, OPEN, introduction="急事请打值班电话。")
    assert "已办：启用网上表单" in opened.said and "✓ 开着" in opened.said and "急事请打值班电话。" in opened.said
    (address,) = {link for link in opened.links if link.endswith("/form/town-east")}
    assert f'value="{address}"' in opened.text and "data:image/svg" in opened.text
    clients = town.system.console.site.clients  # type: ignore[union-attr]
    public: httpx.Response = await clients["ingest"].get(address.removeprefix(WHERE))
    assert public.status_code == 200 and "急事请打值班电话。" in public.text
    again = await admin.open(OPEN)
    assert "急事请打值班电话。" in again.text, "what stands there is changed, and not typed anew"
    await admin.send(again, OPEN, introduction="工作日受理。")
    assert "工作日受理。" in (await clients["ingest"].get(address.removeprefix(WHERE))).text
    assert address in (await admin.open("/forms")).links
    refused = await admin.send(await admin.open(CLOSE), CLOSE)
    assert refused.status == 422 and "请填写“理由”" in refused.said
    closed = await admin.send(refused, CLOSE, reason="维护")
    assert "○ 已停用" in closed.said and address not in closed.links


async def test_nobody_opens_the_form_of_another_unit(town: Town) -> None:
    other = await town.at("admin@town-west")
    listed = await other.open("/forms")
    assert "西镇 ○ 没有启用过" in listed.said and "town-east" not in listed.text
    for path in ("/forms/town-east", OPEN, CLOSE, "/forms/nowhere", "/forms/town-west/erase"):
        assert (await other.open(path)).status == 404, path
    chief = await town.at("chief@town-east")
    assert [(await chief.open(path)).status for path in ("/forms", "/forms/town-east", OPEN)] == [403] * 3
