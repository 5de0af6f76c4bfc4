"""A superior's notice: check, measures, next steps, and the report back within the notice's own limit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import escalation as e
from schemas.offices import PolicyPackAssigned
from services.escalation.commands import GiveNotice, Receipt, ReportBack, WritePart
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.rules.packs import parse_pack
from tests.escalation.conftest import Desk
from tests.escalation.incident import Incident, at, opened, reached
from tests.escalation.test_eras import OLD
from tests.escalation.test_obligations import SOURCE, hop, officer, pack, rule
from tests.escalation.test_service import opened as told
from tests.kit import spec
from tests.kit.spec import refused_by

PARTS = ("check", "measures", "next_steps")
NOTICE: Any = {
    "parts": [{"code": code, "title_zh": code, "source": SOURCE} for code in PARTS],
    "to": "office",
    "source": SOURCE,
}
SUPERIOR = officer("county")
HANDLER = Actor("handler@town-east", "town-east", frozenset({"handler"}), "zhao")
GIVE = GiveNotice(text="请自查整改", due=at(48))


def incident(*reports: Any) -> Incident:
    return Incident(offices=spec.under(pack(*reports, notice=NOTICE))).hear(opened(at(0)))


def noticed(*reports: Any) -> Incident:
    return incident(*reports).do(GIVE, at(1), SUPERIOR)


def answered() -> Incident:
    matter = noticed()
    for number, part in enumerate(PARTS):
        matter.do(WritePart(part=part, text="已办"), at(2 + number), HANDLER)
    return matter


@pytest.mark.requirement("AUD-15")
def test_a_notice_is_met_by_the_receipt_of_the_report_back_within_its_own_limit() -> None:
    matter = answered()
    clock = matter.state.clocks["notice"].started
    assert (clock.unit, clock.since, clock.due) == ("town-east", at(1), at(48))
    matter.do(ReportBack(text="整改情况报告"), at(40), officer())
    [report] = matter.of(e.ClockReportedUpward)
    assert (report.unit, report.to, report.addressee, report.form) == ("town-east", "county", "office", "written")
    assert matter.state.clocks["notice"].met_at is None
    matter.do(Receipt(), at(41), SUPERIOR)
    assert (matter.state.clocks["notice"].met_at, matter.detect(at(99)).breaches()) == (at(41), [])


@pytest.mark.requirement("AUD-15")
def test_without_a_limit_of_its_own_a_notice_has_the_one_of_the_pack() -> None:
    limited = {**NOTICE, "limit": {"mode": "elapsed", "duration": "P3D"}}
    matter = Incident(offices=spec.under(pack(notice=limited))).hear(opened(at(0)))
    matter.do(GiveNotice(text="请自查整改"), at(1), SUPERIOR)
    assert matter.state.clocks["notice"].started.due == at(73)
    for unlimited, place in ((NOTICE, "notice"), ({**NOTICE, "limit": {"source": {"kind": "unset"}}}, "notice.limit")):
        without = Incident(offices=spec.under(pack(notice=unlimited))).hear(opened(at(0)))
        with refused_by(place, Malformed, "sets no limit", without.offices):
            without.do(GiveNotice(text="请自查整改"), at(1), SUPERIOR)


def test_a_notice_on_a_matter_that_is_closed_is_owed_like_any_other() -> None:
    matter = incident().hear(reached("closed", at(1))).do(GIVE, at(2), SUPERIOR)
    assert (matter.state.clocks["notice"].started.due, matter.detect(at(49)).breaches()) == (at(48), ["notice"])


@pytest.mark.parametrize("written", [(), ("check",), ("check", "next_steps")])
def test_the_report_back_is_refused_while_a_part_is_missing(written: tuple[str, ...]) -> None:
    matter = noticed()
    for part in written:
        matter.do(WritePart(part=part, text="已办"), at(2), HANDLER)
    missing = ", ".join(part for part in PARTS if part not in written)
    with refused_by("notice", Rejected, f"lacks {missing}; write every part", matter.offices):
        matter.do(ReportBack(), at(3), officer())


def test_a_notice_that_nobody_answers_is_missed() -> None:
    assert noticed().detect(at(49)).breaches() == ["notice"]


def test_a_report_back_that_is_sent_back_leaves_the_notice_open() -> None:
    matter = answered().do(ReportBack(), at(10), officer())
    matter.do(Receipt(accepted=False, reason="措施不具体"), at(11), SUPERIOR)
    matter.do(WritePart(part="measures", text="更换三处线路"), at(12), HANDLER)
    matter.do(ReportBack(), at(13), officer()).do(Receipt(), at(14), SUPERIOR)
    assert matter.state.clocks["notice"].met_at == at(14)


def test_nobody_reports_back_again_while_a_report_back_waits_for_its_receipt() -> None:
    matter = answered().do(ReportBack(), at(10), officer())
    with pytest.raises(Rejected, match="waits for its receipt"):
        matter.do(ReportBack(), at(11), officer())


def test_each_notice_has_a_clock_of_its_own() -> None:
    matter = answered().do(GiveNotice(text="再查", due=at(30)), at(20), SUPERIOR)
    assert matter.state.clocks["notice#2"].started.due == at(30)
    first = matter.of(e.ClockNoticeGiven)[0].notice
    matter.do(ReportBack(notice=first), at(21), officer()).do(Receipt(), at(22), SUPERIOR)
    assert (matter.state.clocks["notice"].met_at, matter.state.clocks["notice#2"].met_at) == (at(22), None)
    with pytest.raises(Rejected, match="no notice waits for an answer"):
        matter.do(WritePart(notice=first, part="check", text="x"), at(23), HANDLER)


def test_a_report_back_fulfils_no_other_report_to_the_same_office() -> None:
    matter = noticed(rule("up", hop("to_office", "office", "county")))
    for part in PARTS:
        matter.do(WritePart(part=part, text="已办"), at(0.2), HANDLER)
    matter.do(ReportBack(), at(0.3), officer()).do(Receipt(), at(0.4), SUPERIOR)
    assert matter.state.clocks["to_office"].met_at is None


@pytest.mark.parametrize("by", [officer(), Actor("handler@county", "county", frozenset({"handler"}), "qian")])
def test_only_a_unit_above_gives_a_notice(by: Actor) -> None:
    with pytest.raises(Forbidden, match="over county"):
        incident().do(GIVE, at(1), by)


def test_what_is_no_notice_and_no_answer() -> None:
    with pytest.raises(Malformed, match="has passed; name a time that is still to come"):
        incident().do(GIVE, at(48), SUPERIOR)
    with pytest.raises(Rejected, match="has no rule on notices"):
        Incident(offices=spec.under(pack())).hear(opened(at(0))).do(GIVE, at(1), SUPERIOR)
    with refused_by("notice", Malformed, "has no part cause; its parts are check, measures", noticed().offices):
        noticed().do(WritePart(part="cause", text="x"), at(2), HANDLER)
    with pytest.raises(Malformed, match="has no notice"):
        noticed().do(ReportBack(notice=derived("no")), at(2), officer())
    with pytest.raises(Rejected, match="no notice waits"):
        incident().do(ReportBack(), at(2), officer())


async def test_a_notice_and_its_answer_over_http(desk: Desk) -> None:
    rules = parse_pack(pack(notice=NOTICE).model_dump_json(by_alias=True, exclude_none=True))
    desk.tell(f"policy-{spec.UUID}", spec.loaded(rules), at(0))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=rules.ref, since=at(-1)), at(0))
    id_ = told(desk)
    await desk.consume()
    desk.clock.at = at(1)
    path = f"/incidents/{id_}"
    body = {"text": "请自查整改", "due": (at(1) + timedelta(days=7)).isoformat()}
    assert (await desk.ask("POST", f"{path}/give-notice", "duty_officer", "county", body)).status_code == 200
    lacking = await desk.ask("POST", f"{path}/report-back", "duty_officer", "town-east", {})
    assert (lacking.status_code, lacking.json()["missing"]) == (409, list(PARTS))
    [notice] = (await desk.ask("GET", path, "duty_officer", "town-east")).json()["notices"]
    assert (notice["missing"], notice["may"]) == (list(PARTS), ["write-part", "report-back"])
    for part in PARTS:
        said = {"part": part, "text": "已办"}
        assert (await desk.ask("POST", f"{path}/write-part", "handler", "town-east", said)).status_code == 200
    assert (await desk.ask("POST", f"{path}/report-back", "duty_officer", "town-east", {})).status_code == 200
    [notice] = (await desk.ask("GET", path, "duty_officer", "town-east")).json()["notices"]
    assert notice["may"] == ["write-part"]
    assert (await desk.ask("POST", f"{path}/receipt", "duty_officer", "county", {})).status_code == 200
    [notice] = (await desk.ask("GET", path, "duty_officer", "town-east")).json()["notices"]
    assert (notice["answered"], notice["missing"], notice["may"]) == (True, [], [])
    assert [(part["part"], part["text"]) for part in notice["parts"]] == [(part, "已办") for part in PARTS]
    assert (await desk.clocks(id_))["notice"]["state"] == "met"


def test_a_notice_whose_answer_nobody_could_confirm_is_not_given() -> None:
    matter = incident()
    county = {
        code: post for code, post in matter.offices.posts["county"].items() if "office" not in (code, *post.serves)
    }
    matter.offices = replace(matter.offices, posts={**matter.offices.posts, "county": county})
    with refused_by("notice", Rejected, "county has no office, so nobody could confirm", matter.offices):
        matter.do(GIVE, at(1), SUPERIOR)


def test_a_notice_is_still_answered_after_a_move_to_a_pack_without_notices() -> None:
    matter = answered()
    matter.offices = replace(matter.offices, packs={**matter.offices.packs, OLD.ref: OLD})
    matter.hear(reached("policy_moved", at(10), policy=OLD.ref))
    matter.do(ReportBack(), at(11), officer()).do(Receipt(), at(12), SUPERIOR)
    assert matter.state.clocks["notice"].met_at == at(12)
