"""The tour: begun, walked and removed by an administrator, without script. Nothing real ever counts it."""

import re
from typing import Any

import pytest

from schemas.titles import TITLES
from services.console.offices.tour import STOPS
from services.console.words import title, translations
from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


def lasting(told: Any) -> Any:
    """An answer without what changes from second to second."""
    if isinstance(told, dict):
        return {name: lasting(value) for name, value in told.items() if name != "seconds_left"}
    return [lasting(one) for one in told] if isinstance(told, list) else told


async def known(town: Town, *paths: str) -> list[Any]:
    """What the services answer to the root's auditor, chief and officers."""
    await town.system.settle()
    found = []
    async with town.system.client(town.system.token("city", "chief", "auditor", "duty_officer", "handler")) as client:
        for path in paths:
            answer = await client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            found.append(lasting({name: of for name, of in answer.json().items() if name in ("items", "lists")}))
    return found


LISTS = (
    "/triage/v1/incidents", "/triage/v1/desk", "/triage/v1/desk/open", "/triage/v1/desk/inbox",
    "/triage/v1/desk/to_assign", "/triage/v1/desk/to_accept", "/triage/v1/desk/to_approve", "/triage/v1/reports",
    "/triage/v1/statistics/handovers", "/triage/v1/statistics/handovers?drill=true", "/escalation/v1/clocks",
    "/escalation/v1/reports-owed", "/escalation/v1/reports-to-confirm", "/escalation/v1/outgoing-notices?unit=city",
    "/publish/v1/statements", "/audit/v1/incidents", "/audit/v1/findings?drill=true", "/audit/v1/lessons?drill=true",
)  # fmt: skip


async def test_the_tour_is_walked_and_leaves_nothing_behind(town: Town) -> None:
    root = await town.at("admin@city")
    await town.reported(await town.at("duty_officer@town-east"), "真实的路灯不亮", place="东街")
    before = await known(town, *LISTS)
    page = await root.open("/tour")
    stop = await root.send(page, "/tour/begin")
    assert stop.path == f"{HOME}/tour/1", stop.said
    await town.system.settle()
    for at in range(1, 8):
        stop = await root.open(f"/tour/{at}")
        (link,) = re.findall(r'class="button" href="([^"]+)" target', stop.text)
        if at < 7:
            shown = await root.open(link.removeprefix(HOME))
            assert shown.status == 200 and "演示" in shown.said, link
    shown = await root.open("/board?unit=tour-1")
    assert shown.said.count("演练") >= 3 and "演示：人民路水管爆裂" in shown.said
    numbers = set(re.findall(r"tour-1-\d{4}-X\d{5}", shown.text))
    assert len(numbers) == 3
    matters = await root.open("/record/matters?drill=true")
    assert matters.said.count("演练") > 3 and all(number in matters.said for number in numbers)
    matters = await root.open("/record/matters?drill=false")
    assert matters.status == 200 and not any(number in matters.said for number in numbers)
    async with town.system.client("") as client:
        for path in ("/bulletin/", "/bulletin/feed.json", "/bulletin/feed.atom"):
            assert "演示" not in (await client.get(path)).text
    removed = await root.send(await root.open("/tour"), "/tour/remove")
    assert removed.path == f"{HOME}/tour" and "开始演示" in removed.said
    assert await known(town, *LISTS) == before
    for path in ("/board", "/inbox", "/statements"):
        assert "演示：" not in (await root.open(path)).said
    kept = await root.open(f"/incidents/{min(numbers)}")
    assert kept.status == 200 and "演练" in kept.said, "the record keeps it"


QUOTED = re.compile("“([^”]+)”")


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
async def test_what_a_stop_quotes_stands_so_on_its_page_or_is_the_button_of_a_verb(town: Town, language: str) -> None:
    root = await town.at("admin@city", language=language)
    await root.send(await root.open("/tour"), "/tour/begin")
    await town.system.settle()
    try:
        buttons = {title(verb, "en" if language == "en-GB" else "zh") for verb in TITLES}
        for at, (code, _, text) in enumerate(STOPS, 1):
            stop = await root.open(f"/tour/{at}")
            links = re.findall(r'class="button" href="([^"]+)" target', stop.text)
            told = translations("en" if language == "en-GB" else "zh").gettext(text)
            shown = stop.text.replace(told, "")
            assert shown != stop.text, "the stop says it"
            # The way to a page stands on the page before it.
            before = [link.removesuffix("/timeline") for link in links] if code != "bulletin" else []
            shown += "".join(
                [(await root.open(link.removeprefix(HOME))).text for link in {*links, *before} - {"/bulletin/"}]
            )
            there = {one.strip() for one in re.findall(r">([^<>]+)<", shown)} | buttons
            quoted = QUOTED.findall(told)
            assert quoted and not set(quoted) - there, (code, set(quoted) - there)
    finally:
        await root.send(await root.open("/tour"), "/tour/remove")


async def test_units_for_exercises_are_choices_for_exercises_alone(town: Town) -> None:
    root, desk = await town.at("admin@city"), await town.at("duty_officer@city")
    real = (await town.reported(desk, "真实的井盖缺失", place="南街", unit="city")).path.removeprefix(HOME)
    await root.send(await root.open("/tour"), "/tour/begin")
    await town.system.settle()
    try:
        for path in ("/reports/new", f"{real}/triage/assign", f"{real}/triage/hold-meeting", "/paper/enter"):
            page = await desk.open(path)
            assert page.status == 200 and "town-east" in page.text and not re.search(r"tour-\d", page.text), path
        (exercise,) = {
            link.removeprefix(HOME)
            for link in (await desk.open("/board")).links
            if re.search(r"/tour-\d+-\d{4}-X00003$", link)
        }
        form = await desk.open(f"{exercise}/triage/assign")
        values = set(re.findall(r'<option value="([^"]+)"', form.text))
        assert {one for one in values if "tour-" in one} and not {"county", "town-east"} & values, values
    finally:
        await root.send(await root.open("/tour"), "/tour/remove")


async def test_a_second_tour_has_an_office_of_its_own(town: Town) -> None:
    root = await town.at("admin@city")
    assert (await root.send(await root.open("/tour"), "/tour/begin")).path == f"{HOME}/tour/1"
    assert "tour-2" in (await root.open("/units")).text
    again = await root.send(await root.open("/tour"), "/tour/remove")
    assert "开始演示" in again.said


async def test_an_administrator_of_a_town_begins_it_below_the_own_unit(town: Town) -> None:
    east, west = await town.at("admin@town-east"), await town.at("admin@town-west")
    assert (await east.open("/tour/1")).status == 404, "it has not begun"
    begun = await east.send(await east.open("/tour"), "/tour/begin")
    assert begun.path == f"{HOME}/tour/1", begun.said
    await town.system.settle()
    for at in range(1, 7):
        stop = await east.open(f"/tour/{at}")
        (link,) = re.findall(r'class="button" href="([^"]+)" target', stop.text)
        shown = await east.open(link.removeprefix(HOME))
        assert shown.status == 200 and "演示" in shown.said, link
    assert "开始演示" in (await west.open("/tour")).said, "each unit has its own tour"
    assert "开始演示" in (await east.send(await east.open("/tour"), "/tour/remove")).said
    assert not [code for code in (await town.system.console.site.offices()).units if "tour" in code]  # type: ignore[union-attr]


async def test_who_cannot_begin_it_reads_why(town: Town) -> None:
    officer, water = await town.at("duty_officer@county"), await town.at("admin@county-water")
    refused = await officer.open("/tour")
    assert refused.status == 403 and "请本单位或上级单位的系统管理员" in refused.said
    page = await water.open("/tour")
    assert "请上级单位的系统管理员开始演示" in page.said and "开始演示</button>" not in page.text
