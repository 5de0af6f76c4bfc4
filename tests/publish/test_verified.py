"""Statements of facts wait for verification, statements of status do not; a clarification's draft begins by itself."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.publish import StatementDrafted
from schemas.triage import IncidentClarificationOpened, IncidentVerificationRequested
from schemas.verification import Verification
from services.kernel.core.decider import SYSTEM
from services.kernel.core.problems import Rejected
from services.publish.commands import Correct, Prepare, Publish, Revise, Submit, Withdraw
from services.publish.reactions import react
from services.publish.writing.drafting import CLARIFICATION
from tests.kit import spec
from tests.publish.conftest import INCIDENT, Office, established
from tests.publish.test_decider import (
    MATTER,
    SPOKESPERSON,
    a_statement,
    approved,
    drafted,
    published,
    submitted,
)

UNVERIFIED = replace(MATTER, verification=Verification())
OPEN = replace(MATTER, verification=Verification(asked=("county-water",), facts=("county",)))
OF_TOWN = Verification(outcome="confirmed", by="town-east")
PREPARE = Prepare(incident=INCIDENT, unit="town-east", basis=f"{INCIDENT}@7")


@pytest.mark.requirement("TRI-01")
@pytest.mark.parametrize(("matter", "why"), [(UNVERIFIED, "nothing is verified yet"), (OPEN, "has no outcome yet")])
def test_facts_wait_for_verification_and_a_status_does_not(matter: Any, why: str) -> None:
    facts = (drafted("facts", ("cause",)),)
    a_statement(*facts, incident=matter).when(Submit()).then_raises(Rejected, why)
    ready = (*facts, submitted(), approved())
    a_statement(*ready, incident=matter, actor=SPOKESPERSON).when(Publish()).then_raises(Rejected, why)
    status = (drafted(), submitted(), approved())
    assert a_statement(drafted(), incident=matter).when(Submit()).decided()
    assert a_statement(*status, incident=matter, actor=SPOKESPERSON).when(Publish()).decided()


@pytest.mark.requirement("TRI-01")
def test_a_correction_of_facts_waits_too_and_a_withdrawal_does_not() -> None:
    other = spec.staff("spokesperson", unit="town-east", person="qian")
    correct = Correct(text="经复核属实。", reason="数字不准")
    facts = (drafted("facts", ("cause",)), submitted(), approved(), published("facts", ("cause",)))
    a_statement(*facts, incident=OPEN, actor=other).when(correct).then_raises(
        Rejected, "has no outcome yet", rule="verification"
    )
    assert a_statement(*facts, incident=OPEN, actor=other).when(Withdraw(reason="正在复核")).decided()
    assert a_statement(*facts, actor=other).when(correct).decided()
    status = (drafted(), submitted(), approved(), published())
    assert a_statement(*status, incident=OPEN, actor=other).when(correct).decided()


@pytest.mark.requirement("TRI-02")
def test_what_the_rules_prepared_is_not_submitted_as_if_somebody_had_written_it() -> None:
    [made] = a_statement().by(SYSTEM).when(PREPARE).decided()
    [revised] = a_statement(made.data).when(Revise(text=CLARIFICATION[1], facts=("cause",))).decided()  # type: ignore[union-attr]
    again = a_statement(made.data, revised.data, text=f"关于路灯：{CLARIFICATION[1]}")  # type: ignore[union-attr]
    again.when(Submit()).then_raises(Rejected, "a place that is not written")


@pytest.mark.requirement("ESC-15")
def test_at_a_grave_level_facts_wait_for_the_unit_above() -> None:
    grave = replace(MATTER, level="major", rank=2, verification=OF_TOWN)
    facts = drafted("facts", ("cause",))
    a_statement(facts, incident=grave).when(Submit()).then_raises(
        Rejected, "county establishes the facts", rule="verification"
    )
    above = replace(grave, verification=OF_TOWN.model_copy(update={"by": "county"}))
    assert a_statement(facts, incident=above).when(Submit()).decided()


@pytest.mark.requirement("TRI-02")
def test_a_clarification_is_drafted_by_itself_and_submitted_only_when_somebody_wrote_it() -> None:
    [made] = a_statement().by(SYSTEM).when(PREPARE).decided()
    draft: Any = made.data  # type: ignore[union-attr]
    assert isinstance(draft, StatementDrafted)
    assert (draft.unit, draft.kind, draft.prepared) == ("town-east", "facts", True)
    assert (draft.title.text, draft.draft.text) == CLARIFICATION  # type: ignore[attr-defined]
    a_statement(draft).by(SYSTEM).when(PREPARE).then_nothing()
    a_statement(draft).when(Submit()).then_raises(Rejected, "nobody has written it yet")
    [revised] = a_statement(draft).when(Revise(text="经核实，路灯共11盏。", facts=("cause",))).decided()
    assert a_statement(draft, revised.data).when(Submit()).decided()  # type: ignore[union-attr]


def test_the_draft_follows_the_opening_of_the_clarification() -> None:
    opened = IncidentClarificationOpened(unit="town-east", cause="dual_report")
    [event] = spec.events("incident", [opened])
    [reaction] = react(event, None)
    assert (reaction.stream[:10], reaction.command.incident) == ("statement-", event.stream)
    assert list(react(spec.events("incident", [established()])[0], None)) == []


@pytest.mark.requirement("TRI-01")
async def test_publish_refuses_facts_while_verification_is_open(office: Office) -> None:
    await office.incident(established(), IncidentVerificationRequested(unit="county-water"))
    facts = await office.draft(kind="facts", facts=["cause"])
    answer = await office.act(facts, "submit", "handler")
    assert answer.json()["type"].endswith("verification-open")
    status = await office.draft()
    assert (await office.act(status, "submit", "handler")).status_code == 200
