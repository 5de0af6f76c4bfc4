"""The job in a browser without script: from a report to its matter, a verb, a conflict, a search."""

import re
from datetime import timedelta
from io import BytesIO
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from schemas.fields import parse_instant
from services.console.access import sessions
from services.console.calls import Answer
from services.console.page import HEADERS
from services.console.site import problem_of, titles
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORDS = "人民路水管爆裂漫水"


@pytest.mark.requirement("CON-01")
async def test_a_report_becomes_a_matter_on_the_board_with_its_limits(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    matter = await town.reported(browser, WORDS, "人民路漫水，请打13812345678", place="人民路")
    assert WORDS in matter.said and "[手机号]" in matter.said and "13812345678" not in matter.text
    (number,) = set(re.findall(r"town-east-\d{4}-\d{5}", matter.path))
    await town.system.settle()
    board = await browser.open("/board")
    assert number in board.said and WORDS in board.said and "转达业务科室" in board.said
    assert all(WORDS not in link for link in board.links), "no word of a report stands in an address"


async def test_a_verb_is_offered_by_the_service_filled_in_and_done(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    matter = await town.reported(browser, "路灯不亮", place="卫生院")
    own = matter.path.removeprefix(HOME)
    action, grading = own + "/triage/assign", own + "/triage/grade"
    assert HOME + action in matter.links
    empty = await browser.send(await browser.open(grading), grading)
    assert empty.status == 422 and "请填写“等级”" in empty.said
    done = await browser.send(await browser.open(action), action, unit="county-roads", reason="归口交通")
    assert "已办：交办" in done.said and "县交通运输局" in done.said
    stranger = await town.at("duty_officer@town-west")
    assert (await stranger.open(matter.path.removeprefix(HOME))).status == 404


async def test_a_statement_is_offered_to_whoever_may_draft_it(town: Town) -> None:
    desk, handler = await town.at("duty_officer@town-east"), await town.at("handler@town-east")
    matter = (await town.reported(desk, "护栏破损", place="东街")).path.removeprefix(HOME)
    await town.system.settle()
    drafting = f"{HOME}/statements/new?incident={matter.rpartition('/')[2]}"
    assert drafting in (await handler.open(matter)).links
    assert drafting not in (await desk.open(matter)).links


async def test_a_conflict_keeps_what_was_typed_and_the_next_send_is_deliberate(town: Town) -> None:
    one, other = await town.at("duty_officer@town-east"), await town.at("duty_officer@town-east")
    matter = await town.reported(one, "井盖缺失", place="幸福里")
    action = matter.path.removeprefix(HOME) + "/triage/assign"
    page = await one.open(action)
    await other.send(await other.open(action), action, unit="county-roads", reason="先交交通")
    stale = await one.send(page, action, unit="county-water", reason="应是水利的井")
    assert stale.status == 412 and "应是水利的井" in stale.text and "别人已经办了一步" in stale.said
    shown = re.search(r"承办单位</th>(.*?)</tr>", stale.text, re.DOTALL)
    assert shown is not None
    cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", shown[1], re.DOTALL)]
    assert cells == ["无", "县交通运输局", "县水利局"], "what it was, what it is now, what was typed"
    done = await one.send(stale, action, unit="county-water", reason="应是水利的井")
    assert "县水利局" in done.said


@pytest.mark.parametrize("how", ["the session ended", "a fault in a field"])
async def test_a_form_that_comes_back_still_knows_what_its_record_showed(
    town: Town, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Else a conflict after it would name no change."""
    one, other = await town.at("duty_officer@town-east"), await town.at("duty_officer@town-east")
    matter = await town.reported(other, f"井盖缺失 {how}", how, place=f"幸福里 {how}")
    action = matter.path.removeprefix(HOME) + "/triage/assign"
    page = await one.open(action)
    done = await other.send(await other.open(action), action, unit="county-roads", reason="先交交通")
    assert "已办" in done.said
    if how == "a fault in a field":
        page = await one.send(page, action, unit="county-water", reason="应是水利的井", due="不是时间")
        assert page.status == 422
    else:
        with monkeypatch.context() as patch:
            patch.setattr(sessions, "IDLE", -1)
            asked = await one.send(page, action, unit="county-water", reason="应是水利的井")
        assert "/sign-in?next=" in asked.path
        page = await one.open(action)
        assert "已放回" in page.said and "应是水利的井" in page.text
    stale = await one.send(page, action, unit="county-water", reason="应是水利的井", due="")
    assert stale.status == 412
    shown = re.search(r"承办单位</th>(.*?)</tr>", stale.text, re.DOTALL)
    assert shown is not None and "县交通运输局" in shown[1], "what it is now"


async def test_a_refusal_names_the_codes_of_the_pack_and_the_lists_by_their_titles(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    matter = await town.reported(browser, "桥面塌陷", "南桥桥面塌陷", place="南桥")
    own = matter.path.removeprefix(HOME)
    for verb, field in (("grade", "level"), ("categorize", "category")):
        action = f"{own}/triage/{verb}"
        page = await browser.open(action)
        code, title = re.findall(rf'name="{field}".*?<option value="(\w[^"]*)"[^>]*>([^<]+)<', page.text, re.DOTALL)[0]
        await town.done(browser, action, **{field: code, "reason": "现场核实"})
        again = await browser.send(await browser.open(action), action, **{field: code, "reason": "现场核实"})
        told = again.said.partition("没有办成")[2].partition("请选择其他")[0]
        assert again.status == 409 and f"已经是{title}" in told and code not in told, told


async def test_a_refusal_without_a_form_names_the_codes_of_the_packs_by_their_titles(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    await officer.open("/inbox")
    site = town.system.console.site  # type: ignore[union-attr]
    offices, detail = await site.offices(), "送审时按general级别，现在是major；时限 first_response 已过，1 件"
    pack = titles(*await site.packs())
    (clock,) = list(pack["clocks"])[:1]
    body = {"detail": detail.replace("first_response", clock), "submitted": "general", "level": "major", "clock": clock}
    for language, holds in (("zh", False), ("en", True)):
        me = SimpleNamespace(offices=offices, language=language)
        told = problem_of(Answer(409, body), me)  # type: ignore[arg-type]
        assert all((code in told) is holds for code in ("general", "major", clock)), told
        assert holds or (pack["levels"]["major"] in told and pack["clocks"][clock] in told and "1 件" in told)
        (degree, title), *_ = pack["harm_scale"].items()
        told = problem_of(Answer(422, {"detail": f"危害 {degree} 已判", "harm": degree}), me)  # type: ignore[arg-type]
        assert told == f"危害 {degree if holds else title} 已判"


async def test_the_subject_of_a_matter_is_its_link_in_every_list(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    matter = await town.reported(desk, "北门台阶破损", place="北门")
    await town.system.settle()
    for path in ("/inbox", "/board", "/register"):
        (link,) = re.findall(r'<a data-row[^>]* href="([^"]+)"[^>]*>北门台阶破损</a>', (await desk.open(path)).text)
        assert link == matter.path, path


async def test_a_number_opens_its_matter_and_words_ask_for_a_purpose(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    matter = await town.reported(browser, "噪声扰民到深夜", place="北街")
    number = matter.path.rpartition("/")[2]
    assert (await browser.send(await browser.open("/search"), "/search", number=number)).path == matter.path
    page = await browser.open("/search")
    assert (await browser.send(page, "/search", words="噪声扰民")).status == 422
    found = await browser.send(page, "/search", words="噪声扰民", purpose="核对是否同一件事")
    assert number in found.said and "噪声" not in found.path


async def test_a_foreign_form_does_nothing(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    page = await browser.open("/inbox")
    form = dict(page.form("/sign-out").fields)
    for headers, sent in (
        ({"Sec-Fetch-Site": "cross-site"}, form),
        ({"Sec-Fetch-Site": "same-site"}, form),
        ({"Sec-Fetch-Site": "same-origin"}, {"csrf": "0" * 64}),
        ({"Sec-Fetch-Site": "same-origin"}, {}),
    ):
        answer = await browser.client.post(f"{HOME}/sign-out", data=sent, headers=headers)
        assert answer.status_code == 403
    del browser.client.headers["Sec-Fetch-Site"]
    for origin, expected in (("null", 403), ("http://other.test", 403), (None, 403), ("http://127.0.0.1:8400", 200)):
        headers = {} if origin is None else {"Origin": origin}
        answer = await browser.client.post(f"{HOME}/sign-out", data=form, headers=headers)
        assert answer.status_code == expected, origin


async def test_every_answer_carries_the_policy_and_no_page_writes_script_or_style(town: Town) -> None:
    browser = await town.at("duty_officer@town-east", "chief@town-east", "admin@town-east", "auditor@town-east")
    matter = await town.reported(browser, "积水", place="桥下")
    own = matter.path.removeprefix(HOME)
    paths = ("/inbox", "/board", "/reports/new", "/statements", "/roster", "/search", "/packs", "/post", own)
    for path in (*paths, own + "/timeline", "/account/password", "/account/codes", "/no-such-page"):
        page = await browser.open(path)
        assert {name: page.headers.get(name) for name in HEADERS} == HEADERS, path
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)|javascript:", page.text), path
        assert len(page.text.encode()) < 150_000


async def test_evidence_is_added_to_a_report_and_fetched_to_save(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    matter = await town.reported(browser, "河道排污", place="南桥", request="请查清是谁排的")
    (link,) = [link for link in matter.links if link.endswith("/evidence")]
    page = await browser.open(link.removeprefix(HOME))
    assert "诉求： 请查清是谁排的" in page.said
    form = page.form(link.removeprefix(HOME))
    sent = {name: value for name, value in form.fields if name in ("csrf", "form.key")}
    none = await browser.client.post(form.action, data=sent, files={"file": ("", b"")})
    assert none.status_code == 422 and "请选择文件" in none.text
    picture = BytesIO()
    Image.new("RGB", (8, 8), "blue").save(picture, "PNG")
    two = [
        ("file", ("水色.png", picture.getvalue(), "image/png")),
        ("file", ("a.txt", "水发黑".encode(), "text/plain")),
    ]
    added = await browser.client.post(form.action, data=sent | {"note": "南桥下"}, files=two)
    assert added.status_code == 200 and added.text.count("image/png") == 1 and added.text.count("text/plain") == 1
    (file,) = re.findall(rf'href="({link}/[\w-]+)">text/plain', added.text)
    saved = await browser.client.get(file)
    assert saved.content.decode() == "水发黑" and "attachment" in saved.headers["content-disposition"]
    bare = await browser.client.post(form.action, data=sent | {"form.key": "b" * 24}, files=two[1:])
    assert bare.status_code == 200 and bare.text.count("text/plain") == 2, "a file needs no note"
    sent |= {"form.key": "c" * 24, "note": "桥上"}
    wrong = await browser.client.post(form.action, data=sent, files={"file": ("x.png", b"no picture", "image/png")})
    assert 400 <= wrong.status_code < 500 and "x.png" in wrong.text and 'value="桥上"' in wrong.text
    assert "在它之前的 0 个已存入" in wrong.text
    stranger = await town.at("duty_officer@town-west")
    assert (await stranger.open(link.removeprefix(HOME))).status in (403, 404)


async def test_files_that_are_sent_again_after_one_was_refused_are_stored_once(town: Town) -> None:
    browser = await town.at("duty_officer@town-east")
    matter = await town.reported(browser, "围墙裂缝", place="旧厂")
    (link,) = [link for link in matter.links if link.endswith("/evidence")]
    path = link.removeprefix(HOME)
    good = [("file", (f"{name}.txt", name.encode(), "text/plain")) for name in ("一", "二")]
    bad = ("file", ("x.png", b"no picture", "image/png"))

    async def sent(page: Page, files: list[tuple[str, tuple[str, bytes, str]]], note: str = "北墙") -> Page:
        hidden = {name: value or "" for name, value in page.form(path).fields if name in ("csrf", "form.key")}
        return Page(await browser.client.post(link, data=hidden | {"note": note}, files=files))

    refused = await sent(await browser.open(path), [*good, bad])
    assert (
        refused.status in (415, 422)
        and "在它之前的 2 个已存入" in refused.said
        and refused.text.count("text/plain") == 2
    )
    done = await sent(refused, [*good, ("file", ("三.txt", "三".encode(), "text/plain"))])
    assert done.status == 200 and done.text.count("text/plain") == 3, "the two are not stored a second time"
    changed = await sent(refused, good, "南墙")
    assert "说明照先前的" in changed.said and changed.text.count("text/plain") == 3
    anew = await sent(await browser.open(path), good[:1], "南墙")
    assert anew.text.count("text/plain") == 4, "a form that is opened anew is another deliberate act"


async def test_a_report_upward_waits_for_its_receipt_and_gets_it(town: Town) -> None:
    officer, county = await town.at("duty_officer@town-east"), await town.at("duty_officer@county")
    matter = await town.reported(officer, "山体滑坡险情", place="石门")
    action = matter.path.removeprefix(HOME) + "/escalation/report-upward"
    sent = await officer.send(await officer.open(action), action, to="office@county", form="written", text="已到现场")
    assert "done=report-upward" in sent.path, sent.said
    assert re.search(r'id="count-receipts">[1-9]', (await county.open("/inbox")).text)
    waiting = await county.open("/receipts")
    assert matter.path.rpartition("/")[2] in waiting.said and "已到现场" in waiting.said
    (link,) = [link for link in waiting.links if "/escalation/receipt" in link and matter.path in link]
    form = await county.open(link.removeprefix(HOME))
    done = await county.send(form, link.removeprefix(HOME).replace("&amp;", "&"), accepted="yes")
    assert "done=receipt" in done.path and "已到现场" not in (await county.open("/receipts")).said


async def _upward(officer: Browser, matter: Page, text: str) -> None:
    action = matter.path.removeprefix(HOME) + "/escalation/report-upward"
    sent = await officer.send(await officer.open(action), action, to="office@county", form="written", text=text)
    assert "done=report-upward" in sent.path, sent.said


def _boxes(page: Page) -> list[str]:
    return re.findall(r'type="checkbox" name="report" value="([^"]+)"', page.text)


async def test_many_reports_get_their_receipt_at_once_and_what_changed_is_refused_alone(town: Town) -> None:
    officer, county = await town.at("duty_officer@town-east"), await town.at("duty_officer@county")
    first = await town.reported(officer, "河堤渗水险情", place="东堤")
    second = await town.reported(officer, "学校围墙倾斜", place="小学")
    for matter, text in ((first, "已巡堤"), (first, "渗水已止"), (second, "已设围挡")):
        await _upward(officer, matter, text)
    page = await county.open("/receipts")
    numbers = [one.path.rpartition("/")[2] for one in (first, second)]
    ticked = [one for one in _boxes(page) if one.split()[1] in numbers]
    assert len(ticked) == 3
    none = await county.send(page, "/receipts")
    assert none.status == 422 and "请先选中" in none.said
    asked = await county.send(page, "/receipts", report=ticked)
    assert "给这 3 件上报回执？" in asked.said and "已设围挡" in asked.said, "nothing was given yet"
    assert "已设围挡" in (await county.open("/receipts")).said
    await _upward(officer, second, "已拆除")
    done = await county.send(asked, "/receipts/give", report=ticked)
    assert "3 条中有 1 条没有办成" in done.said
    (refused,) = [line for line in re.findall(r"<li>.*?</li>", done.text) if "▲" in line]
    assert numbers[1] in refused and "版" in refused and done.text.count("<li>✓") == 2
    left = await county.open("/receipts")
    assert (
        "已设围挡" in left.said and "已拆除" in left.said and "已巡堤" not in left.said and "渗水已止" not in left.said
    )
    twice = await county.send(asked, "/receipts/give", report=ticked[:2])
    assert "2 条都已办" in twice.said, "a form that is sent twice acts once"
    assert "没有办成" in (await county.send(left, "/receipts", report=["nonsense"])).said, "what no row has is no row"


async def test_a_reader_without_a_receipt_to_give_has_nothing_to_tick(town: Town) -> None:
    officer, auditor = await town.at("duty_officer@town-east"), await town.at("auditor@county")
    await _upward(officer, await town.reported(officer, "路灯成片不亮", place="新街"), "已报修")
    page = await auditor.open("/receipts")
    assert "已报修" in page.said and not _boxes(page) and "回执选中的" not in page.said


@pytest.mark.requirement("CON-05")
async def test_the_register_holds_each_report_with_the_state_of_its_reply(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    matter = await town.reported(officer, "下水道堵塞", "请打13812345678", place="菜场")
    number = matter.path.rpartition("/")[2]
    page = await officer.open("/register")
    assert number in page.said and "下水道堵塞" in page.said and "◆ 待答复" in page.said
    assert "1381234" not in page.text and all("下水道" not in link for link in page.links)
    (received, *_) = re.findall(r'datetime="([^"]+)', page.text.partition("<tbody>")[2])
    day = parse_instant(received).astimezone(ZoneInfo("Asia/Shanghai")).date()
    for given, holds in (
        (f"from={day}&to={day}", True),
        (f"from={day + timedelta(days=1)}", False),
        (f"to={day - timedelta(days=1)}", False),
        ("from=2000-01-01", True),
        ("to=2000-01-01", False),
        ("from=2999-01-01", False),
    ):
        timed = await officer.open(f"/register?{given}")
        assert (number in timed.said) is holds, given
    assert "请对调" in (await officer.open("/register?from=2026-02-02&to=2026-02-01")).said
    narrow = await officer.open("/register?reply=waiting&channel=hotline&unit=town-east")
    assert number in narrow.said and "答复：待答复" in narrow.said
    assert f"{HOME}/register?unit=town-east&channel=hotline" in narrow.links, (
        "a chosen filter is taken away by its link"
    )
    assert number not in (await officer.open("/register?reply=replied")).said
    assert number not in (await (await town.at("duty_officer@town-west")).open("/register")).said


async def test_a_filter_that_nobody_can_choose_is_named_and_shows_nothing(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    number = (await town.reported(officer, "河堤裂缝", place="河堤")).path.rpartition("/")[2]
    await town.system.settle()
    for path, title in (
        ("/board?unit=gone", "单位"),
        ("/board?list=open&level=gone", "等级"),
        ("/board?soon=gone", "时限"),
        ("/register?unit=gone", "单位"),
        ("/register?reply=gone", "答复"),
        ("/register?from=gone", "收到时间从"),
        ("/supervision?unit=gone", "单位"),
    ):
        page = await officer.open(path)
        place = path.partition("?")[0]
        assert number in (await officer.open(place)).said, place
        assert page.status == 200 and number not in page.said, path
        assert f"“{title}”里没有“gone”" in page.said and "没有批示" not in page.said, path
        assert f"{HOME}{place}" in {link.partition("?")[0] for link in page.links}, "the filter can be taken away"
    rows = await officer.open("/desk/rows?list=open&unit=gone")
    assert rows.status == 200 and number not in rows.said, "so is the part that a live page asks for"
    for path in ("/board?list=gone", "/desk/rows?list=gone", "/notices?state=gone", "/notices?rule=gone"):
        assert (await officer.open(path)).status in (404, 422), path
    assert (await (await town.at("admin@city")).open("/dead-letters?cause=gone")).status == 404


@pytest.mark.requirement("CON-05")
async def test_supervision_shows_late_limits_with_their_reminders_and_instructions(town: Town) -> None:
    officer, chief = await town.at("duty_officer@town-east"), await town.at("chief@town-east")
    matter = await town.reported(officer, "垃圾清运", "三天没有清", place="西街")
    own, number = matter.path.removeprefix(HOME), matter.path.rpartition("/")[2]
    await town.done(chief, f"{own}/triage/instruct", text="请立即处置")
    await town.system.settle()
    page = await officer.open("/supervision")
    assert number in page.said and "▲" in page.said and "催办" in page.said, "reported long after it was discovered"
    assert own in [link.removeprefix(HOME) for link in page.links]
    assert "近 30 天的批示" in page.said and "请立即处置" not in page.text
    assert [link for link in page.links if "/incidents/incident-" in link], "the instruction leads to its matter"
    assert {f"{HOME}/board?list={one}" for one in ("deferred", "to_correct", "to_follow_up")} <= set(page.links)
    assert number not in (await (await town.at("duty_officer@town-west")).open("/supervision")).said


@pytest.mark.requirement("CON-02")
async def test_what_waits_for_approval_leads_from_its_row_to_the_decision(town: Town) -> None:
    officer, verifier = await town.at("duty_officer@town-east"), await town.at("verifier@town-east")
    handler = await town.at("handler@town-east")
    matter = await town.reported(officer, "公交改线", "不知道在哪里上车", place="车站")
    own, number = matter.path.removeprefix(HOME), matter.path.rpartition("/")[2]
    await town.done(verifier, f"{own}/triage/establish-fact", key="cause", value="道路施工", source="现场查看")
    await town.done(handler, f"{own}/triage/explain", text="施工期间在西门上车")
    await town.system.settle()
    page = await (await town.at("approver@town-east")).open("/inbox")
    link = f"{own}/triage/approve?proposal=1"
    assert number in page.said and HOME + link in page.links, page.links
    assert "✓ 审核链：已过" in page.said and "✓ 已标明：不涉密" in page.said
    of_matter = (await (await town.at("approver@town-east")).open(own)).text.split('<aside class="verbs"')[1]
    assert "等您办的" in of_matter and HOME + link in of_matter, "so does the matter, beside what else can be done"
    form = await (await town.at("approver@town-east")).open(link)
    assert form.status == 200, form.said
    (sent,) = [one for one in form.forms if one.action.startswith(f"{HOME}{own}/triage/approve")]
    assert "施工期间在西门上车" in form.said and "proposal" not in sent.names, "no other one than what stands above"
    approver = await town.at("approver@town-east")
    other = f"{own}/triage/grade?proposal=1"
    assert "施工期间在西门上车" not in (await officer.open(other)).said, "another verb decides on no proposal"
    done = await approver.send(await approver.open(link), link)
    assert done.status == 200 and "已办：审核" in done.said, done.said
