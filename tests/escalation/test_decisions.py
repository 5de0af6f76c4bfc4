"""The recorded decision whether to report and whether to meet, with the reason and with who took part."""

from dataclasses import replace
from typing import Any

import pytest

from schemas import escalation as e
from schemas.offices import PolicyPackAssigned
from services.escalation.commands import ConfirmDecision, Decide
from services.escalation.views import OF_ONE
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Offices, Post
from services.kernel.rules.packs import parse_pack
from services.kernel.store.views import folded
from tests.escalation.conftest import Desk
from tests.escalation.incident import OFFICES, Incident, at, graded, opened, reached
from tests.escalation.test_obligations import SOURCE, pack, someone
from tests.escalation.test_service import opened as told
from tests.kit import spec
from tests.kit.spec import refused_by, staff

MEET = Decide(decides="meet", yes=True, reason="影响扩大")


def deciding(who: list[str], decides: str = "meet", **more: Any) -> dict[str, Any]:
    return {"decides": decides, "who": who, "source": SOURCE, **more}


def matter(*rules: dict[str, Any], at_: Offices | None = None) -> Incident:
    return Incident(offices=spec.under(pack(decisions=rules), at_)).hear(opened(at(0)))


@pytest.mark.requirement("ESC-14")
@pytest.mark.parametrize(("decides", "yes"), [("meet", True), ("report", False)])
def test_the_decision_is_recorded_with_its_reason_and_who_took_it(decides: Any, yes: bool) -> None:
    incident = matter(deciding(["publicity"], decides))
    incident.do(Decide(decides=decides, yes=yes, reason="仅一处积水"), at(1), someone("publicity"))
    [decision] = incident.of(e.ClockDecisionRecorded)
    assert (decision.decides, decision.yes, decision.unit) == (decides, yes, "town-east")
    assert decision.took_part == ("publicity@town-east",)
    assert decision.reason is not None


@pytest.mark.parametrize("post", ["chief", "duty_officer"])
def test_nobody_else_decides(post: str) -> None:
    incident = matter(deciding(["publicity"]))
    with refused_by("decisions.0", Forbidden, "publicity@town-east decides this, and you act as", incident.offices):
        incident.do(MEET, at(1), someone(post))


@pytest.fixture
def heads() -> Offices:
    """Two sections in the town, each with its head."""
    town = {**OFFICES.posts["town-east"], "water": Post("water", "供水科", frozenset({"handler"}), serves=("section",))}
    return replace(OFFICES, posts={**OFFICES.posts, "town-east": town})


HEAD = Actor("handler@town-east", "town-east", frozenset({"handler"}), "zhao")


@pytest.mark.requirement("TRI-16")
def test_several_heads_judge_together_in_one_record_and_one_alone_is_refused(heads: Offices) -> None:
    incident = matter(deciding(["section"], together=2), at_=heads)
    with refused_by("decisions.0", Rejected, "judged together by at least 2", incident.offices):
        incident.do(MEET, at(1), HEAD)
    again = MEET.model_copy(update={"took_part": ("handler@town-east",)})
    with refused_by("decisions.0", Rejected, "judged together by at least 2", incident.offices):
        incident.do(again, at(1), HEAD)
    stranger = MEET.model_copy(update={"took_part": ("auditor@town-east",)})
    with refused_by("decisions.0", Rejected, "auditor@town-east does not decide this", incident.offices):
        incident.do(stranger, at(1), HEAD)


WATER = Actor("water@town-east", "town-east", frozenset({"handler"}), "qian")
TOGETHER = MEET.model_copy(update={"took_part": ("water@town-east",)})


@pytest.mark.requirement("TRI-16")
def test_each_head_confirms_it_before_it_is_one_record(heads: Offices) -> None:
    incident = matter(deciding(["section"], together=2), at_=heads).do(TOGETHER, at(1), HEAD)
    [proposed] = incident.of(e.ClockDecisionProposed)
    assert incident.of(e.ClockDecisionRecorded) == [], "one person's word on who took part decides nothing"
    confirm = ConfirmDecision(decision=proposed.decision)
    with pytest.raises(Rejected, match="has confirmed this decision already"):
        incident.do(confirm, at(2), HEAD)
    with refused_by("decisions.0", Rejected, "another person must confirm it", incident.offices):
        incident.do(confirm, at(2), replace(WATER, person="zhao"))
    with pytest.raises(Forbidden, match="handler@town-east or water@town-east decides this"):
        incident.do(confirm, at(2), someone("chief"))
    with pytest.raises(Malformed, match="waits for confirmations"):
        incident.do(ConfirmDecision(decision=spec.UUID), at(2), WATER)
    incident.do(confirm, at(2), WATER)
    [decision] = incident.of(e.ClockDecisionRecorded)
    assert decision.took_part == ("handler@town-east", "water@town-east")
    assert decision.reason == proposed.reason
    [row] = folded(OF_ONE[-1], incident.events)
    assert (row["state"], row["confirmed_by"]) == ("recorded", "handler@town-east water@town-east")
    with pytest.raises(Rejected, match="has confirmed this decision already"):
        incident.do(confirm, at(3), WATER)


@pytest.mark.parametrize("change", [reached("transferred", at(1.5), unit="county-roads"), graded(at(1.5), "major")])
def test_those_who_do_not_decide_any_more_confirm_nothing(heads: Offices, change: Any) -> None:
    """The matter went to another unit, or the pack asks other posts at its new level."""
    rules = (deciding(["section"], together=2, levels=["general"]), deciding(["principal_leader"], levels=["major"]))
    incident = matter(*rules, at_=heads).do(TOGETHER, at(1), HEAD).hear(change)
    [proposed] = incident.of(e.ClockDecisionProposed)
    with pytest.raises(Rejected, match="propose it anew"):
        incident.do(ConfirmDecision(decision=proposed.decision), at(2), WATER)


def test_the_head_of_the_unit_that_handles_the_matter_takes_part() -> None:
    incident = matter(deciding(["section"], together=2)).hear(reached("assigned", at(1), unit="county-roads"))
    incident.do(MEET.model_copy(update={"took_part": ("handler@county-roads",)}), at(2), HEAD)
    [proposed] = incident.of(e.ClockDecisionProposed)
    roads = staff("handler", unit="county-roads", person="sun")
    incident.do(ConfirmDecision(decision=proposed.decision), at(3), roads)
    assert len(incident.of(e.ClockDecisionRecorded)) == 1


def test_a_body_decides_by_its_members_and_not_by_its_duty_post() -> None:
    rules = deciding(["leading_group"], levels=["major"])
    incident = matter(rules).hear(graded(at(0.5), "major"))
    with pytest.raises(Forbidden):
        incident.do(MEET, at(1), someone("duty_officer"))
    incident.do(MEET, at(1), someone("approver"))
    assert len(incident.of(e.ClockDecisionRecorded)) == 1


def test_a_decision_that_no_rule_asks_for_is_refused() -> None:
    for incident in (matter(), matter(deciding(["chief"], "report")), matter(deciding(["chief"], levels=["major"]))):
        with pytest.raises(Rejected, match="asks for no such decision"):
            incident.do(MEET, at(1), someone("chief"))
    merged = matter(deciding(["chief"])).hear(reached("merged", at(1)))
    with pytest.raises(Rejected, match="was merged into"):
        merged.do(MEET, at(2), someone("chief"))


async def test_a_decision_over_http(desk: Desk) -> None:
    rules = parse_pack(
        pack(decisions=[deciding(["leader_in_charge"])]).model_dump_json(by_alias=True, exclude_none=True)
    )
    desk.tell(f"policy-{spec.UUID}", spec.loaded(rules), at(0))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=rules.ref, since=at(-1)), at(0))
    id_ = told(desk)
    await desk.consume()
    path, body = f"/incidents/{id_}", {"decides": "meet", "yes": False, "reason": "已平息"}
    assert "decide" in (await desk.ask("GET", path, "approver", "town-east")).json()["may"]
    assert "decide" not in (await desk.ask("GET", path, "chief", "town-east")).json()["may"]
    refused = await desk.ask("POST", f"{path}/decide", "chief", "town-east", body)
    assert (refused.status_code, refused.json()["posts"]) == (403, ["approver@town-east"])
    assert (await desk.ask("POST", f"{path}/decide", "approver", "town-east", body)).status_code == 200
    [decision] = (await desk.ask("GET", path, "approver", "town-east")).json()["decisions"]
    assert (decision["yes"], decision["reason"], decision["took_part"]) == (False, "已平息", ["approver@town-east"])
    assert (decision["state"], decision["may"]) == ("recorded", [])


async def test_a_decision_of_several_over_http(desk: Desk) -> None:
    rules = parse_pack(
        pack(decisions=[deciding(["leading_group"], together=2)]).model_dump_json(by_alias=True, exclude_none=True)
    )
    desk.tell(f"policy-{spec.UUID}", spec.loaded(rules), at(0))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=rules.ref, since=at(-1)), at(0))
    id_ = told(desk)
    await desk.consume()
    path = f"/incidents/{id_}"
    body = {"decides": "meet", "yes": True, "reason": "影响扩大", "took_part": ["approver@town-east"]}
    assert (await desk.ask("POST", f"{path}/decide", "chief", "town-east", body, person="li")).status_code == 200
    read = (await desk.ask("GET", path, "approver", "town-east", person="zhao")).json()
    [waiting] = read["decisions"]
    assert (waiting["state"], waiting["may"]) == ("proposed", ["confirm-decision"])
    assert (await desk.ask("GET", path, "chief", "town-east", person="li")).json()["decisions"][0]["may"] == []
    confirm = {"decision": waiting["decision"]}
    answer = await desk.ask("POST", f"{path}/confirm-decision", "approver", "town-east", confirm, person="zhao")
    assert answer.status_code == 200, answer.text
    [decision] = (await desk.ask("GET", path, "approver", "town-east", person="zhao")).json()["decisions"]
    assert (decision["state"], decision["reason"], len(decision["confirmed_by"])) == ("recorded", "影响扩大", 2)
