"""Packs in a browser without script: read beside their clauses, written, checked, tried, and adopted last."""

import json
from typing import Any

import httpx
import pytest

from services.kernel.settings import ROOT
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
COUNTY = (ROOT / "policies" / "county-default.yaml").read_text("utf-8")
SHORTER = COUNTY.replace("duration: PT3H", "duration: PT2H", 1).replace("\nversion: 2\n", "\nversion: 3\n")
COMMENT = "# 三小时改为两小时，县政府常务会议决定\n"
CHIEF = "chief@city"


def typed(page: Page, action: str, name: str) -> str:
    """What stands in a field. Browsers leave out the line break with which an area begins."""
    return dict(page.form(action).fields)[name].removeprefix("\n")


async def drafted(town: Town, text: str = "") -> tuple[Browser, str]:
    """A browser of the root's leader, and the address of a draft that began with the version in force."""
    browser = await town.at(CHIEF)
    page = await browser.send(await browser.open("/pack-drafts"), "/pack-drafts", base="county-default@2")
    own = page.path.removeprefix(HOME)
    if text:
        page = await browser.send(page, own, text=text)
    assert page.status == 200, page.said
    return browser, own


async def packs(town: Town) -> set[Any]:
    """The versions of the county's pack that the record has."""
    async with town.system.client(town.system.token("city", "chief")) as client:
        items = (await client.get("/triage/v1/packs")).json()["items"]
    return {one["version"] for one in items if one["pack"] == "county-default"}


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
async def test_each_rule_stands_beside_its_clause_its_quotation_and_its_kind(town: Town, language: str) -> None:
    browser = await town.at("duty_officer@town-east", language=language)
    page = await browser.open("/packs/county-default@2")
    assert "于發現后三小時內" in page.said and "clocks.public_statement" in page.said
    marks = ("文件明文", "对文件的解读", "文件没有规定，本系统定的", "文件没有写明数值")
    for mark in (
        marks
        if language == "zh-CN"
        else ("The document says so", "A reading", "a choice of this system", "gives no value")
    ):
        assert mark in page.said
    assert ("文种 通告 " if language == "zh-CN" else "Form Notice ") in page.said, "not the notice to correct something"
    assert ("3 小时" if language == "zh-CN" else "3 h") in page.said
    assert "size(flags) &gt; 0" in page.said and len(page.text.encode()) < 150_000
    assert not [link for link in page.links if "pack-drafts" in link or link.endswith("/assign")]
    assert (await browser.open("/packs/county-default@9")).status == 404


async def test_only_who_may_load_packs_has_the_editor_and_drafts_are_their_own(town: Town) -> None:
    browser, own = await drafted(town)
    for post in ("chief@county", "duty_officer@town-east", "auditor@city"):
        assert (await (await town.at(post)).open("/pack-drafts")).status == 403, post
    assert (await (await town.at(CHIEF)).open(own)).status == 404
    page = await browser.open("/pack-drafts")
    dropped = await browser.send(page, f"{own}/drop")
    assert own not in str(dropped.links) and (await browser.open(own)).status == 404


async def test_the_text_keeps_comments_and_faults_lead_to_their_line(town: Town) -> None:
    wrong = COMMENT + SHORTER.replace("rank: 3", "rank: three")
    browser, own = await drafted(town)
    page = await browser.open(own)
    assert typed(page, own, "text").rstrip() == COUNTY.rstrip(), "the text of the version as it was written"
    page = await browser.send(page, own, text=wrong)
    line = wrong[: wrong.index("rank: three")].count("\n") + 1
    assert f"第 {line} 行第 5 列" in page.said and f'data-line="{line}"' in page.text
    assert typed(page, own, "text").startswith(COMMENT), "nothing of what was typed is lost"
    assert typed(await browser.open(own), own, "text").startswith(COMMENT)
    good = await browser.send(page, own, text=COMMENT + SHORTER)
    assert "没有错误，可以作为 county-default@3 启用" in good.said and await packs(town) == {2}


async def test_a_draft_is_compared_and_its_cases_are_run(town: Town) -> None:
    browser, own = await drafted(town, COMMENT + SHORTER)
    page = await browser.open(f"{own}/difference")
    assert "<ins" in page.text and "PT2H" in page.said and "PT3H" in page.said and "version: 3" in page.said
    page = await browser.open(f"{own}/cases")
    assert "个不符" in page.said
    given = json.loads(typed(page, f"{own}/cases", "cases"))
    held = await browser.send(page, f"{own}/cases", cases=json.dumps(given[:1], ensure_ascii=False))
    assert "1 个案例都相符" in held.said or "1 个案例中有 1 个不符" in held.said
    broken = await browser.send(held, f"{own}/cases", cases="[{]")
    assert broken.status == 422 and typed(broken, f"{own}/cases", "cases") == "[{]"


async def test_a_case_and_a_matter_are_explained_by_the_draft(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    matter = (await town.reported(officer, "噪声扰民", place="北街")).path.rpartition("/")[2]
    await town.system.settle()
    browser, own = await drafted(town, SHORTER)
    own += "/explain"
    facts = {
        "discovered_at": "2026-03-02T09:00:00+08:00",
        "graded": {"level": "major", "at": "2026-03-02T09:20:00+08:00"},
    }
    page = await browser.send(await browser.open(own), own, facts=json.dumps(facts))
    assert "公开回应" in page.said and "03-02 11:00" in page.said and "于發現后三小時內" in page.said
    page = await browser.send(page, own, number=matter, facts="")
    assert "转达业务科室" in page.said and "依据的规则" in page.said, page.said
    for typed in (
        {"facts": "", "number": ""},
        {"facts": "{", "number": ""},
        {"facts": "", "number": "town-east-2026-99999"},
    ):
        refused = await browser.send(page, own, **typed)
        assert refused.status == 422 and "没有办成" in refused.said and matter not in refused.path


async def test_a_dry_run_counts_what_would_be_late(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    matter = await town.reported(officer, "路面塌陷", place="南桥", discovered_at="2026-11-25 21:07")
    await town.system.settle()
    browser, own = await drafted(town, SHORTER.replace("duration: PT2H", "duration: PT1M", 1))
    page = await browser.open(f"{own}/dry-run?since=2020-01-01")
    assert "件事项" in page.said and page.status == 200
    assert "期限提前" in page.said or "都不会因此逾期" in page.said
    assert (await browser.open(f"{own}/dry-run?since=gestern")).status == 422
    broken = await browser.send(await browser.open(own), own, text="id: a\nid: b")
    assert broken.status == 200 and "“id”重复了，请只留一个" in broken.said
    assert (await browser.open(f"{own}/dry-run")).status == 422
    assert matter.status == 200


async def test_a_service_that_is_down_loses_nothing_of_the_draft(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, own = await drafted(town)
    page = await browser.open(own)
    site = town.system.console.site  # type: ignore[union-attr]
    monkeypatch.setitem(site.clients, "triage", down())
    kept = await browser.send(page, own, text=SHORTER)
    assert typed(kept, own, "text").rstrip() == SHORTER.rstrip() and "草稿已保存" in kept.said
    monkeypatch.setitem(site.clients, "escalation", down())
    cases = await browser.open(f"{own}/cases")
    assert cases.status == 503 and "时限服务暂时不能用" in cases.said


def down() -> httpx.AsyncClient:
    """A client of a service whose calls fail."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down")

    return httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://down")


@pytest.mark.parametrize(("name", "step"), [("text", ""), ("cases", "/cases")])
async def test_two_pages_of_one_draft_lose_no_text(town: Town, name: str, step: str) -> None:
    browser, own = await drafted(town)
    own += step
    one, other = await browser.open(own), await browser.open(own)
    await browser.send(one, own, **{name: "[]"})
    stale = await browser.send(other, own, **{name: "[ ]"})
    assert stale.status == 409 and "已在另一个页面改过" in stale.said and typed(stale, own, name) == "[ ]"
    assert typed(await browser.open(own), own, name) == "[]", "the other text is not lost"
    again = await browser.send(stale, own, **{name: "[ ]"})
    assert again.status == 200 and typed(again, own, name) == "[ ]", "the next save is deliberate"


@pytest.mark.parametrize("lessons", ["9" * 5000, "9" * 20, "²", "一"])
async def test_a_lesson_that_is_no_number_is_refused_in_words(town: Town, lessons: str) -> None:
    browser, own = await drafted(town, SHORTER.replace("version: 3", "version: 9"))
    own += "/adopt"
    page = await browser.send(await browser.open(own), own, unit="", lessons=lessons)
    assert page.status == 422 and "经验教训只写编号" in page.said and 9 not in await packs(town)


async def test_numbers_of_lessons_are_parted_by_any_comma(town: Town) -> None:
    browser, own = await drafted(town, SHORTER.replace("version: 3", "version: 9"))
    own += "/adopt"
    for lessons in ("１、２", "1，2；", "1,2 ;"):
        page = await browser.send(await browser.open(own), own, unit="", lessons=lessons)
        assert "经验教训只写编号" not in page.said, page.said


async def test_nothing_takes_effect_before_the_draft_is_adopted(town: Town) -> None:
    browser, own = await drafted(town, COMMENT + SHORTER.replace("version: 3", "version: 7"))
    page = await browser.open(f"{own}/adopt")
    assert await packs(town) == {2} and "以 county-default@7 收进记录" in page.said
    early = await browser.send(page, f"{own}/adopt", unit="county", since="2019-01-01 00:00")
    assert early.status == 409 and typed(early, f"{own}/adopt", "since") == "2019-01-01 00:00", early.said
    assert "制度已收进记录，还没有启用" in early.said
    done = await browser.send(early, f"{own}/adopt", unit="county", since="")
    assert done.path.startswith(f"{HOME}/packs/county-default@7?") and "已办：指定适用的制度" in done.said
    assert await packs(town) == {2, 7} and "县" in done.said
    told = await browser.open("/packs/county-default@7/difference?to=county-default@2")
    assert "三小时改为两小时" in told.said, "the record keeps the comment"
    assert (await browser.open("/packs/county-default@7")).status == 200


async def test_a_pack_is_assigned_and_an_open_value_set_on_their_pages(town: Town) -> None:
    browser = await town.at(CHIEF)
    place = "/packs/county-default@2/set-value"
    given = {"unit": "city", "place": "review.written_report.limit", "value": "10 个工作日", "reason": "局务会决定"}
    done: Page = await browser.send(await browser.open(place), place, **given)
    assert "已办：填写未定的数值" in done.said, done.said
    place = "/packs/company-000@1/assign"
    done = await browser.send(await browser.open(place), place, unit="county-water")
    assert "已办：指定适用的制度" in done.said, done.said


async def test_a_number_of_a_lesson_is_no_longer_than_any(town: Town) -> None:
    browser, own = await drafted(town)
    page = await browser.open(f"{own}/adopt")
    refused = await browser.send(page, f"{own}/adopt", lessons="9" * 5_000)
    assert refused.status == 422 and "只写编号" in refused.said
