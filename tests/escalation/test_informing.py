"""A notice sideways: another office is told of the matter and confirms it."""

import pytest

from schemas import escalation as e
from schemas import triage
from schemas.fields import Typed
from services.escalation.commands import InformOffice, Receipt
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from tests.escalation.conftest import Desk
from tests.escalation.incident import Incident, at, opened
from tests.escalation.test_obligations import officer
from tests.escalation.test_service import incident
from tests.escalation.test_service import opened as told
from tests.kit.spec import UUID, staff

TELL = InformOffice(to="county-roads", text="请知悉并配合")
ROADS = officer("county-roads")


def matter() -> Incident:
    return Incident().hear(opened(at(0)))


@pytest.mark.parametrize(
    ("to", "unit", "addressee"),
    [
        ("county-roads", "county-roads", "office"),
        ("leading_group@county", "county", "leading_group"),
        ("chief@town-west", "town-west", "chief"),
    ],
)
def test_an_office_is_told_and_confirms_by_a_receipt(to: str, unit: str, addressee: str) -> None:
    case = matter().do(InformOffice(to=to, text="t"), at(1), officer())
    (sent,) = case.of(e.ClockOfficeInformed)
    assert (sent.unit, sent.to, sent.addressee, case.did) == ("town-east", unit, addressee, [sent])
    (post, *_) = sorted(case.offices.receivers(unit, addressee))
    code, _, where = post.partition("@")
    case.do(Receipt(), at(2), staff(code, unit=where))
    assert case.did == [e.ClockReceiptGiven(report=sent.report, unit=unit)], "it fulfils no report"


def test_only_its_addressee_confirms_it_once_or_sends_it_back_with_a_reason() -> None:
    case = matter().do(TELL, at(1), officer())
    with pytest.raises(Forbidden, match="office of county-roads"):
        case.do(Receipt(), at(2), officer("county"))
    case.do(Receipt(accepted=False, reason="不属本单位"), at(2), ROADS)
    (back,) = case.of(e.ClockReceiptRefused)
    assert back.unit == "county-roads"
    with pytest.raises(Rejected, match="has answered this report already"):
        case.do(Receipt(report=back.report), at(3), ROADS)


def test_what_is_no_other_office() -> None:
    for to, said in (("town-east", "knows of the matter itself"), ("chief@town-east", "knows"), ("nowhere", "no unit")):
        with pytest.raises(Malformed, match=said):
            matter().do(InformOffice(to=to, text="t"), at(1), officer())
    with pytest.raises(Rejected, match="has no nobody"):
        matter().do(InformOffice(to="nobody@county-roads", text="t"), at(1), officer())
    with pytest.raises(Forbidden):
        matter().do(TELL, at(1), staff("handler", unit="town-east"))
    with pytest.raises(Forbidden):
        matter().do(TELL, at(1), ROADS)


async def test_the_answer_and_the_sentence_of_a_refusal_have_the_number_of_the_matter(desk: Desk) -> None:
    id_, number = incident("a"), "town-east-2026-00042"
    fact = triage.IncidentOpened(unit="town-east", report=f"report-{UUID}", discovered_at=at(0), number=number)
    desk.tell(id_, fact, at(0))
    await desk.consume()
    desk.clock.at = at(1)
    path, body = f"/incidents/{id_}/inform-office", {"to": "county-roads", "text": "请知悉"}
    assert (await desk.ask("POST", path, "chief", "town-east", body)).json()["number"] == number
    stale = await desk.ask("POST", path, "chief", "town-east", body, If_Match="9")
    assert (stale.status_code, stale.json()["detail"].partition(" ")[0]) == (412, number)


async def test_the_other_office_reads_what_it_is_told_and_everybody_sees_its_receipt(desk: Desk) -> None:
    id_ = told(desk)
    await desk.consume()
    desk.clock.at = at(1)
    path = f"/incidents/{id_}"
    assert (await desk.ask("GET", path, "duty_officer", "county-roads")).status_code == 403
    body = {"to": "county-roads", "text": Typed(text="请知悉").text}
    assert (await desk.ask("POST", f"{path}/inform-office", "chief", "town-east", body)).status_code == 200
    waiting = "/reports-to-confirm"
    (item,) = (await desk.ask("GET", waiting, "duty_officer", "county-roads")).json()["items"]
    assert (item["incident_id"], item["text"], item["may"], item["unit"]) == (id_, "请知悉", ["receipt"], "town-east")
    assert (await desk.ask("GET", waiting, "duty_officer", "town-west")).json() == {
        "items": [],
        "count": 0,
        "next": None,
    }
    first = (await desk.ask("GET", f"{waiting}?limit=1", "chief", "county")).json()
    assert first["count"] == 1 and [one["report"] for one in first["items"]] == [item["report"]], (
        "the office is below it"
    )
    there = (await desk.ask("GET", path, "duty_officer", "county-roads")).json()
    (report,) = there["reports"]
    assert (report["informs"], report["text"], report["state"], report["may"]) == (True, "请知悉", "sent", ["receipt"])
    assert (await desk.ask("POST", f"{path}/receipt", "duty_officer", "county-roads", {})).status_code == 200
    assert (await desk.ask("GET", waiting, "duty_officer", "county-roads")).json()["items"] == []
    (report,) = (await desk.ask("GET", path, "chief", "town-east")).json()["reports"]
    assert (report["state"], report["receipts"], report["hop"]) == ("received", 1, None)


async def test_an_office_whose_part_has_ended_confirms_what_it_is_told_afterwards(desk: Desk) -> None:
    id_ = told(desk)
    said = {"unit": "town-west", "previous": "town-east", "reason": {"ref": UUID, "digest": "0" * 64}}
    desk.tell(id_, triage.IncidentTransferred.model_validate(said), at(1))
    await desk.consume()
    desk.clock.at = at(2)
    path = f"/incidents/{id_}"
    body = {"to": "town-east", "text": "请知悉"}
    assert (await desk.ask("POST", f"{path}/inform-office", "chief", "town-west", body)).status_code == 200
    read = await desk.ask("GET", path, "duty_officer", "town-east")
    (report,) = read.json()["reports"]
    assert (report["text"], report["may"], read.json()["may"]) == ("请知悉", ["receipt"], ["receipt"])
    seen = {"if_match": str(read.json()["revision"])}
    confirmed = await desk.ask("POST", f"{path}/receipt", "duty_officer", "town-east", {}, **seen)
    assert confirmed.status_code == 200, confirmed.text
