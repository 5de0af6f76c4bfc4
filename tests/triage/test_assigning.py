"""How a matter is given to units: instruction, lead, helpers, returns, and the designation that binds."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact
from schemas.pack import PolicyPack
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Delegation, Offices
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.handling.ball import ball
from tests.kit import spec
from tests.kit.spec import NOW, At, Given, given, staff
from tests.triage.conftest import Triage

SOURCE = {"kind": "derived", "reason": "of these tests"}
OPENED = triage.IncidentOpened(unit="town-east", report=f"report-{spec.UUID}", discovered_at=NOW - timedelta(days=3))
ASSIGNED = triage.IncidentAssigned(unit="county-roads")
ACCEPTED = triage.IncidentAccepted(unit="county-roads")
BACK: tuple[Fact, ...] = (
    ASSIGNED,
    triage.IncidentReturned(unit="county-roads", reason="r"),  # type: ignore[arg-type]
)
HELPS = triage.IncidentHelpRequested(unit="county-water", due=NOW + timedelta(days=1))
DESIGNATED = triage.IncidentAssigned(unit="county-roads", designated_by="county")


def under(**assigning: Any) -> Offices:
    """The shipped offices under county-default with another section on assigning."""
    model = spec.offices().pack("town-east").model
    whole = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    whole["assigning"] = {**whole["assigning"], **assigning}
    return spec.under(PolicyPack.model_validate(whole))


def past(*facts: Fact | At, roles: tuple[str, ...], unit: str = "town-east", **assigning: Any) -> Given:
    case = given(DECIDER, OPENED, *facts, actor=staff(*roles, unit=unit))
    if assigning:
        case = replace(case, context=replace(case.context, offices=under(**assigning)))
    return case


RETURNING = "assigning.returning"
DESK, LEAD, HEAD = ("duty_officer",), ("handler",), ("chief",)


LEADER = {"who": ["principal_leader"], "source": SOURCE}


class TestInstruction:
    @pytest.mark.requirement("TRI-18")
    def test_where_the_pack_asks_for_it_nobody_assigns_before_it(self) -> None:
        assign = c.Assign(unit="county-roads")
        past(roles=DESK, instruction=LEADER).when(assign).then_raises(
            Rejected, "principal_leader", rule="assigning.instruction"
        )
        told = triage.IncidentInstructionGiven(text="t", post="chief@town-east")  # type: ignore[arg-type]
        past(told, roles=DESK, instruction=LEADER).when(assign).then(ASSIGNED)

    @pytest.mark.requirement("TRI-18")
    def test_it_holds_its_text_its_post_and_its_time(self) -> None:
        at = NOW - timedelta(seconds=30)
        written = c.Instruct(text="t", happened_at=at, late_reason="on paper")
        case = past(roles=HEAD, instruction=LEADER).when(written)
        (done,) = case.decided()
        assert done.data.post == "chief@town-east"  # type: ignore[union-attr]
        assert done.time == at  # type: ignore[union-attr]

    def test_another_leaders_instruction_is_none_of_the_pack(self) -> None:
        rule = {"who": ["leading_group"], "source": SOURCE}
        told = past(roles=HEAD, unit="county-roads", instruction=rule)
        told.when(c.Instruct(text="t")).then_raises(Forbidden)
        alone = {"who": ["verifier"], "source": SOURCE}
        past(roles=HEAD, instruction=alone).when(c.Instruct(text="t")).then(
            triage.IncidentInstructionGiven(text="t")  # type: ignore[arg-type]
        )

    def test_who_only_approves_for_the_leader_gives_none(self) -> None:
        told = past(roles=DESK, instruction=LEADER)
        loan = Delegation("chief@town-east", "duty_officer@town-east", NOW - timedelta(days=1), NOW + timedelta(days=1))
        offices = replace(told.context.offices, delegations=(loan,))
        asked = replace(told, context=replace(told.context, offices=offices)).when(c.Instruct(text="t"))
        asked.then_raises(Forbidden)

    def test_a_pack_says_at_which_levels(self) -> None:
        rule = {**LEADER, "levels": ["major"]}
        past(roles=DESK, instruction=rule).when(c.Assign(unit="county-roads")).then(ASSIGNED)
        graded = triage.IncidentGraded(level="major", rank=2)
        past(graded, roles=DESK, instruction=rule).when(c.Assign(unit="county-roads")).then_raises(Rejected)

    def test_a_reopened_matter_needs_one_again(self) -> None:
        told = triage.IncidentInstructionGiven(text="t", post="chief@town-east")  # type: ignore[arg-type]
        over = (triage.IncidentDismissed(report_count=1), triage.IncidentReopened(reason="r"))  # type: ignore[arg-type]
        case = past(told, *over, roles=DESK, instruction=LEADER)
        case.when(c.Assign(unit="county-roads")).then_raises(Rejected, "instruction")


class TestLead:
    def test_the_pack_says_who_leads_by_default(self) -> None:
        past(roles=DESK).when(c.Assign()).then_raises(Malformed, "name the unit")
        first = {"value": "first_receiver", "source": SOURCE}
        past(roles=DESK, lead=first).when(c.Assign()).then(triage.IncidentAssigned(unit="town-east"))

    def test_it_has_a_share_and_a_limit_of_its_own(self) -> None:
        due = NOW + timedelta(days=2)
        past(roles=DESK).when(c.Assign(unit="county-roads", share="s", due=due)).then(
            triage.IncidentAssigned(unit="county-roads", share="s", due=due)  # type: ignore[arg-type]
        )
        past(roles=DESK).when(c.Assign(unit="county-roads", due=NOW)).then_raises(Malformed, "has passed")


class TestHelp:
    def test_a_helper_has_a_share_a_limit_and_a_receipt(self) -> None:
        asks = c.RequestHelp(unit="county-water", text="s", due=NOW + timedelta(days=1))
        past(roles=DESK).when(asks).then(HELPS.model_copy(update={"text": triage.IncidentReplied(text="s").text}))  # type: ignore[arg-type]
        case = past(ASSIGNED, HELPS, roles=LEAD, unit="county-water")
        case.when(c.AcceptHelp()).then(triage.IncidentHelpAccepted(unit="county-water"))
        case.when(c.CompleteHelp(text="t")).then(triage.IncidentHelpCompleted(unit="county-water", text="t"))  # type: ignore[arg-type]
        case.when(c.ReturnHelp(reason="r")).then(triage.IncidentHelpReturned(unit="county-water", reason="r"))  # type: ignore[arg-type]

    def test_once(self) -> None:
        completed = triage.IncidentHelpCompleted(unit="county-water", text="t")  # type: ignore[arg-type]
        done = (triage.IncidentHelpAccepted(unit="county-water"), completed)
        case = past(ASSIGNED, HELPS, *done, roles=LEAD, unit="county-water")
        case.when(c.AcceptHelp()).then_raises(Rejected, "already")
        case.when(c.CompleteHelp(text="t")).then_raises(Rejected, "already")

    def test_what_is_completed_is_neither_accepted_nor_returned(self) -> None:
        completed = triage.IncidentHelpCompleted(unit="county-water", text="t")  # type: ignore[arg-type]
        case = past(ASSIGNED, HELPS, completed, roles=LEAD, unit="county-water")
        for command in (c.AcceptHelp(), c.ReturnHelp(reason="r")):
            case.when(command).then_raises(Rejected, "completed its share already")

    def test_a_refusal_names_the_act(self) -> None:
        both = (ASSIGNED, HELPS, triage.IncidentHelpRequested(unit="town-west"))
        case = past(*both, roles=LEAD, unit="county-water")
        for verb, command in (
            ("accept-help", c.AcceptHelp(unit="town-west")),
            ("return-help", c.ReturnHelp(unit="town-west", reason="r")),
            ("complete-help", c.CompleteHelp(unit="town-west", text="t")),
        ):
            with pytest.raises(Forbidden) as refused:
                case.when(command).decided()
            assert refused.value.members["act"] == verb

    def test_only_a_unit_that_helps_speaks_for_its_share(self) -> None:
        past(ASSIGNED, HELPS, roles=LEAD, unit="county-roads").when(c.AcceptHelp()).then_raises(Forbidden)
        past(ASSIGNED, roles=LEAD, unit="town-east").when(c.AcceptHelp()).then_raises(Rejected, "no unit helps")
        both = (ASSIGNED, HELPS, triage.IncidentHelpRequested(unit="town-west"))
        past(*both, roles=LEAD, unit="county").when(c.AcceptHelp()).then_raises(Malformed, "county-water, town-west")
        past(*both, roles=LEAD, unit="county-water").when(c.AcceptHelp(unit="town-west")).then_raises(Forbidden)

    def test_who_handles_the_matter_is_asked_for_no_help(self) -> None:
        asks = c.RequestHelp(unit="county-roads")
        past(ASSIGNED, roles=DESK).when(asks).then_raises(Rejected, "handles .* itself")

    def test_who_gave_its_share_back_helps_no_more(self) -> None:
        back = triage.IncidentHelpReturned(unit="county-water", reason="r")  # type: ignore[arg-type]
        case = past(ASSIGNED, HELPS, back, roles=LEAD, unit="county-water")
        case.when(c.RecordHandling(track="problem", text="t")).then_raises(Forbidden)


class TestReturn:
    def test_the_reason_is_of_the_packs_list_and_the_returns_are_counted(self) -> None:
        case = past(*BACK, ASSIGNED, roles=LEAD, unit="county-roads")
        case.when(c.Return(ground="need_more", reason="r")).then(
            triage.IncidentReturned(unit="county-roads", reason="r", ground="need_more", returns=2)  # type: ignore[arg-type]
        )
        case.when(c.Return(reason="r")).then_raises(Malformed, "name one of the pack's reasons")
        case.when(c.Return(ground="lazy", reason="r")).then_raises(Malformed, "not_ours_by_duty, not_ours_by_place")

    @pytest.mark.parametrize(("most", "before", "designates"), [(3, 1, None), (3, 2, "county"), (1, 0, "county")])
    def test_after_as_many_dispatches_as_the_pack_names_the_unit_above_designates(
        self, most: int, before: int, designates: str | None
    ) -> None:
        case = past(
            *BACK * before, ASSIGNED, roles=LEAD, unit="county-roads", dispatches={"value": most, "source": SOURCE}
        )
        case.when(c.Return(ground="need_more", reason="r")).then(
            triage.IncidentReturned(
                unit="county-roads", reason="r", ground="need_more", returns=before + 1, designates=designates
            )  # type: ignore[arg-type]
        )

    def test_three_is_the_usual_number(self) -> None:
        usual = spec.offices().pack("town-east").model
        bare = spec.under(usual.model_copy(update={"assigning": None}))
        case = past(*BACK * 2, ASSIGNED, roles=LEAD, unit="county-roads")
        (done,) = replace(case, context=replace(case.context, offices=bare)).when(c.Return(reason="r")).decided()
        assert done.data.designates == "county"  # type: ignore[union-attr]

    @pytest.mark.parametrize(("hours", "late"), [(24, False), (25, True)])
    def test_after_a_return_that_is_too_late_it_designates_at_once(self, hours: int, late: bool) -> None:
        told = At(ASSIGNED, NOW - timedelta(hours=hours))
        past(told, roles=LEAD, unit="county-roads").when(c.Return(ground="need_more", reason="r")).then(
            triage.IncidentReturned(
                unit="county-roads",
                reason="r",  # type: ignore[arg-type]
                ground="need_more",
                late=late,
                designates="county" if late else None,
            )
        )

    def test_back_dating_makes_no_return_timely(self) -> None:
        told = At(ASSIGNED, NOW - timedelta(hours=30))
        case = past(told, roles=LEAD, unit="county-roads")
        at = NOW - timedelta(hours=20)
        (done,) = case.when(c.Return(ground="need_more", reason="r", happened_at=at, late_reason="l")).decided()
        assert done.data.late  # type: ignore[union-attr]


TO_DESIGNATE = (*BACK * 2, ASSIGNED, triage.IncidentReturned(unit="county-roads", reason="r", designates="county"))  # type: ignore[arg-type]


ELSEWHERE = triage.IncidentAssigned(unit="county-water")
PASSED = triage.IncidentPassedUpward(unit="county-roads", designates="county", reason="r")  # type: ignore[arg-type]


class TestDesignation:
    def test_then_the_desk_assigns_no_more_and_the_unit_above_designates(self) -> None:
        past(*TO_DESIGNATE, roles=DESK).when(c.Assign(unit="town-east")).then_raises(
            Rejected, "county designates", rule=RETURNING
        )
        designate = c.Designate(unit="county-roads", reason="r")
        past(*TO_DESIGNATE, roles=HEAD).when(designate).then_raises(Forbidden)
        past(*TO_DESIGNATE, roles=HEAD, unit="county").when(designate).then(
            triage.IncidentAssigned(unit="county-roads", reason="r", designated_by="county")  # type: ignore[arg-type]
        )

    def test_it_binds(self) -> None:
        bound = (*TO_DESIGNATE, DESIGNATED)
        past(*bound, roles=LEAD, unit="county-roads").when(c.Return(ground="need_more", reason="r")).then_raises(
            Rejected, "binds", rule=RETURNING
        )
        past(*bound, roles=DESK).when(c.Assign(unit="town-east")).then_raises(Rejected, "binds", rule=RETURNING)
        past(*bound, roles=LEAD, unit="county-roads").when(c.Accept()).then(ACCEPTED)
        again = c.Designate(unit="county-water", reason="r")
        past(*bound, roles=HEAD, unit="county").when(again).then(
            triage.IncidentAssigned(unit="county-water", reason="r", designated_by="county")  # type: ignore[arg-type]
        )

    def test_not_before(self) -> None:
        case = past(*BACK, roles=HEAD, unit="county").when(c.Designate(unit="county-roads", reason="r"))
        case.then_raises(Rejected, "still gives", rule=RETURNING)

    def test_at_the_root_its_head_designates(self) -> None:
        opened = OPENED.model_copy(update={"unit": "city"})
        back = triage.IncidentReturned(unit="county-roads", reason="r", designates="city")  # type: ignore[arg-type]
        case = given(DECIDER, opened, ASSIGNED, back, actor=staff("chief", unit="city"))
        designate = c.Designate(unit="county-roads", reason="r")
        case.when(designate).then(
            triage.IncidentAssigned(unit="county-roads", reason="r", designated_by="city")  # type: ignore[arg-type]
        )
        deputy = replace(staff("chief", unit="city"), post="handler@city", roles=frozenset({"chief", "handler"}))
        posts = {**spec.offices().posts, "city": {**spec.offices().posts["city"]}}
        posts["city"]["chief"] = replace(posts["city"]["chief"], head=False)
        posts["city"]["approver"] = replace(posts["city"]["approver"], head=True)
        offices = replace(spec.offices(), posts=posts)
        asked = replace(case.by(deputy), context=replace(case.context, actor=deputy, offices=offices))
        asked.when(designate).then_raises(Rejected, "approver@city")

    def test_a_merger_keeps_the_matter_bound(self) -> None:
        leaving = given(DECIDER, OPENED, *TO_DESIGNATE, DESIGNATED).state
        into = given(DECIDER, OPENED, actor=staff("chief")).seeing(leaving=leaving, reports=[f"report-{spec.UUID}"])
        done = [getattr(one, "data", one) for one in into.when(c.Absorb(incident=leaving.id)).decided()]
        assert triage.IncidentAssigned(unit="county-roads", taken_from=leaving.id, designated_by="county") in done

    def test_a_merger_is_no_way_out_of_a_designation(self) -> None:
        leaving = given(DECIDER, OPENED, *TO_DESIGNATE).state
        into = given(DECIDER, OPENED, *BACK, actor=staff("chief")).seeing(
            leaving=leaving, reports=[f"report-{spec.UUID}"]
        )
        (absorbed,) = (getattr(one, "data", one) for one in into.when(c.Absorb(incident=leaving.id)).decided())
        state = given(DECIDER, OPENED, *BACK, absorbed).state
        assert (state.dispatch.number, state.dispatch.returns, state.dispatch.designates) == (3, 4, "county")

    @pytest.mark.parametrize(
        ("here", "there", "designates", "lead", "bound"),
        [
            (TO_DESIGNATE, (ELSEWHERE,), "county", "county-water", None),
            ((ELSEWHERE,), TO_DESIGNATE, "county", "county-water", None),
            ((), (ASSIGNED, ACCEPTED, PASSED), "county", "county-roads", None),
            ((ELSEWHERE,), (*TO_DESIGNATE, DESIGNATED), None, "county-roads", "county"),
            ((ASSIGNED, ACCEPTED), (*TO_DESIGNATE, DESIGNATED), None, "county-roads", "county"),
            ((*TO_DESIGNATE, DESIGNATED), (*TO_DESIGNATE,), None, "county-roads", "county"),
        ],
    )
    def test_whichever_matter_is_merged_into_the_other(
        self, here: tuple[Fact, ...], there: tuple[Fact, ...], designates: str | None, lead: str, bound: str | None
    ) -> None:
        state = merged((OPENED, *here), (OPENED, *there)).state
        told = state.dispatch
        assert (told.designates, told.designated_by, state.assigned) == (designates, bound, lead)
        desk = replace(staff("duty_officer"), unit="town-east", post="duty_officer@town-east")
        past_merger = merged((OPENED, *here), (OPENED, *there)).by(desk)
        past_merger.when(c.Assign(unit="town-west")).then_raises(Rejected, "county")
        assert state.accepted == (ACCEPTED in (*here, *there))

    def test_what_was_passed_upward_stays_there_when_the_unit_gives_the_matter_back(self) -> None:
        back = past(ASSIGNED, ACCEPTED, PASSED, roles=LEAD, unit="county-roads")
        (done,) = back.when(c.Return(ground="need_more", reason="r")).decided()
        assert done.data.designates == "county"  # type: ignore[union-attr]


def merged(here: tuple[Fact, ...], there: tuple[Fact, ...]) -> Given:
    """The past of a matter into which another one was merged."""
    seen = {"leaving": given(DECIDER, *there).state, "reports": [f"report-{spec.UUID}"]}
    into = given(DECIDER, *here, actor=staff("chief")).seeing(**seen)
    done = into.when(c.Absorb(incident=into.stream)).decided()
    return given(DECIDER, *here, *(getattr(one, "data", one) for one in done))


def test_a_merger_brings_the_share_and_the_limit_of_the_lead_along() -> None:
    due = NOW + timedelta(days=2)
    share = triage.IncidentAssigned(unit="county-roads", share="s", due=due)  # type: ignore[arg-type]
    lead = merged((OPENED,), (OPENED, share, ACCEPTED)).state.dispatch.lead
    assert (lead.unit, lead.due, lead.text is not None, lead.accepted_at is not None) == (
        "county-roads", due, True, True)  # fmt: skip


def test_in_a_further_round_the_limit_for_returning_counts_from_the_reopening() -> None:
    long_ago = NOW - timedelta(days=90)
    told = triage.IncidentAssigned(unit="county-roads", due=long_ago + timedelta(days=2))
    ended = (At(told, long_ago), At(ACCEPTED, long_ago), At(RESOLVED, long_ago + timedelta(days=1)))
    again = triage.IncidentReopened(reason="r")  # type: ignore[arg-type]
    case = past(*ended, again, roles=LEAD, unit="county-roads")
    (done,) = case.when(c.Return(ground="need_more", reason="r")).decided()
    assert (done.data.late, done.data.designates) == (False, None)  # type: ignore[union-attr]
    assert case.state.dispatch.lead.due is None, "it was of the round before"
    late = past(*ended, At(again, NOW - timedelta(hours=25)), roles=LEAD, unit="county-roads")
    (done,) = late.when(c.Return(ground="need_more", reason="r")).decided()
    assert done.data.late  # type: ignore[union-attr]


CLOCK = {
    "name": "hand_over",
    "title_zh": "接办",
    "from": "assigned",
    "to": ["accepted", "returned"],
    "limit": {"mode": "elapsed", "duration": "PT4H"},
    "source": SOURCE,
}


class TestUntaken:
    @pytest.mark.parametrize(("hours", "taken"), [(4, False), (5, True)])
    def test_an_assignment_that_nobody_takes_goes_to_the_unit_above(self, hours: int, taken: bool) -> None:
        model = spec.offices().pack("town-east").model
        whole = model.model_dump(by_alias=True, mode="json", exclude_none=True)
        whole["clocks"] = [*(one for one in whole["clocks"] if one["name"] != "hand_over"), CLOCK]
        case = past(At(ASSIGNED, NOW - timedelta(hours=hours)), roles=HEAD, unit="county")
        offices = spec.under(PolicyPack.model_validate(whole))
        when = replace(case, context=replace(case.context, offices=offices)).when(
            c.Designate(unit="county-water", reason="r")
        )
        if taken:
            when.then(triage.IncidentAssigned(unit="county-water", reason="r", designated_by="county"))  # type: ignore[arg-type]
        else:
            when.then_raises(Rejected, "still gives")


SOLVED = triage.IncidentSolved(text="t")  # type: ignore[arg-type]
RESOLVED = triage.IncidentResolved(reason="r")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "unit", "awaited"),
    [
        ((), "town-east", "assignment"),
        ((ASSIGNED,), "county-roads", "acceptance"),
        ((ASSIGNED, ACCEPTED), "county-roads", "handling"),
        (BACK, "town-east", "assignment"),
        (TO_DESIGNATE, "county", "designation"),
        ((*TO_DESIGNATE, DESIGNATED), "county-roads", "acceptance"),
        ((ASSIGNED, ACCEPTED, SOLVED, RESOLVED), "town-east", "closing"),
        ((ASSIGNED, ACCEPTED, RESOLVED, triage.IncidentReopened(reason="r")), "county-roads", "handling"),
        ((triage.IncidentDismissed(report_count=1),), None, None),
        ((triage.IncidentMerged(into=f"incident-{spec.UUID}"),), None, None),
        ((triage.IncidentTransferred(unit="town-west", previous="town-east", reason="r"),), "town-west", "assignment"),
    ],
)
def test_whom_the_matter_waits_for(facts: tuple[Fact, ...], unit: str | None, awaited: str | None) -> None:
    found = ball(given(DECIDER, OPENED, *facts).state, spec.offices())
    assert (found and found.unit, found and found.awaited) == (unit, awaited)
    if found is not None:
        assert found.since == NOW - timedelta(minutes=1), "since the last of these events"


def test_whom_it_waits_for_before_an_instruction() -> None:
    state = given(DECIDER, OPENED).state
    found = ball(state, under(instruction={"who": ["principal_leader"], "source": SOURCE}))
    assert found is not None
    assert (found.unit, found.post, found.awaited) == ("town-east", "chief@town-east", "instruction")


async def test_three_returns_a_designation_and_the_figures_over_http(triage: Triage) -> None:
    id_ = await triage.open()
    for number in (1, 2, 3):
        told = await triage.ask(id_, "assign", {"unit": "county-roads"}, role="duty_officer")
        assert told.status_code == 200, told.text
        back = {"reason": "r", "ground": "not_ours_by_place"}
        done = await triage.ask(id_, "return", back, role="handler", unit="county-roads")
        assert done.status_code == 200, done.text
        found = (await triage.get(f"incidents/{id_}")).json()
        assert (found["returns"], found["dispatches"]) == (number, number)
    assert found["ball"]["unit"] == "county"
    assert found["ball"]["for"] == "designation"
    assert "designate" in (await triage.get(f"incidents/{id_}", role="chief")).json()["may"]
    refused = await triage.ask(id_, "assign", {"unit": "county-roads"}, role="duty_officer")
    assert refused.json()["type"] == "urn:huiying:problem:to-be-designated"
    due = {"unit": "county-roads", "reason": "r", "share": "s", "due": "2100-01-01T00:00:00Z"}
    assert (await triage.ask(id_, "designate", due, role="chief")).status_code == 200
    helps = {"unit": "county-water", "text": "t", "due": "2100-01-01T00:00:00Z"}
    assert (await triage.ask(id_, "request-help", helps, role="duty_officer")).status_code == 200
    taken = await triage.ask(id_, "accept-help", role="handler", unit="county-water")
    assert taken.status_code == 200, taken.text
    found = (await triage.get(f"incidents/{id_}")).json()
    assert found["ball"] == {**found["ball"], "unit": "county-roads", "for": "acceptance"}
    assert [(one["part"], one["unit"], bool(one["accepted_at"])) for one in found["shares"]] == [
        ("lead", "county-roads", False), ("helper", "county-water", True)]  # fmt: skip
    counted = (await triage.get("statistics/handovers")).json()["items"]
    assert [(one["kind"], one["ground"], one["number"], one["late"]) for one in counted] == [
        ("assigned", None, 3, 0), ("designated", None, 1, 0), ("returned", "not_ours_by_place", 3, 0)]  # fmt: skip
    [listed] = (await triage.get("incidents")).json()["items"]
    assert (listed["ball"], listed["returns"], listed["designated_by"]) == (found["ball"], 3, "county")


def test_since_when_it_waits_changes_only_when_it_passes_on() -> None:
    """What happens meanwhile is no reason to say that whoever has the ball got it only now."""
    since = NOW - timedelta(days=4)
    moved = triage.IncidentTransferred(unit="town-west", previous="town-east", reason="r")  # type: ignore[arg-type]
    rejected = triage.IncidentProposalRejected(proposal=1, step="s", reason="r", by="0" * 64)  # type: ignore[arg-type]
    pending = [At(one, since) for one in (OPENED, *TO_DESIGNATE)]
    upward = [At(one, since) for one in (OPENED, ASSIGNED, PASSED)]
    given_on = [At(one, since) for one in (OPENED, ASSIGNED)]
    for facts, awaited in (
        ([*pending, moved], "designation"),
        ([*pending, rejected], "designation"),
        ([*upward, ACCEPTED], "designation"),
        ([*given_on, rejected], "acceptance"),
    ):
        found = ball(given(DECIDER, *facts).state, spec.offices())
        assert found is not None
        assert (found.awaited, found.since) == (awaited, since)


@pytest.mark.parametrize(
    ("command", "unit"),
    [
        (c.Accept(), "county-roads"),
        (c.Return(ground="need_more", reason="r"), "county-roads"),
        (c.AcceptHelp(), "county-water"),
        (c.CompleteHelp(text="t"), "county-water"),
        (c.ReturnHelp(reason="r"), "county-water"),
    ],
)
def test_nothing_is_entered_as_done_before_that_which_it_answers(command: Any, unit: str) -> None:
    asked = NOW - timedelta(hours=2)
    case = past(At(ASSIGNED, asked), At(HELPS, asked), roles=LEAD, unit=unit)
    for hours, refused in ((3, True), (1, False)):
        told = {"happened_at": NOW - timedelta(hours=hours), "late_reason": "l"}
        when = case.when(command.model_copy(update=told))
        if refused:
            when.then_raises(Malformed, "happened at")
        else:
            assert when.decided()


def test_neither_is_a_follow_up_nor_an_outcome() -> None:
    at = {"happened_at": NOW - timedelta(hours=3), "late_reason": "l"}
    ended = At(RESOLVED, NOW - timedelta(hours=2))
    case = past(SOLVED, ended, roles=LEAD)
    case.when(c.FollowUp(text="t", **at)).then_raises(Malformed, "happened at")
    asked = At(triage.IncidentVerificationRequested(unit="town-east"), NOW - timedelta(hours=2))
    conclude = c.ConcludeVerification(outcome="confirmed", text="t", **at)
    past(asked, roles=("verifier",)).when(conclude).then_raises(Malformed, "happened at")
    assert past(roles=("verifier",)).when(conclude).decided()
