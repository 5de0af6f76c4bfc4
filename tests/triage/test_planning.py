"""Team, plan, emergency plan, meetings, and what a unit passes upward."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import triage
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.rules.packs import load_pack
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.handling.ball import ball
from tests.kit import spec
from tests.kit.spec import NOW, POLICIES, Given, given, staff
from tests.triage.conftest import Triage
from tests.triage.test_assigning import ACCEPTED, ASSIGNED, OPENED, SOURCE, under

TEAM = triage.IncidentTeamNamed(head="chief@town-east", deputy="approver@town-east", members=("handler@town-east",))


def past(*facts: Any, role: str = "chief", unit: str = "town-east") -> Given:
    return given(DECIDER, OPENED, *facts, actor=staff(role, unit=unit))


@pytest.mark.requirement("CON-04", "ESC-05")
def test_one_matter_has_one_team_of_posts() -> None:
    named = c.NameTeam(head="chief@town-east", deputy="approver@town-east", members=("handler@town-east",))
    past().when(named).then(TEAM)
    other = triage.IncidentTeamNamed(head="chief@county")
    assert past(TEAM, other).state.plans.team.head == "chief@county"
    past().when(c.NameTeam(head="wang@town-east")).then_raises(Malformed, "wang@town-east")
    twice = {"deputy": "chief@town-east"}, {"members": ("chief@town-east",)}
    for more in twice:
        past().when(named.model_copy(update=more)).then_raises(Malformed, "chief@town-east is in the team already")


@pytest.mark.requirement("ESC-05")
def test_where_the_pack_asks_for_it_nobody_handles_before_a_team() -> None:
    rule = {"levels": ["major"], "source": SOURCE}
    major = triage.IncidentGraded(level="major", rank=2)
    solve = c.Solve(text="t")
    for facts, allowed in (((major,), False), ((), True), ((major, TEAM), True)):
        case = past(ASSIGNED, ACCEPTED, *facts, role="handler")
        when = replace(case, context=replace(case.context, offices=under(team=rule))).when(solve)
        if allowed:
            when.then(triage.IncidentSolved(text="t"))  # type: ignore[arg-type]
        else:
            when.then_raises(Rejected, "team")


@pytest.mark.requirement("ESC-05")
def test_a_merger_brings_team_plan_and_emergency_plan_along_where_there_is_none() -> None:
    plan = triage.IncidentPlanMade(unit="county-roads", post="handler@county-roads", due=NOW, text="t")  # type: ignore[arg-type]
    started, other = triage.IncidentPlanStarted(plan="outage"), triage.IncidentTeamNamed(head="chief@county")
    leaving = past(TEAM, plan, started).state
    for here, brought in (((), [TEAM, "plan_made", started]), ((other,), ["plan_made", started])):
        into = past(*here).seeing(leaving=leaving, reports=[OPENED.report])
        done = [getattr(one, "data", one) for one in into.when(c.Absorb(incident=leaving.id)).decided()][1:]
        assert [one if one in (TEAM, started) else "plan_made" for one in done] == brought


def test_an_emergency_plan_is_one_of_the_pack_if_it_has_any() -> None:
    company = load_pack(POLICIES / "company-000.yaml")
    case = past()
    offices = replace(case.context.offices, assigned={"city": company.ref}, packs={company.ref: company})
    under = replace(case, context=replace(case.context, offices=offices))
    under.when(c.StartPlan(plan="emergency")).then(triage.IncidentPlanStarted(plan="emergency"))
    under.when(c.StartPlan(plan="outage")).then_raises(Malformed, "has no emergency plan 'outage'; it has emergency")
    case.when(c.StartPlan(plan="outage")).then(triage.IncidentPlanStarted(plan="outage"))


@pytest.mark.requirement("TRI-12")
def test_a_team_stands_before_the_handling_by_the_pack_whose_document_has_one_for_each_matter() -> None:
    pack = load_pack(POLICIES / "matters-002-13.yaml")
    case = past(ASSIGNED, ACCEPTED, role="handler", unit="county-roads")
    offices = replace(case.context.offices, assigned={"city": pack.ref}, packs={pack.ref: pack})
    case = replace(case, context=replace(case.context, offices=offices))
    case.when(c.Solve(text="t")).then_raises(Rejected, "needs a team", rule="assigning.team")


@pytest.mark.requirement("TRI-12")
def test_a_plan_names_limit_procedure_unit_and_post() -> None:
    due = NOW + timedelta(days=3)
    made = c.MakePlan(unit="county-roads", post="handler@county-roads", due=due, text="p")
    past().when(made).then(
        triage.IncidentPlanMade(unit="county-roads", post="handler@county-roads", due=due, text="p")  # type: ignore[arg-type]
    )
    past().when(made.model_copy(update={"due": NOW})).then_raises(Malformed, "has passed")


@pytest.mark.requirement("ESC-11", "MUL-02")
def test_what_a_unit_cannot_solve_goes_to_the_unit_above_which_designates() -> None:
    passed = triage.IncidentPassedUpward(unit="county-roads", designates="county", reason="r")  # type: ignore[arg-type]
    past(ASSIGNED, ACCEPTED, unit="county-roads").when(c.PassUpward(reason="r")).then(passed)
    found = ball(past(ASSIGNED, ACCEPTED, passed).state, spec.offices())
    assert found is not None
    assert (found.unit, found.awaited) == ("county", "designation")
    assert past(ASSIGNED, ACCEPTED, passed).state.unit == "town-east", "the accountable unit stays"
    past(passed).when(c.PassUpward(reason="r")).then_raises(Rejected, "county")
    past(passed, unit="county").when(c.Designate(unit="county-water", reason="r")).then(
        triage.IncidentAssigned(unit="county-water", reason="r", designated_by="county")  # type: ignore[arg-type]
    )


def test_a_joint_meeting_is_one_of_several_units() -> None:
    alone = c.HoldMeeting(meeting="joint", units=("county", "county"), took_part=("chief@county",), minutes="m")
    past().when(alone).then_raises(Malformed, "several units")


@pytest.mark.requirement("ESC-06", "ESC-09", "MUL-05")
async def test_meetings_have_minutes_and_form_the_release_group_over_http(triage: Triage) -> None:
    id_ = await triage.open()
    met = {
        "meeting": "leading_group",
        "units": ["county", "town-east"],
        "took_part": ["chief@county", "chief@town-east"],
        "minutes": "m",
        "release_group": ["approver@county"],
        "spokesperson": "spokesperson@county",
    }
    for verb, body in (
        ("hold-meeting", met),
        ("hold-meeting", {**met, "meeting": "joint", "release_group": [], "spokesperson": None}),
        ("start-plan", {"plan": "outage"}),
        ("name-team", {"head": "chief@town-east"}),
        ("make-plan", {"unit": "county", "post": "chief@county", "due": "2100-01-01T00:00:00Z", "text": "t"}),
    ):
        done = await triage.ask(id_, verb, body, role="chief")
        assert done.status_code == 200, done.text
    found = (await triage.get(f"incidents/{id_}")).json()
    assert [one["meeting"] for one in found["meetings"]] == ["leading_group", "joint"]
    assert found["meetings"][0]["spokesperson"] == "spokesperson@county"
    assert found["meetings"][0]["took_part"] == ["chief@county", "chief@town-east"]
    assert (found["team"]["head"], found["emergency_plan"]["plan"], found["plan"]["unit"]) == (
        "chief@town-east", "outage", "county")  # fmt: skip
    strange = {**met, "took_part": ["wang@county"]}
    assert (await triage.ask(id_, "hold-meeting", strange, role="chief")).status_code == 422
