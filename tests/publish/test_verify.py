"""The page that says whether the office published what circulates."""

import asyncio
import hashlib
import re
import threading
from collections.abc import Mapping
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import event, select

from services.kernel.core.ids import derived
from services.publish.verifying import finding, likeness, verify
from tests.publish.conftest import PUBLIC, TITLE, Office, opened, waived
from tests.publish.test_bulletin import NASTY, Texts

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LONG = (
    "7月15日9时40分，东镇人民路与解放路交叉口发生路面塌陷，面积约12平方米，无人员伤亡。县交通运输局已于10时20分到场围挡，"
    "并安排3台抢修车辆。预计7月16日18时前恢复通行。绕行路线：建设路、团结路。咨询请拨12345热线。\n"
    "后续情况将于7月16日12时前通报。"
)


async def pasted(office: Office, text: str, lang: str = "", status: int = 200) -> str:
    """The page that answers a pasted text."""
    answer = await office.client.post(f"/bulletin/verify{lang}", content=urlencode({"text": text}), headers=FORM)
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


def verdict(page: str) -> str:
    """The answer of a page, by its class."""
    found = re.search(r'<section class="verdict (\w+)"', page)
    assert found, page
    return found[1]


def marked(page: str) -> tuple[list[str], list[str]]:
    """What a page marks as deleted and as inserted, without its legend."""
    told = page.partition('class="difference"')[2]
    found = [
        [
            unescape(re.sub("<[^>]+>", "", one.partition("</span>")[2]))
            for one in re.findall(f"<{tag}>(.*?)</{tag}>", told)
        ]
        for tag in ("del", "ins")
    ]
    return found[0], found[1]


async def test_a_text_on_whose_matter_the_office_spoke_again_leads_to_the_new_one(office: Office) -> None:
    await office.published(LONG)
    await office.published("今日已恢复通行。", title="恢复通行")
    shown = await pasted(office, LONG)
    assert verdict(shown) == "followed" and "恢复通行</a>" in shown
    assert verdict(await pasted(office, "今日已恢复通行。")) == "current"


async def a_text_is_told_as_current_corrected_withdrawn_or_unknown(office: Office) -> None:
    id_ = await office.published(LONG)
    number = (await office.read(id_))["number"]
    for same in (
        LONG,
        f"{TITLE}\n{LONG}",
        f"  {TITLE} {LONG}\r\n",
        LONG.replace("，", "， \u3000"),
        LONG.replace("12", "１２"),
    ):
        shown = await pasted(office, same)
        assert verdict(shown) == "current"
        assert all(part in shown for part in (number, "东镇", f"/bulletin/statements/{id_}", "现行有效"))
    forged = await pasted(office, LONG.replace("3台", "8台"))
    assert verdict(forged) == "unknown"
    assert marked(forged) == (["3"], ["8"])
    later = LONG.replace("18时", "20时")
    await office.act(id_, "correct", "spokesperson", {"text": later, "reason": "抢修延长", "waive": waived(later)})
    assert verdict(await pasted(office, later)) == "current"
    assert verdict(await pasted(office, LONG)) == "earlier"
    await office.act(id_, "withdraw", "spokesperson", {"reason": "另行通报"})
    for text in (later, LONG):
        shown = await pasted(office, text)
        assert verdict(shown) == "withdrawn"
        assert "已撤回，不再作准" in shown
    assert verdict(await pasted(office, "全县中小学明日停课一天，请家长相互转告。")) == "unknown"


@pytest.mark.requirement("PUB-16")
async def test_a_text_is_told_as_what_it_is(office: Office) -> None:
    await a_text_is_told_as_current_corrected_withdrawn_or_unknown(office)


async def test_what_an_office_posts_elsewhere_of_a_correction_or_a_withdrawal_is_no_forgery(office: Office) -> None:
    """The office posts a correction with its reason, and a withdrawal as title and reason. People paste just that."""
    for at in range(finding.CANDIDATES + 1):
        other = await office.incident(opened("town-west"), uuid=derived(f"other {at}"))
        await office.published(LONG.replace("3台", f"{at + 10}台"), incident_id=other)
    id_ = await office.published("今日停水。")
    corrected = {"text": "今日停电。", "reason": "写错了"}
    await office.act(id_, "correct", "spokesperson", corrected)
    posted = f"{TITLE}\n今日停电。\n（更正说明：写错了）"
    for same in (posted, posted.partition("\n")[2], posted.replace("\n（", "（")):
        assert verdict(await pasted(office, same)) == "current"
    assert verdict(await pasted(office, posted.replace("写错", "写对"))) == "unknown"
    await office.act(id_, "withdraw", "spokesperson", {"reason": "管道\n已修好"})
    assert verdict(await pasted(office, posted)) == "withdrawn"
    shown = await pasted(office, f"【已撤回】{TITLE}\n（撤回原因：管道\n已修好）")
    assert verdict(shown) == "withdrawal"
    assert f"/bulletin/statements/{id_}" in shown
    assert verdict(await pasted(office, f"【已撤回】{TITLE}\n（撤回原因：管道没有修好）")) == "unknown"


@pytest.mark.postgres
async def test_postgresql_finds_the_same(office_on_postgres: Office) -> None:
    await a_text_is_told_as_current_corrected_withdrawn_or_unknown(office_on_postgres)


async def test_drafts_and_exercises_are_never_found(office: Office) -> None:
    await office.draft(LONG)
    drill = await office.incident(opened(), uuid=derived("drill"), drill=True)
    await office.draft("演练：" + LONG, incident_id=drill)
    shown = await pasted(office, LONG)
    assert verdict(shown) == "unknown"
    assert "也没有相近的公告" in shown
    async with office.runtime.database.read() as connection:
        assert (await connection.execute(select(office.runtime.tables["likenesses"]))).all() == []


async def test_the_nearest_come_with_the_differences_and_never_more_than_three(office: Office) -> None:
    places = ("人民路", "解放路", "建设路", "团结路", "和平路")
    for at, place in enumerate(places):
        incident = await office.incident(opened("town-west"), uuid=derived(place))
        await office.published(f"{place}路面塌陷处已围挡，今日{10 + at}时前恢复通行。", incident_id=incident)
    shown = await pasted(office, "团结路路面塌陷处已围挡，今日23时前恢复通行。")
    assert shown.count('class="difference"') == 3
    first = shown.partition('class="difference"')[2].partition("</article>")[0]
    assert "团结路" in first
    assert marked(first.join(['class="difference"', ""])) == (["13"], ["23"])


async def test_a_number_an_id_or_an_address_leads_to_the_statement(office: Office) -> None:
    id_ = await office.published(LONG)
    number = (await office.read(id_))["number"]
    for named in (
        number,
        id_,
        f" {number} ",
        f"{PUBLIC}/bulletin/statements/{id_}",
        f"{PUBLIC}/bulletin/statements/{number}?lang=en",
        f"{PUBLIC}/bulletin/verify?statement={number}",
        f"office.test/bulletin/statements/{number}",
        number.upper(),
        number.replace("-", "－"),
        number.lower(),
        f"HTTP://Office.Test:80/bulletin/statements/{number.upper()}",
        f"{number}。",
        f"《{PUBLIC}/bulletin/statements/{number}》。",
        f"<{PUBLIC}/bulletin/statements/{id_}>",
        f"（{PUBLIC}/bulletin/statements/{id_}）",
    ):
        answer = await office.client.get(f"/bulletin/verify?statement={quote(named)}")
        for shown in (answer.text, await pasted(office, named)):
            assert verdict(shown) == "statement"
            assert all(part in shown for part in ("3台抢修车辆", "现行有效", f"{id_}/manifest.json"))
            assert re.search("<code>[0-9a-f]{64}</code>", shown)
    for foreign in (
        f"https://office.test.evil.example/bulletin/statements/{id_}",
        f"http://office.test@evil.example/bulletin/statements/{id_}",
        f"https://office.test/bulletin/statements/{id_}",
        f"{PUBLIC}.cn/bulletin/statements/{id_}",
        f"office.test.cn/bulletin/statements/{id_}",
        f"http://user@office.test/bulletin/statements/{id_}",
        "https://[office.test/bulletin/",
        "https://office\u2100.test/bulletin/",
        "http://office.test:port/bulletin/",
    ):
        assert verdict(await pasted(office, foreign)) == "foreign"
    for unknown in (
        "town-east-2026-S09999",
        f"statement-{derived('x')}",
        f"{PUBLIC}/bulletin/",
        f"{PUBLIC}/bulletin/statements/{id_}x",
        f"{PUBLIC}/bulletin/verify",
        f"{PUBLIC}/bulletin/statements/{number.replace('o', 'о')}",
    ):
        answer = await office.client.get(f"/bulletin/verify?statement={quote(unknown)}")
        assert (answer.status_code, verdict(answer.text)) == (404, "missing")
    draft = await office.draft()
    assert verdict(await pasted(office, draft, status=404)) == "missing"


async def test_a_forged_notice_with_a_known_number_is_compared_with_its_statement(office: Office) -> None:
    id_ = await office.published("停水检修已经结束。")
    number = (await office.read(id_))["number"]
    for named in (f"编号{number}：", f"{PUBLIC}/bulletin/statements/{id_} "):
        shown = await pasted(office, f"{named}全镇明天起停课十天，请立即转账缴费。")
        assert verdict(shown) == "unknown"
        assert "停水检修" in shown


async def test_the_page_without_script_and_its_policy(office: Office) -> None:
    for lang, words in (("", "真伪核验"), ("?lang=en", "Verify a notice")):
        answer = await office.client.get(f"/bulletin/verify{lang}")
        assert words in answer.text
        policy = answer.headers["content-security-policy"]
        assert "form-action 'self'" in policy
        assert "script-src 'self'" in policy
        assert 'method="post"' in answer.text
        assert re.search('<div id="with-script" hidden>', answer.text)
    others = await office.client.get(f"/bulletin/statements/{await office.published()}")
    assert "form-action 'none'" in others.headers["content-security-policy"]
    assert "script-src" not in others.headers["content-security-policy"]
    assert "/bulletin/verify" in Texts(others.text).links
    assert (await office.client.get("/bulletin/verify?lang=fr")).status_code == 404
    for script in ("verify.js", "jsQR.js"):
        found = await office.client.get(f"/bulletin/{script}")
        assert (found.status_code, found.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


def test_the_script_that_reads_pictures_is_the_one_of_the_registry() -> None:
    """JsQR 1.4.0 of npm, Apache-2.0."""
    digest = "bc40c8a15196236b2314db0856f72ca0b49980cd5413b8c852a7349f5fee0859"
    assert hashlib.sha256(verify.packaged("jsQR.js")).hexdigest() == digest
    assert b"Apache License" in verify.packaged("jsQR.LICENSE.txt")


async def test_each_statement_has_a_code_that_leads_to_its_check(office: Office) -> None:
    id_ = await office.published()
    number = (await office.read(id_))["number"]
    shown = await office.client.get(f"/bulletin/statements/{id_}")
    assert f"/bulletin/statements/{id_}/code.svg" in Texts(shown.text).links
    assert f"{PUBLIC}/bulletin/verify?statement={number}" in shown.text
    for named in (id_, number):
        code = await office.client.get(f"/bulletin/statements/{named}/code.svg")
        assert (code.status_code, code.headers["content-type"]) == (200, "image/svg+xml")
        assert code.content.startswith(b"<?xml")
    assert (await office.client.get(f"/bulletin/statements/{await office.draft()}/code.svg")).status_code == 404
    preview = await office.client.post(
        f"/publish/v1/statements/{id_}/preview", json={"text": "别的", "reason": "试"}, headers=office.as_("handler")
    )
    assert "code.svg" not in preview.text


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"text=" + b"a" * 5_000_000, FORM, 413, "large"),
        (b"text=" + b"a" * (verify.LONGEST + 1), FORM, 413, "large"),
        (b"text=%ff%fe", FORM, 422, "unreadable"),
        ("text=正文".encode(), FORM, 422, "unreadable"),
        (b"text=a%00b", FORM, 422, "unreadable"),
        (b"a=1&b=2&c=3&d=4&e=5", FORM, 422, "unreadable"),
        (b"text=%20%0a", FORM, 422, "empty"),
        (b"", {}, 422, "empty"),
        (b'{"text": "a"}', {"Content-Type": "application/json"}, 422, "empty"),
    ],
)
async def test_what_cannot_be_compared_is_told_in_a_sentence(
    office: Office, body: bytes, headers: Mapping[str, str], status: int, says: str
) -> None:
    answer = await office.client.post("/bulletin/verify", content=body, headers=headers)
    assert (answer.status_code, verdict(answer.text)) == (status, says)


async def test_few_texts_are_compared_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may paste long texts, and the offices' work goes first."""
    await office.published()
    going, held, judge = threading.Semaphore(0), threading.Event(), finding.judge
    monkeypatch.setattr(verify, "PATIENCE", 0.2)

    def waits(*asked: Any) -> finding.Found:
        going.release()
        assert held.wait(20)
        return judge(*asked)

    monkeypatch.setattr(finding, "judge", waits)
    asked = [asyncio.create_task(pasted(office, "路面塌陷处已围挡，明日恢复通行。")) for _ in range(verify.AT_ONCE)]
    for _ in asked:
        assert await asyncio.to_thread(going.acquire, timeout=20)
    assert verdict(await pasted(office, "路面塌陷处已围挡。", status=503)) == "busy"
    held.set()
    assert {verdict(await one) for one in asked} == {"unknown"}
    assert verdict(await pasted(office, "路面塌陷处已围挡。")) == "unknown"


async def test_no_more_is_compared_than_a_thread_can_do(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(4):
        await office.published(f"路面塌陷处已围挡，第{at}段明日恢复通行。")
    monkeypatch.setattr(finding, "CHARACTERS", 30)
    async with office.runtime.database.read() as connection:
        known, _ = await finding.candidates(connection, "路面塌陷处已围挡，第2段明日恢复通行。")
    assert 0 < len(known) < 4


async def test_markup_and_direction_tricks_stay_text_and_are_told(office: Office) -> None:
    await office.published(LONG)
    shown = await pasted(office, LONG + NASTY)
    assert verdict(shown) == "unknown"
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown
    for trick, code in (("\u202e", "U+202E"), ("\u200b", "U+200B"), ("\u2066", "U+2066"), ("\u00ad", "U+00AD")):
        shown = await pasted(office, LONG.replace("无人员", f"无{trick}人员"))
        assert verdict(shown) == "unknown"
        assert trick not in shown
        assert "粘贴的文字里有看不见的字符" in shown
        assert f"<code>{code}</code>" in shown
        assert marked(shown) == ([], [f"[{code}]"])


async def test_a_pasted_text_reaches_no_store_and_no_log(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    await office.published(LONG)
    secret = "我家住东镇人民路108号，电话13912345678"
    said: list[Any] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        said.append((statement, parameters))

    engine = office.runtime.database._read.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        shown = await pasted(office, secret + LONG)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert verdict(shown) == "unknown"
    assert said
    assert not any(part in repr(said) + caplog.text for part in ("13912345678", "108号", "我家住"))
    assert not any(str(statement).lower().startswith(("insert", "update", "delete")) for statement, _ in said)


def test_what_does_not_count_is_forgotten_and_the_rest_is_not() -> None:
    assert likeness.compared("今日 １７ 时\r\n前") == likeness.compared("今日17时前")
    for one, other in (("1 20", "120"), ("A B", "AB"), ("①", "1"), ("²", "2"), ("а", "a"), ("一", "1"), ("٣", "3")):
        assert likeness.compared(one) != likeness.compared(other)
    for same in ("PM2.5数据", "ＰＭ２.5数据", "РМ2.5数据"):
        assert likeness.loose(same) == "pm25数据"


def test_a_title_and_a_text_that_run_together_into_another_figure_are_not_taken() -> None:
    known = {"s": [{"kind": "publication", "title": "停水通知5", "text": "0户受影响。", "reason": None, "at": ""}]}
    assert finding.judge("停水通知5\n0户受影响。", known).exact
    assert not finding.judge("停水通知50户受影响。", known).exact
