"""The public status: by the number of a matter on which something was published, or by the receipt of a report."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from schemas.envelope import Event
from schemas.escalation import ClockBreached, ClockStarted
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportReceived, ReportRefused
from schemas.numbers import number_read
from schemas.triage import (
    IncidentAbsorbed,
    IncidentAssigned,
    IncidentClosed,
    IncidentMerged,
    IncidentOpened,
    IncidentReopened,
    IncidentReplied,
    IncidentResolved,
    IncidentVerificationRequested,
)
from services.kernel.serving.sign_in import FAILURES
from tests.kit import spec
from tests.publish.conftest import TITLE, Office
from tests.publish.test_bulletin import Texts

CODE = "ABCD-EFGH-JKLM"
REPORT = f"report-{spec.UUID}"
NUMBER = "town-east-2026-00042"
OTHER = "01890a5d-ac96-774b-bcce-b302099a8099"


def limit(clock: str = "explanation", **more: Any) -> ClockStarted:
    due = spec.NOW + timedelta(hours=24)
    return ClockStarted(clock=clock, unit="town-east", since=spec.NOW, due=due, first_answer=True, **more)


async def numbered(office: Office, *facts: Any, uuid: str, number: str, drill: bool = False) -> str:
    report = f"report-{uuid}"
    first = IncidentOpened(unit="town-east", report=report, discovered_at=spec.NOW, number=number)
    return await office.incident(first, *facts, uuid=uuid, drill=drill)


async def received(office: Office, code: str = CODE, uuid: str = spec.UUID, drill: bool = False) -> None:
    digest = office.runtime.keys.digest("receipt", code)
    data = ReportReceived.model_validate(
        {
            "unit": "town-east",
            "channel": "board",
            "subject": "路灯",
            "text": "不亮",
            "discovered_at": spec.NOW,
            "receipt": digest,
        }
    )
    events = spec.events("report", [spec.At(data, unit="town-east")], uuid=uuid)
    if drill:
        events = [Event({**event.attributes, "drill": True}, event.bytes) for event in events]
    await office.hear(events)


async def clock(office: Office, *facts: Any, uuid: str = spec.UUID) -> None:
    packed = [spec.At(fact, unit="town-east") for fact in facts]
    await office.hear(spec.events("clock", packed, uuid=uuid))


async def asked(office: Office, code: str, **more: Any) -> httpx.Response:
    return await office.client.post("/bulletin/status.json", json={"code": code}, **more)


async def typed(office: Office, code: str, query: str = "") -> httpx.Response:
    return await office.client.post(f"/bulletin/status{query}", data={"code": code})


@pytest.mark.requirement("PUB-13")
async def test_a_receipt_tells_how_far_the_matter_is_and_what_is_due(office: Office) -> None:
    await received(office)
    early = (await asked(office, CODE)).json()
    assert (early["by"], early["state"], early["unit"]["name"]) == ("receipt", "received", "东镇")
    assigned = IncidentAssigned(unit="county-roads")
    await office.incident(IncidentVerificationRequested(unit="county-roads"))
    assert (await asked(office, "abcd efgh jklm")).json()["state"] == "verifying"
    await office.incident(assigned)
    await clock(office, limit(policy=spec.offices().assigned["city"]))
    told = (await asked(office, CODE)).json()
    assert (told["state"], told["handled_by"]["name"]) == ("handling", "县交通运输局")
    due = instant(spec.NOW + timedelta(hours=24))
    assert told["limits"] == [{"kind": "first_answer", "due": due, "standing": "running", "met_at": None}]
    await office.incident(IncidentReplied.model_validate({"text": "已修好"}))
    told = (await asked(office, CODE)).json()
    assert (told["state"], [answer["how"] for answer in told["answers"]]) == ("answered", ["direct"])
    await office.incident(IncidentClosed.model_validate({"reason": "已办结"}))
    page = await typed(office, CODE)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    shown = Texts(page.text).text
    for text in ("已办结", "东镇", "县交通运输局", "首次答复", "已直接答复反映人"):
        assert text in shown
    assert not re.search("路灯|不亮|已修好|general|handler|@", shown), "no words of anybody, no posts, no levels"
    assert CODE not in page.text


async def test_a_matter_that_was_opened_again_is_answered_only_by_what_is_said_after_that(office: Office) -> None:
    await received(office)
    replied = IncidentReplied.model_validate({"text": "已修好"})
    ended = IncidentResolved.model_validate({"reason": "已修好"})
    again = IncidentReopened.model_validate({"reason": "又不亮"})
    await office.incident(IncidentAssigned(unit="county-roads"), replied, ended)
    assert (await asked(office, CODE)).json()["state"] == "answered"
    await office.incident(again)
    told = (await asked(office, CODE)).json()
    assert (told["state"], len(told["answers"])) == ("handling", 1)
    await office.incident(replied)
    told = (await asked(office, CODE)).json()
    assert (told["state"], len(told["answers"])) == ("answered", 2)


async def test_a_limit_that_passed_says_so_and_an_internal_one_is_told_to_nobody(office: Office) -> None:
    await received(office)
    pack = spec.offices().assigned["city"]
    due = spec.NOW + timedelta(hours=24)
    await clock(
        office,
        limit(policy=pack),
        limit("transfer", policy=pack),
        ClockBreached(clock="explanation", unit="town-east", due=due, detected_at=due),
    )
    told = (await asked(office, CODE)).json()
    assert [one["standing"] for one in told["limits"]] == ["missed"]
    assert "已超时，还没有完成" in (await typed(office, CODE)).text


async def test_a_number_tells_only_of_matters_on_which_something_was_published(office: Office) -> None:
    unknown = await typed(office, "town-east-2026-00001")
    private = await numbered(office, uuid=OTHER, number=NUMBER)
    hidden = await typed(office, NUMBER)
    assert (unknown.status_code, hidden.status_code) == (404, 404)
    assert unknown.content == hidden.content, "nobody learns whether a matter exists"
    problems = [(await asked(office, one)).json() for one in ("town-east-2026-00001", NUMBER, "ABCD-EFGH-JKLQ")]
    assert [one["type"] for one in problems] == [problems[0]["type"]] * 3
    await office.published(incident_id=private)
    told = (await asked(office, f" {NUMBER.upper().replace('-', '－')} ")).json()
    assert (told["by"], told["number"], told["state"]) == ("number", NUMBER, "received")
    assert [(one["how"], one["title"]) for one in told["answers"]] == [("bulletin", TITLE)]
    page = await office.client.get(f"/bulletin/status?number={NUMBER}")
    assert TITLE in page.text
    await office.incident(IncidentReplied.model_validate({"text": "已修好"}), uuid=OTHER)
    assert len((await asked(office, NUMBER)).json()["answers"]) == 1, "an answer to the asker is the asker's"


async def test_a_receipt_in_an_address_tells_nothing(office: Office) -> None:
    await received(office)
    page = await office.client.get(f"/bulletin/status?number={CODE}")
    assert page.status_code == 404
    assert CODE not in page.text


async def test_a_merged_matter_tells_where_it_went_on(office: Office) -> None:
    await received(office)
    one = await numbered(office, uuid=OTHER, number=NUMBER)
    await office.published(incident_id=one)
    await office.incident(IncidentMerged(into=f"incident-{spec.UUID}"), uuid=OTHER)
    await office.incident(
        IncidentAbsorbed(incident=one, reports=(f"report-{OTHER}",), discovered_at=spec.NOW),
        IncidentAssigned(unit="county-roads"),
    )
    told = (await asked(office, NUMBER)).json()
    assert (told["went_on_from"], told["state"]) == (NUMBER, "handling")
    assert "并入" in (await typed(office, NUMBER)).text
    assert [answer["how"] for answer in (await asked(office, CODE)).json()["answers"]] == ["bulletin"]


async def test_nothing_is_told_of_exercises(office: Office) -> None:
    await received(office, drill=True)
    assert (await asked(office, CODE)).status_code == 404
    drill = await numbered(office, uuid=OTHER, number="town-east-2026-X00001", drill=True)
    await office.published(incident_id=drill)
    assert (await asked(office, "town-east-2026-X00001")).status_code == 404


async def test_a_refused_and_an_erased_report_say_so(office: Office) -> None:
    await received(office)
    refused = spec.At(ReportRefused.model_validate({"reason": "没有诉求"}), unit="town-east")
    erased = spec.At(ReportErased(refs=()), unit="town-east")
    _, second, third = spec.events("report", [refused, refused, erased])
    await office.hear([second])
    assert (await asked(office, CODE)).json()["state"] == "refused"
    assert "没有诉求" not in (await typed(office, CODE)).text
    await office.hear([third])
    assert (await asked(office, CODE)).json()["erased"] is True
    assert "已按规定删除" in (await typed(office, CODE)).text


async def test_who_asks_too_often_for_what_does_not_exist_waits_and_a_right_code_still_counts(office: Office) -> None:
    await received(office)
    for _ in range(FAILURES):
        assert (await typed(office, "town-east-2026-00001")).status_code == 404
    page, answer = await typed(office, "nothing"), await asked(office, "nothing")
    assert (page.status_code, answer.status_code) == (429, 429)
    assert 0 < int(page.headers["retry-after"]) <= 61
    assert 0 < int(answer.headers["retry-after"]) <= 61
    assert "查询太频繁" in page.text
    assert (await typed(office, CODE)).status_code == 200


@pytest.mark.parametrize("body", [b'{"code": "\xff"}', b"[" * 3000, b"{"])
async def test_a_body_that_cannot_be_read_is_400(office: Office, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await office.client.post("/bulletin/status.json", content=body, headers=headers)
    assert answer.status_code == 400


async def test_what_is_typed_is_not_said_back_and_broken_forms_are_no_error(office: Office) -> None:
    nasty = "<script>alert(1)</script>"
    assert nasty not in (await typed(office, nasty)).text
    assert (await typed(office, "")).status_code == 200
    broken = await office.client.post(
        "/bulletin/status",
        content=b"code=%ff%fe",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert broken.status_code == 404
    english = await typed(office, "x", "?lang=en")
    assert (english.headers["content-language"], "Nothing to tell" in english.text) == ("en", True)
    assert "form-action 'self'" in english.headers["content-security-policy"]
    assert "script" not in english.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Town-East－2026－00042 ", NUMBER),
        ("town-east–2026—00042", NUMBER),
        ("ＴＯＷＮ－ｅａｓｔ-2026-０００４２", NUMBER),
    ],
)
def test_a_number_is_read_as_people_write_it(said: str, meant: str) -> None:
    assert number_read(said) == meant
