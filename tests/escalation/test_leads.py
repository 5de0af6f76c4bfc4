"""Who leads: a unit above takes the lead, or leads once it was asked and has accepted."""

from typing import Any

import pytest

from schemas import escalation as e
from schemas import triage
from schemas.pack import PolicyPack
from services.escalation.commands import AcceptLead, AskLead, TakeLead
from services.kernel.core.problems import Forbidden, Rejected
from tests.escalation.conftest import Desk
from tests.escalation.incident import PACK, Incident, at, graded, opened, reached
from tests.escalation.test_obligations import officer
from tests.escalation.test_service import grade
from tests.escalation.test_service import opened as told
from tests.kit import spec
from tests.kit.spec import refused_by, staff

ASK, TAKE = AskLead(reason="涉及多个乡镇"), TakeLead(reason="已升级为重大")
HEAD = staff("chief", unit="county")
MAJOR = graded(at(0.5), "major")
LEADS = "levels.major.leads"


def asking() -> PolicyPack:
    """county-default, where the lead at the upper levels is asked for."""
    levels = [
        level.model_copy(update={"leads": level.leads.model_copy(update={"how": "asked"})})
        if level.leads and level.leads.how == "taken"
        else level
        for level in PACK.model.levels
    ]
    return PACK.model.model_copy(update={"levels": tuple(levels)})


def matter(rules: Any = None) -> Incident:
    return Incident(offices=spec.under(rules or PACK.model)).hear(opened(at(0)), MAJOR)


@pytest.mark.requirement("ESC-07")
@pytest.mark.requirement("MUL-04")
def test_a_lead_is_asked_for_and_accepted_and_the_accountable_unit_stays() -> None:
    incident = matter(asking()).do(ASK, at(1), officer())
    [asked] = incident.of(e.ClockLeadAsked)
    assert (asked.unit, asked.of, asked.who) == ("town-east", "county", "leading_group")
    assert incident.state.lead is None
    incident.do(AcceptLead(), at(2), HEAD)
    assert (incident.state.lead, incident.state.unit) == ("county", "town-east")
    acts = [one.milestone for one in incident.of(e.ClockMilestoneReached)][-2:]
    assert acts == ["lead_asked", "lead_accepted"]


@pytest.mark.requirement("MUL-04")
def test_a_lead_that_the_pack_lets_a_unit_take_is_taken() -> None:
    incident = matter().do(TAKE, at(1), HEAD)
    assert (incident.state.lead, incident.state.unit) == ("county", "town-east")
    with pytest.raises(Rejected, match="county leads already"):
        incident.do(TAKE, at(2), HEAD)


def test_who_may_not_take_or_accept_a_lead() -> None:
    with refused_by(LEADS, Forbidden, "chief@county decides this", matter().offices):
        matter().do(TAKE, at(1), officer())
    for other in (officer("town-west"), officer("county")):
        with pytest.raises(Forbidden, match="chief@county decides this"):
            matter(asking()).do(ASK, at(1), officer()).do(AcceptLead(), at(2), other)


@pytest.mark.parametrize("end", ["merged", "closed", "dismissed"])
def test_nobody_leads_on_a_matter_that_has_ended(end: str) -> None:
    incident = matter().hear(reached(end, at(2)))
    with pytest.raises(Rejected, match="was merged" if end == "merged" else f"is {end}; reopen it first"):
        incident.do(TAKE, at(3), HEAD)
    if end != "merged":
        incident.hear(reached("reopened", at(4))).do(TAKE, at(5), HEAD)
        assert incident.state.lead == "county"


def test_a_lead_in_another_way_than_the_pack_says_is_refused() -> None:
    with refused_by(LEADS, Rejected, "the lead is taken at this level", matter().offices):
        matter().do(ASK, at(1), officer())
    with refused_by(LEADS, Rejected, "the lead is asked for at this level", matter(asking()).offices):
        matter(asking()).do(TAKE, at(1), HEAD)
    general = Incident().hear(opened(at(0)), graded(at(0.5), "general"))
    with refused_by("levels.general.leads", Rejected, "the accountable unit leads itself", general.offices):
        general.do(TAKE, at(1), HEAD)
    with refused_by(LEADS, Rejected, "nobody asked county to lead yet", matter(asking()).offices):
        matter(asking()).do(AcceptLead(), at(1), HEAD)
    with pytest.raises(Rejected, match="was asked to lead already"):
        matter(asking()).do(ASK, at(1), officer()).do(ASK, at(2), officer())


def test_the_lead_stays_on_record_when_the_matter_is_handed_over() -> None:
    incident = matter().do(TAKE, at(1), HEAD)
    incident.hear(reached("transferred", at(2), unit="town-west"))
    assert (incident.state.lead, incident.state.unit) == ("county", "town-west")


async def test_a_lead_over_http(desk: Desk) -> None:
    id_ = told(desk)
    grade(desk)
    await desk.consume()
    path = f"/incidents/{id_}"
    assert "take-lead" in (await desk.ask("GET", path, "chief", "county")).json()["may"]
    assert (await desk.ask("POST", f"{path}/take-lead", "chief", "county", {"reason": "统一牵头"})).status_code == 200
    read = (await desk.ask("GET", path, "duty_officer", "town-east")).json()
    assert (read["unit"], read["lead"]) == ("town-east", "county")
    refused = await desk.ask("POST", f"{path}/ask-lead", "chief", "town-east", {"reason": "r"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:huiying:problem:no-such-lead")


async def test_the_level_after_a_move_is_shown_in_terms_of_the_new_pack(desk: Desk) -> None:
    id_ = told(desk)
    grade(desk)
    moved = triage.IncidentPolicyMoved(policy=PACK.ref, previous=PACK.ref, level="general", rank=1)
    desk.tell(id_, moved, at(2))
    await desk.consume()
    read = (await desk.ask("GET", f"/incidents/{id_}", "chief", "county")).json()
    assert (read["level"], "take-lead" in read["may"]) == ("general", False)


@pytest.mark.parametrize("end", [triage.IncidentClosed(reason="r"), triage.IncidentDismissed(report_count=1)])
async def test_a_matter_that_ended_offers_no_lead(desk: Desk, end: Any) -> None:
    id_ = told(desk)
    grade(desk)
    desk.tell(id_, end, at(2))
    await desk.consume()
    path, reason = f"/incidents/{id_}", {"reason": "统一牵头"}
    assert "take-lead" not in (await desk.ask("GET", path, "chief", "county")).json()["may"]
    refused = await desk.ask("POST", f"{path}/take-lead", "chief", "county", reason)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:huiying:problem:matter-ended")
