"""The review of a matter on pages, without script: read, printed, written, adopted, sent and signed for; lessons."""

from unittest import mock

import pytest
from sqlalchemy import select

from services.audit import queries
from services.audit.findings.matter import placed
from services.audit.review import loop as drafting
from services.audit.review import printing
from services.audit.views import TIMELINE
from tests.console.browser import HOME
from tests.console.conftest import Town
from tests.console.test_record import reported, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPENED = "huiying.incident.opened.v1"
TEXT = "# 事情经过\n\n我办认为首次说明偏迟。"


async def steady(town: Town, subject: str) -> str:
    """The path of a matter of which audit's loop drafted the review. It goes on here, since many steps would end it."""
    own = await reported(town, subject)
    await town.system.settle()
    audit, number = town.system.runtimes["audit"], own.rpartition("/")[2]
    async with audit.database.read() as connection:
        size, _ = await queries.head(connection)
        rows = await connection.execute(select(TIMELINE.c.position, TIMELINE.c.bytes).where(TIMELINE.c.type == OPENED))
        opened = next(one for one in (placed(*row) for row in rows) if one.data.number == number)
    await drafting.draft(audit, [opened], size)
    await town.system.settle()
    return own


@pytest.mark.requirement("AUD-04")
@pytest.mark.requirement("AUD-16")
async def test_a_review_is_read_written_adopted_sent_and_signed_for_and_its_lessons_are_followed_up(town: Town) -> None:
    going = await reported(town, "西河路面")
    chief, desk = await town.at("chief@town-east"), await town.at("duty_officer@town-east")
    assert "系统按记录自动起草总结" in (await chief.open(f"{going}/review")).said
    own = await steady(town, "东河路面")
    at = f"{own}/review"
    assert f"{HOME}{at}" in (await desk.open(own)).links
    page = await until(desk, at, "系统起草，等单位修改")
    assert "何时知情" in page.said and "谁也不能改" in page.said and "<figure" in page.text
    assert f"{HOME}{at}/adopt-review" not in page.links
    printed = await desk.open(f"{at}.html?lang=zh")
    assert "总结报告" in printed.text and "何时知情" in printed.text
    assert (await desk.open(f"{at}.pdf?lang=zh")).headers["content-type"] == "application/pdf"
    assert (await desk.open(f"{at}.odt")).status == 404
    with mock.patch.object(printing, "_has_chinese", return_value=False):
        refused = await desk.open(f"{at}.pdf?lang=zh")
    assert refused.status == 503 and "缺少中文字体" in refused.said

    form = await desk.open(f"{at}/edit-review")
    assert "何时知情" in form.text, "the draft stands in the form"
    assert "Please write what worked" in form.text, "the draft is there in English, too"
    edited = await desk.send(form, f"{at}/edit-review", text=TEXT)
    assert edited.status == 200 and "我办认为首次说明偏迟" in edited.said and "等通过" in edited.said
    asked = await chief.open(f"{at}/adopt-review")
    assert "我办认为首次说明偏迟" in asked.said
    assert "没有英文文本" in asked.said and "Please write" not in asked.said, "the English was that of another text"
    adopted = await chief.send(asked, f"{at}/adopt-review")
    assert adopted.status == 200 and "已通过" in adopted.said

    lesson = await chief.open(f"{at}/assign-lesson")
    owner = {"kind": "service", "unit": "town-east", "post": "handler@town-east"}
    made = await chief.send(lesson, f"{at}/assign-lesson", **owner, text="每周巡查", due="2027-12-31 18:00")
    assert made.status == 200 and "每周巡查" in made.said
    handler = await town.at("handler@town-east")
    number = own.rpartition("/")[2]
    listed = await until(handler, "/record/lessons?state=open", "每周巡查")
    assert f"{HOME}{at}" in listed.links and number in listed.said
    done = await handler.send(
        await handler.open(f"{at}/finish-lesson"), f"{at}/finish-lesson", lesson="1", text="已实行"
    )
    assert done.status == 200 and "已实行" in done.said
    assert "每周巡查" not in (await handler.open("/record/lessons?state=open")).said

    sending = await desk.open(f"{at}/report-upward")
    assert "总结报告第 2 版" in sending.text
    sent = await desk.send(sending, f"{at}/report-upward")
    assert sent.status == 200, sent.said
    assert "还没有送出" not in sent.said, "nobody sends it twice"
    await town.system.settle()
    page = await until(chief, at, "还没有签收")
    receipt = next(link for link in page.links if "/escalation/receipt?report=" in link).removeprefix(HOME)
    given = await chief.send(await chief.open(receipt), receipt, accepted="yes")
    assert given.status == 200, given.said
    await town.system.settle()
    page = await desk.open(at)
    assert "还没有签收" not in page.said and "第 2 版" in page.said


async def test_who_has_no_part_is_told_so_and_english_pages_are_english(town: Town) -> None:
    own = await steady(town, "中河路面")
    at = f"{own}/review"
    west = await town.at("chief@town-west")
    assert (await west.open(at)).status in (403, 404)
    assert (await west.open(f"{at}.pdf")).status in (403, 404)
    english = await until(await town.at("chief@town-east", language="en-GB"), at, "drafted, the office may change it")
    assert "When it was known" in english.said and "What the record shows" in english.said
