"""Answers go back to where the questions were asked: one for each report that named a place, posted by hand."""

from typing import Any

import pytest
from sqlalchemy import select

from schemas.envelope import Event
from schemas.ingest import ReportErased, ReportReceived
from schemas.triage import IncidentAbsorbed, IncidentMerged, IncidentReportAttached, IncidentSplit
from services.kernel.core.ids import derived
from tests.kit import spec
from tests.publish.conftest import TEXT, TITLE, Office, graded, opened
from tests.publish.test_by_hand import PAGE, confirmed
from tests.publish.test_verify import FORM

CODE = "ABCD-EFGH-JKLM"
REPLIES = "/publish/v1/replies"
FIRST = f"report-{spec.UUID}"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8099"


def report(number: int) -> str:
    return f"report-{derived('question', str(number))}"


def attached(number: int) -> IncidentReportAttached:
    return IncidentReportAttached(report=report(number), unit="town-east", discovered_at=spec.NOW)


async def received(
    office: Office, report_id: str, reply_ref: str | None = "留言板 42", *more: Any, receipt: str = "0" * 64
) -> None:
    data = ReportReceived.model_validate(
        {
            "unit": "town-east",
            "channel": "message_board",
            "subject": "路灯",
            "text": "不亮",
            "discovered_at": spec.NOW,
            "reply_ref": reply_ref,
            "receipt": receipt,
        }
    )
    await office.hear(
        spec.events("report", [spec.At(one, unit="town-east") for one in (data, *more)], uuid=report_id[7:])
    )


async def replies(office: Office, **query: Any) -> list[dict[str, Any]]:
    answer = await office.client.get(REPLIES, params=query, headers=office.as_("spokesperson"))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@pytest.mark.requirement("PUB-12", "PUB-13", "ING-06")
async def test_each_report_that_named_a_place_is_owed_the_answer_there(office: Office) -> None:
    await received(office, FIRST)
    await received(office, report(1))
    await received(office, report(2), None)
    await office.incident(attached(1), attached(2))
    assert await replies(office) == []
    id_ = await office.published()
    due = await replies(office, state="due")
    assert {one["report_id"] for one in due} == {FIRST, report(1)}
    assert {(one["form"], one["report_channel"], one["text"], *one["may"]) for one in due} == {
        ("interim_reply", "message_board", f"{TITLE}\n{TEXT}", "confirm")
    }
    assert (await confirmed(office, id_, report=FIRST, text=TEXT)).status_code == 200
    assert [one["report_id"] for one in await replies(office, state="due")] == [report(1)]
    (done,) = await replies(office, state="done")
    assert (done["report_id"], done["address"], done["may"]) == (FIRST, PAGE, [])
    assert (await confirmed(office, id_, report=FIRST, text=TEXT)).json()["type"].endswith("delivered-already")
    (event,) = [event for event in await told(office, id_) if event.type == "huiying.statement.delivered.v1"]
    assert (event.data.report, event.data.via, event.data.channel) == (FIRST, "message_board", None)


async def test_whoever_asked_reads_where_the_answer_stands_and_nobody_else(office: Office) -> None:
    digest = office.runtime.keys.digest("receipt", CODE)
    await received(office, FIRST, receipt=digest)
    id_ = await office.published()
    assert "posted" not in [one["how"] for one in await status(office, CODE)]
    assert (await confirmed(office, id_, report=FIRST, text=TEXT)).status_code == 200
    (back,) = [one for one in await status(office, CODE) if one["how"] == "posted"]
    assert (back["place"], back["url"].rpartition("/")[2], back["withdrawn"]) == (PAGE, id_, False)
    page = await office.client.post("/bulletin/status", content=f"code={CODE}", headers=FORM)
    assert "已贴回提问的地方" in page.text and PAGE in page.text
    body = {"text": "围挡已撤除。", "reason": "写错了"}
    await office.act(id_, "correct", "spokesperson", body, person="qian")
    elsewhere = f"{PAGE}-2"
    again = f"{body['text']}\n（更正说明：写错了）"
    await confirmed(office, id_, report=FIRST, text=f"{TITLE}\n{again}", address=elsewhere)
    assert [one["place"] for one in await status(office, CODE) if one["how"] == "posted"] == [elsewhere]
    number = (await office.read(id_))["incident_number"]
    assert number is None or "posted" not in [one["how"] for one in await status(office, number)]
    await received(office, FIRST, "留言板 42", ReportErased(refs=()), receipt=digest)
    erased = (await office.client.post("/bulletin/status.json", json={"code": CODE})).json()
    assert erased["erased"] and "posted" not in [one["how"] for one in erased["answers"]]


async def status(office: Office, code: str) -> list[dict[str, Any]]:
    """The answers of the public status."""
    found = await office.client.post("/bulletin/status.json", json={"code": code})
    assert found.status_code == 200, found.text
    return list(found.json()["answers"])


async def told(office: Office, id_: str) -> list[Event]:
    """The events of a statement."""
    table = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        chosen = select(table.c.bytes).where(table.c.stream_id == id_).order_by(table.c.version)
        return [Event.parse(one) for one in (await connection.execute(chosen)).scalars()]


async def test_another_text_than_the_approved_one_is_refused_there_too(office: Office) -> None:
    await received(office, FIRST)
    id_ = await office.published()
    answer = await confirmed(office, id_, report=FIRST, text=TEXT.replace("恢复", "暂停"))
    assert answer.json()["type"].endswith("posted-text-differs")
    assert len(await replies(office, state="due")) == 1


@pytest.mark.parametrize("form", ["notice", "clarification", "press_text"])
async def test_only_answers_go_back(office: Office, form: str) -> None:
    await received(office, FIRST)
    if form == "notice":
        id_ = await office.published()
        assert (await confirmed(office, id_, report=report(1), text=TEXT)).json()["type"].endswith("no-question-of-it")
        return
    id_ = await office.published(form=form)
    assert await replies(office) == []
    assert (await confirmed(office, id_, report=FIRST, text=TEXT)).json()["type"].endswith("no-question-of-it")


async def test_a_corrected_answer_is_owed_again_and_a_withdrawn_one_only_where_it_stands(office: Office) -> None:
    await received(office, FIRST)
    await received(office, report(1))
    await office.incident(attached(1))
    id_ = await office.published()
    assert (await confirmed(office, id_, report=FIRST, text=TEXT)).status_code == 200
    body = {"text": "围挡已撤除。", "reason": "写错了"}
    assert (await office.act(id_, "correct", "spokesperson", body, person="qian")).status_code == 200
    assert {one["report_id"] for one in await replies(office, state="due")} == {FIRST, report(1)}
    assert (await office.act(id_, "withdraw", "spokesperson", {"reason": "不属本镇"}, person="zhou")).status_code == 200
    (due,) = await replies(office, state="due")
    assert (due["report_id"], due["text"]) == (FIRST, f"【已撤回】{TITLE}\n（撤回原因：不属本镇）")


async def test_the_result_takes_the_place_of_the_interim_reply(office: Office) -> None:
    await received(office, FIRST)
    interim = await office.published(form="interim_reply")
    result = await office.published(form="reply")
    assert [one["statement_id"] for one in await replies(office, state="due")] == [result]
    assert (await confirmed(office, interim, report=FIRST, text=TEXT)).status_code == 422


async def test_a_report_takes_its_question_along(office: Office) -> None:
    """Into the matter in which its own goes on; and away from it, when it belongs to another one."""
    await received(office, FIRST)
    await received(office, report(1))
    await office.incident(attached(1))
    await office.published()
    other = await office.incident(opened(), graded(), uuid=OTHER)
    await office.incident(IncidentSplit(into=other, reports=(report(1),)))
    assert [one["report_id"] for one in await replies(office, state="due")] == [FIRST]
    await office.incident(IncidentMerged(into=other))
    await office.incident(IncidentAbsorbed(incident=f"incident-{spec.UUID}", reports=(FIRST,)), uuid=OTHER)
    assert [one["report_id"] for one in await replies(office, state="due")] == [FIRST]


async def test_an_erased_question_is_owed_nothing(office: Office) -> None:
    await received(office, FIRST, "留言板 42", ReportErased(refs=()))
    await office.published()
    assert await replies(office) == []
