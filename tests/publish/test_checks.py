"""The gates that a pack asks: who checks a text before its last approval, and what is sent back."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from schemas.approval import Step
from schemas.publish import StatementChecked, StatementSubmitted
from schemas.triage import IncidentAssigned, IncidentMaterialReceived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.publish.commands import Approve, Check, Publish, Submit
from services.publish.decider import DECIDER
from services.publish.rights import Incident
from services.publish.seen import read_incident
from tests.kit.spec import Given, given, staff
from tests.publish.conftest import Office
from tests.publish.test_approval import offices
from tests.publish.test_decider import INCIDENT, MATTER, STREAM, TEXT, TITLE, approved, by, drafted

PACK = """
id: gates
version: 1
title: 检查
effective_from: 2026-01-01
timezone: Asia/Shanghai
documents: {d: 文件}
approval:
  source: &s {kind: stated, document: d, clause: L1}
  chains:
    - code: usual
      title_zh: 一般
      steps:
        - {code: reviewed, title_zh: 审核, who: [leader_in_charge], source: *s}
        - {code: judged, title_zh: 审定, who: [principal_leader], source: *s}
      source: *s
  separation: {value: by_person, source: *s}
gates:
  - {code: secrecy_check, title_zh: 保密审查, by: [office], source: *s}
  - code: text_check
    title_zh: 文字审核
    by: [leader_in_charge]
    items: [{code: states_facts, title_zh: 讲清事实}, {code: courteous, title_zh: 礼貌}]
    source: *s
  - {code: material, title_zh: 材料, when: statement_kind == 'facts', source: *s}
"""
DESK = staff("duty_officer", unit="town-east", person="zhou")
LEADER = staff("approver", unit="town-east", person="li")
CHIEF = staff("chief", unit="town-east", person="zhao")
HANDLER = staff("handler", unit="town-east", person="wang")
SPOKESPERSON = staff("spokesperson", unit="town-east", person="sun")
STEPS = (Step(code="reviewed", who=("leader_in_charge",)), Step(code="judged", who=("principal_leader",)))
SECRECY, TEXT_CHECK = Step(code="secrecy_check", who=("office",)), Step(code="text_check", who=("leader_in_charge",))
HOME = replace(MATTER, assigned=None)


@cache
def submitted(*gates: Step) -> StatementSubmitted:
    said = {"unit": "town-east", "level": None, "chain": "usual", "steps": STEPS, "gates": gates, "by": by("wang")}
    return StatementSubmitted.model_validate(said)


def checked(gate: str = "secrecy_check", passed: bool = True, items: tuple[str, ...] = (), **more: Any) -> Any:
    said = {"gate": gate, "passed": passed, "items": items, "submission": 2, "post": "duty_officer@town-east"}
    return StatementChecked.model_validate({**said, "reason": None, "by": by("zhou"), **more})


def a_text(*past: Any, actor: Any = LEADER, incident: Incident = HOME) -> Given:
    made = given(
        DECIDER, *past, actor=actor, seen={"stream": STREAM, "incident": incident, "title": TITLE, "text": TEXT}
    )
    return replace(made, context=replace(made.context, offices=offices(PACK)))


BOTH = (drafted(), submitted(SECRECY, TEXT_CHECK))
FIRST = approved("reviewed", last=False, post="approver@town-east", who="leader_in_charge", next=("principal_leader",))


def test_the_gates_are_fixed_at_the_submission() -> None:
    (done,) = a_text(drafted(), actor=HANDLER).when(Submit()).decided()
    assert done.data.gates == (SECRECY, TEXT_CHECK)  # type: ignore[union-attr]
    facts = drafted("facts", ("cause",))
    (done,) = a_text(facts, actor=HANDLER).when(Submit()).decided()
    assert [gate.code for gate in done.data.gates] == ["secrecy_check", "text_check", "material"]  # type: ignore[union-attr]


@pytest.mark.requirement("PUB-09")
def test_a_gate_that_no_approver_passes_stands_against_every_approval() -> None:
    a_text(*BOTH).when(Approve()).then_raises(Rejected, "secrecy_check is not passed", rule="gates.secrecy_check")
    a_text(*BOTH, checked(), actor=LEADER).when(Approve()).decided()


@pytest.mark.requirement("PUB-19")
def test_the_agreement_of_who_checks_passes_the_gate() -> None:
    a_text(*BOTH, checked(), FIRST, actor=CHIEF).when(Approve()).decided()
    only = (drafted(), submitted(TEXT_CHECK))
    state = a_text(*only, FIRST).state
    assert [(one.gate, one.post) for one in state.checks.passed] == [("text_check", "approver@town-east")]


@pytest.mark.requirement("PUB-09")
def test_a_person_passes_a_gate_and_another_one_may_not() -> None:
    a_text(*BOTH, actor=DESK).when(Check(gate="secrecy_check", passed=True)).then(checked())
    a_text(*BOTH, actor=CHIEF).when(Check(gate="secrecy_check", passed=True)).then_raises(Forbidden)
    a_text(*BOTH, actor=LEADER).when(Check(gate="secrecy_check", passed=True)).then_raises(Forbidden, "is checked by")
    writer = staff("duty_officer", unit="town-east", person="wang")
    a_text(*BOTH, actor=writer).when(Check(gate="secrecy_check", passed=True)).then_raises(Rejected, "somebody else")
    again = Check(gate="secrecy_check", passed=True)
    a_text(*BOTH, checked(), actor=LEADER).when(again).then_raises(Rejected, "it is passed")


@pytest.mark.requirement("PUB-19")
def test_a_list_is_gone_through_as_a_whole() -> None:
    text = a_text(*BOTH, actor=LEADER)
    all_of_it = ("states_facts", "courteous")
    (done,) = text.when(Check(gate="text_check", passed=True, items=all_of_it)).decided()
    assert done.data.items == all_of_it  # type: ignore[union-attr]
    some = Check(gate="text_check", passed=True, items=("courteous",))
    text.when(some).then_raises(Rejected, "文字审核 is passed .* not confirmed: 讲清事实", rule="gates.text_check")
    text.when(Check(gate="text_check", passed=True, items=("kind",))).then_raises(Malformed, "stands in no list")


def test_what_is_not_to_be_checked_now_says_so_and_names_no_missing_role() -> None:
    text = Check(gate="text_check", passed=True)
    a_text(drafted(), actor=LEADER).when(text).then_raises(Rejected, "is drafted; submit it")
    done = a_text(drafted(), submitted(TEXT_CHECK), FIRST, actor=LEADER)
    done.when(text).then_raises(Rejected, "nothing is to be checked")


def test_a_failed_check_sends_the_text_back_with_its_reason() -> None:
    text = a_text(*BOTH, actor=DESK)
    text.when(Check(gate="secrecy_check", passed=False)).then_raises(Malformed, "say what must be changed")
    failed = checked(passed=False, reason="第二段涉密")
    text.when(Check(gate="secrecy_check", passed=False, reason="第二段涉密")).then(failed)
    state = a_text(*BOTH, failed).state
    assert state.phase == "drafted" and not state.checks.asked


def test_a_text_of_before_the_gates_needs_none() -> None:
    last = approved("judged", person="zhao", post="chief@town-east", who="principal_leader")
    a_text(drafted(), submitted(), FIRST, last, actor=SPOKESPERSON).when(Publish()).decided()


@pytest.mark.requirement("PUB-20", "PUB-11")
def test_no_answer_of_facts_leaves_before_the_signed_material_is_in() -> None:
    needs = (drafted("facts", ("cause",)), submitted(Step(code="material", who=())))
    a_text(*needs, incident=MATTER).when(Approve()).then_raises(
        Rejected, "county-roads is not in", rule="gates.material"
    )
    a_text(*needs, incident=replace(MATTER, has_material=True)).when(Approve()).decided()
    a_text(*needs, incident=HOME).when(Approve()).decided()


async def test_an_approver_of_the_default_pack_passes_the_gates_by_agreeing(office: Office) -> None:
    id_ = await office.draft()
    drafted_ = await office.read(id_)
    assert {one["gate"]: one["state"] for one in drafted_["checks"]} == {
        "secrecy_check": "draft",
        "text_check": "draft",
    }
    await office.act(id_, "submit", "handler")
    seen = await office.read(id_, "approver")
    assert [(one["state"], one["mine"]) for one in seen["checks"]] == [("open", True)] * 2 and "check" in seen["may"]
    assert len(seen["checks"][1]["items"]) == 4
    body = {"gate": "secrecy_check", "passed": True}
    assert (await office.act(id_, "check", "approver", body)).status_code == 200
    assert (await office.act(id_, "approve", "approver", {"reason": "属实"})).status_code == 200
    done = await office.read(id_)
    assert {one["state"] for one in done["checks"]} == {"passed"} and done["state"] == "approved"
    history = await office.client.get(f"/publish/v1/statements/{id_}/history", headers=office.as_("handler"))
    assert [one["act"] for one in history.json()["items"]] == ["drafted", "submitted", "checked", "approved"]
    told = history.json()["items"][2]
    assert (told["gate"], told["passed"]) == (body["gate"], True)


async def test_a_failed_check_shows_its_reason_and_the_material_is_seen(office: Office) -> None:
    id_ = await office.draft()
    await office.act(id_, "submit", "handler")
    body = {"gate": "text_check", "passed": False, "reason": "没有讲清事实"}
    assert (await office.act(id_, "check", "approver", body)).status_code == 200
    back = await office.read(id_)
    assert (back["state"], back["rejection"]) == ("drafted", "没有讲清事实")
    sent = IncidentMaterialReceived(unit="county-roads", signed=True, sealed=True)
    await office.incident(IncidentAssigned(unit="county-roads"), sent)
    async with office.runtime.database.read() as connection:
        known = await read_incident(connection, INCIDENT)
    assert known is not None and known.has_material
