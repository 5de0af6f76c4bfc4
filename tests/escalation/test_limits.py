"""What people decide on a matter's limits, from who may to what the record says."""

import dataclasses
from typing import Any

import pytest

from schemas import escalation as e
from schemas.pack.clocks import Deferral, Extension, Limit
from schemas.pack.clocks import Pause as PauseRule
from services.escalation.commands import (
    DecideDeferral,
    DecideExtension,
    Pause,
    RequestDeferral,
    RequestExtension,
    Resume,
    SetLimit,
    TellAsker,
)
from services.escalation.views import OF_ONE
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Forbidden, Malformed, Problem, Rejected
from services.kernel.core.units import Delegation, Offices
from services.kernel.store.views import folded
from tests.escalation.conftest import Desk
from tests.escalation.incident import OFFICES, PACK, Incident, at, opened, reached
from tests.escalation.test_service import grade
from tests.escalation.test_service import opened as told
from tests.kit.spec import must_be_ruled, staff

SOURCE = {"kind": "derived", "reason": "of these tests"}
OPEN = Limit.model_validate({"source": {"kind": "unset", "document": "000", "clause": "L1"}})
RULES: dict[str, Any] = {
    "extension": Extension.model_validate(
        {
            "approved_by": "leader_in_charge",
            "at_most": {"mode": "elapsed", "duration": "P10D"},
            "times": 2,
            "source": SOURCE,
        }
    ),
    "pause": PauseRule.model_validate({"reasons": [{"code": "third_party", "title_zh": "征求意见"}], "source": SOURCE}),
    "deferral": Deferral.model_validate({"review": {"mode": "elapsed", "duration": "P90D"}, "source": SOURCE}),
    "per_case": True,
}
HANDLER, CHIEF = staff("handler", unit="town-east", person="wang"), staff("chief", unit="town-east", person="li")
APPROVER = staff("approver", unit="town-east", person="zhao")
ASKED = RequestExtension(clock="explanation", due=at(0, day=3), reason="the lab needs time")
GRANTED = DecideExtension(clock="explanation", granted=True, reason="true", notice="你的问题将延期答复")


def offices(**rules: Any) -> Offices:
    """The offices, with these rules for the explanation."""
    clocks = tuple(
        clock.model_copy(update=rules) if clock.name == "explanation" else clock for clock in PACK.model.clocks
    )
    pack = dataclasses.replace(PACK, model=PACK.model.model_copy(update={"clocks": clocks}))
    return dataclasses.replace(OFFICES, packs={pack.ref: pack})


def matter(**rules: Any) -> Incident:
    return Incident(offices=offices(**(rules or RULES))).hear(opened(at(0)))


def started(incident: Incident, clock: str = "explanation") -> e.ClockStarted:
    return incident.state.clocks[clock].started


def row(incident: Incident, clock: str = "explanation") -> dict[str, Any]:
    return next(one for one in folded(OF_ONE[0], incident.events) if one["clock"] == clock)


class TestExtensions:
    def test_one_person_asks_and_the_post_that_the_pack_names_decides(self) -> None:
        incident = matter().do(ASKED, at(5), HANDLER)
        assert (started(incident).due, row(incident)["requested_due"]) == (at(24), "2026-03-05T00:00:00.000000Z")
        with pytest.raises(Forbidden, match="approver@town-east decides on the extension"):
            incident.do(GRANTED, at(6), CHIEF)
        incident.do(GRANTED, at(6), APPROVER)
        (extended,) = incident.of(e.ClockExtended)
        assert (extended.previous, extended.original, extended.due) == (at(24), at(24), at(0, day=3))
        assert (started(incident).due, row(incident)["original_due"]) == (at(0, day=3), "2026-03-03T00:00:00.000000Z")
        assert extended.notice.ref, "the text for the asker"

    def test_the_unit_owes_the_notice_until_it_records_that_the_asker_was_told(self) -> None:
        told = TellAsker(clock="explanation", way="call")
        with pytest.raises(Rejected, match="need not be told"):
            matter().do(told, at(5), HANDLER)
        incident = matter().do(ASKED, at(5), HANDLER).do(GRANTED, at(6), APPROVER)
        assert row(incident)["asker_untold"]
        with pytest.raises(Forbidden):
            incident.do(told, at(7), staff("handler", unit="county-roads", person="qian"))
        incident.do(told, at(7), HANDLER)
        assert ([fact.way for fact in incident.of(e.ClockAskerTold)], row(incident)["asker_untold"]) == (
            ["call"],
            False,
        )
        with pytest.raises(Rejected, match="need not be told"):
            incident.do(told, at(8), HANDLER)

    def test_a_delegation_decides_as_the_post_that_gave_it_until_its_end(self) -> None:
        loan = Delegation("approver@town-east", "verifier@town-east", at(0), at(7))
        deputy = staff("verifier", unit="town-east", person="qian")
        incident = matter().do(ASKED, at(5), HANDLER)
        incident.offices = dataclasses.replace(incident.offices, delegations=(loan,))
        with pytest.raises(Forbidden, match="approver@town-east decides on the extension"):
            incident.do(GRANTED, at(7), deputy)
        with pytest.raises(Rejected, match="yourself"):
            incident.do(GRANTED, at(6), dataclasses.replace(deputy, person="wang"))
        incident.do(GRANTED, at(6), deputy)
        (extended,) = incident.of(e.ClockExtended)
        assert (extended.post, incident.events[-2].actor) == ("approver@town-east", "verifier@town-east")

    def test_the_right_is_judged_before_a_missing_notice(self) -> None:
        unsaid, incident = GRANTED.model_copy(update={"notice": None}), matter().do(ASKED, at(5), HANDLER)
        with pytest.raises(Forbidden):
            incident.do(unsaid, at(6), CHIEF)
        with pytest.raises(Malformed, match="add `notice`"):
            incident.do(unsaid, at(6), APPROVER)

    def test_a_body_decides_by_its_head_and_not_by_any_member(self) -> None:
        rule = RULES["extension"].model_copy(update={"approved_by": "leading_group"})
        incident = matter(extension=rule).do(ASKED, at(5), HANDLER)
        with pytest.raises(Forbidden, match="chief@town-east decides on the extension"):
            incident.do(GRANTED, at(6), APPROVER)
        assert started(incident.do(GRANTED, at(6), CHIEF)).due == at(0, day=3)

    def test_nobody_asks_a_post_that_no_directory_has(self) -> None:
        rule = RULES["extension"].model_copy(update={"approved_by": "party_branch_x"})
        with pytest.raises(Rejected, match="party_branch_x decides on the extension of explanation, and no directory"):
            matter(**RULES | {"extension": rule}).do(ASKED, at(1), HANDLER)

    def test_nobody_grants_away_a_limit_that_has_passed(self) -> None:
        incident = matter().do(ASKED, at(5), HANDLER).detect(at(25))
        with pytest.raises(Rejected, match="only before it passes"):
            incident.do(GRANTED, at(26), APPROVER)
        assert "explanation" in incident.breaches()

    def test_an_extension_that_a_pause_has_overtaken_makes_nothing_earlier(self) -> None:
        incident = matter().do(ASKED, at(5), HANDLER).do(Pause(clock="explanation", reason="third_party"), at(6), CHIEF)
        incident.do(Resume(clock="explanation"), at(0, day=4), CHIEF)
        due = started(incident).due
        assert due > at(1, day=4) > ASKED.due
        with pytest.raises(Rejected, match="later already"):
            incident.do(GRANTED, at(1, day=4), APPROVER)
        incident.do(GRANTED.model_copy(update={"granted": False, "notice": None}), at(1, day=4), APPROVER)
        assert started(incident).due == due

    def test_an_extension_during_a_pause_counts_the_rest_of_the_pause(self) -> None:
        incident = matter().do(TestPauses.PAUSE, at(20), CHIEF).do(ASKED, at(21), HANDLER).do(GRANTED, at(22), APPROVER)
        incident.do(Resume(clock="explanation"), at(30), CHIEF)
        assert started(incident).due == at(8, day=3)

    def test_a_refusal_changes_nothing(self) -> None:
        refused = DecideExtension(clock="explanation", granted=False, reason="no ground")
        incident = matter().do(ASKED, at(5), HANDLER).do(refused, at(6), APPROVER)
        assert started(incident).due == at(24)
        with pytest.raises(Rejected, match="nobody asked"):
            incident.do(GRANTED, at(7), APPROVER)

    def test_nobody_grants_their_own_request(self) -> None:
        both = Actor("approver@town-east", "town-east", frozenset({"approver", "handler"}), "wang")
        with pytest.raises(Rejected, match="yourself"):
            matter().do(ASKED, at(5), HANDLER).do(GRANTED, at(6), both)

    def test_at_most_as_long_and_as_often_as_the_pack_says(self) -> None:
        with pytest.raises(Malformed, match="allows at most 2026-03-13") as late:
            matter().do(ASKED.model_copy(update={"due": at(1, day=11)}), at(5), HANDLER)
        incident = matter()
        for day in (3, 5):
            asked = ASKED.model_copy(update={"due": at(0, day=day)})
            incident.do(asked, at(5), HANDLER).do(GRANTED, at(6), APPROVER)
        assert incident.of(e.ClockExtended)[-1].original == at(24)
        with pytest.raises(Rejected, match="at most 2 times") as often:
            incident.do(ASKED.model_copy(update={"due": at(0, day=6)}), at(7), HANDLER)
        for refused in (late.value, often.value):
            must_be_ruled(refused, "clocks.explanation.extension", offices(**RULES))

    @pytest.mark.parametrize(
        ("now", "due", "says"), [(25, 80, "only before it passes"), (5, 24, "only to a later time")]
    )
    def test_before_it_passes_and_to_a_later_time(self, now: float, due: float, says: str) -> None:
        with pytest.raises(Problem, match=says):
            matter().do(ASKED.model_copy(update={"due": at(due)}), at(now), HANDLER)

    def test_asked_once_at_a_time_and_only_where_the_pack_allows_it(self) -> None:
        with pytest.raises(Rejected, match="waits for its decision"):
            matter().do(ASKED, at(5), HANDLER).do(ASKED, at(6), HANDLER)
        with pytest.raises(Rejected, match="does not allow") as refused:
            matter(per_case=True).do(ASKED, at(5), HANDLER)
        must_be_ruled(refused.value, "clocks.explanation", offices(per_case=True))


class TestALimitOfOneMatter:
    SET = SetLimit(clock="explanation", due=at(0, day=5), reason="money must be found")

    def test_an_open_limit_runs_from_the_decision_on(self) -> None:
        incident = matter(limit=OPEN, per_case=True)
        assert "explanation" not in incident.state.clocks
        incident.do(self.SET, at(5), CHIEF)
        assert started(incident).due == at(0, day=5)
        assert "explanation" in incident.detect(at(1, day=5)).breaches()

    def test_it_replaces_the_packs_own_before_that_passes(self) -> None:
        incident = matter().do(self.SET, at(5), CHIEF)
        assert (incident.of(e.ClockLimitSet)[0].previous, started(incident).due) == (at(24), at(0, day=5))
        with pytest.raises(Rejected, match="only before it passes"):
            matter().do(self.SET, at(25), CHIEF)
        with pytest.raises(Malformed, match="has passed"):
            matter().do(self.SET.model_copy(update={"due": at(1)}), at(5), CHIEF)

    def test_nobody_makes_it_longer_alone_once_it_is_set(self) -> None:
        incident = matter().do(self.SET, at(5), CHIEF)
        with pytest.raises(Rejected, match="only an extension that somebody else grants"):
            incident.do(self.SET.model_copy(update={"due": at(0, day=6)}), at(6), CHIEF)
        incident.do(self.SET.model_copy(update={"due": at(0, day=4)}), at(6), CHIEF)
        assert started(incident).due == at(0, day=4)

    def test_a_run_or_a_review_that_takes_no_decision_is_refused_by_name(self) -> None:
        with pytest.raises(Malformed, match="has no clock explanation#9"):
            matter().do(self.SET.model_copy(update={"clock": "explanation#9"}), at(5), CHIEF)
        deferred = TestDeferrals().deferred()
        with pytest.raises(Rejected, match="lets nobody set"):
            deferred.do(self.SET.model_copy(update={"clock": "explanation.review"}), at(6), CHIEF)

    def test_only_where_the_pack_leaves_it_to_a_person(self) -> None:
        with pytest.raises(Rejected, match="lets nobody set"):
            matter(extension=RULES["extension"]).do(self.SET, at(5), CHIEF)
        with pytest.raises(Malformed, match="has no clock"):
            matter(limit=OPEN).do(self.SET, at(5), CHIEF)
        with pytest.raises(Forbidden):
            matter().do(self.SET, at(5), HANDLER)


class TestPauses:
    PAUSE = Pause(clock="explanation", reason="third_party")

    def test_a_clock_stands_still_and_goes_on(self) -> None:
        incident = matter().do(self.PAUSE, at(20), CHIEF)
        assert (started(incident).paused_at, row(incident)["wakes_at"]) == (at(20), None)
        assert "explanation" not in incident.detect(at(40)).breaches()
        incident.do(Resume(clock="explanation"), at(50), CHIEF)
        assert (started(incident).due, row(incident)["original_due"]) == (at(54), "2026-03-03T00:00:00.000000Z")
        assert "explanation" in incident.detect(at(55)).breaches()

    def test_a_unit_that_is_charged_because_it_handles_the_matter_does_not_stop_its_own_limit(self) -> None:
        incident = matter(**RULES, charged="assigned").hear(reached("assigned", at(1), unit="county-roads"))
        with pytest.raises(Forbidden, match="over town-east"):
            incident.do(self.PAUSE, at(5), staff("chief", unit="county-roads"))
        incident.do(self.PAUSE, at(5), CHIEF)

    def test_only_for_a_reason_of_the_pack(self) -> None:
        with pytest.raises(Malformed, match="may stand still for third_party") as refused:
            matter().do(self.PAUSE.model_copy(update={"reason": "holiday"}), at(5), CHIEF)
        must_be_ruled(refused.value, "clocks.explanation.pause", offices(**RULES))
        with pytest.raises(Rejected, match="does not let") as never:
            matter(per_case=True).do(self.PAUSE, at(5), CHIEF)
        must_be_ruled(never.value, "clocks.explanation", offices(per_case=True))

    def test_once_at_a_time_and_not_after_the_end(self) -> None:
        with pytest.raises(Rejected, match="stands still already"):
            matter().do(self.PAUSE, at(5), CHIEF).do(self.PAUSE, at(6), CHIEF)
        with pytest.raises(Rejected, match="only before it passes"):
            matter().do(self.PAUSE, at(25), CHIEF)
        with pytest.raises(Rejected, match="does not stand still"):
            matter().do(Resume(clock="explanation"), at(5), CHIEF)

    def test_what_is_done_meanwhile_is_in_time(self) -> None:
        incident = matter().do(self.PAUSE, at(20), CHIEF).hear(reached("replied", at(40)))
        assert [met.late for met in incident.of(e.ClockMet)] == [True], "its end has not moved yet"
        incident.do(Resume(clock="explanation"), at(41), CHIEF)
        assert incident.of(e.ClockMet)[-1].late is False

    def test_a_closing_ends_it_so_that_a_first_answer_is_not_lost(self) -> None:
        incident = matter().do(self.PAUSE, at(5), CHIEF).hear(reached("resolved", at(6)), reached("closed", at(7)))
        assert (started(incident).paused_at, started(incident).due) == (None, at(26)), "two hours of pause"
        with pytest.raises(Rejected, match="the matter is closed; reopen it first"):
            incident.do(self.PAUSE, at(8), CHIEF)
        with pytest.raises(Rejected, match="does not stand still"):
            incident.do(Resume(clock="explanation"), at(8), CHIEF)
        assert "explanation" in incident.detect(at(27)).breaches()

    def test_it_can_stand_still_again_after_a_reopening(self) -> None:
        incident = matter().do(self.PAUSE, at(5), CHIEF).hear(reached("closed", at(7)), reached("reopened", at(8)))
        incident.do(self.PAUSE, at(9), CHIEF)
        assert started(incident).paused_at == at(9)
        assert started(incident.do(Resume(clock="explanation"), at(10), CHIEF)).due == at(27)


class TestDeferrals:
    DEFER = RequestDeferral(clock="explanation", plan="next year's works", review=at(0, day=60))
    GRANT = DecideDeferral(clock="explanation", granted=True, reason="the money is planned")

    def deferred(self) -> Incident:
        return matter().do(self.DEFER, at(5), HANDLER).do(self.GRANT, at(6), CHIEF)

    def test_one_person_alone_defers_nothing(self) -> None:
        incident = matter().do(self.DEFER, at(5), CHIEF)
        assert (row(incident)["requested"], row(incident)["requested_due"]) == (
            "deferral",
            "2026-05-01T00:00:00.000000Z",
        )
        with pytest.raises(Rejected, match="asked for the deferral of explanation yourself"):
            incident.do(self.GRANT, at(6), CHIEF)
        with pytest.raises(Forbidden, match="chief@town-east decides on the deferral"):
            incident.do(self.GRANT, at(6), APPROVER)
        assert "explanation" in incident.detect(at(25)).breaches()
        with pytest.raises(Rejected, match="only before it passes"):
            incident.do(self.GRANT, at(26), staff("chief", unit="town-east", person="sun"))

    def test_a_delegation_decides_as_the_post_that_gave_it(self) -> None:
        incident = matter().do(self.DEFER, at(1), HANDLER)
        loan = Delegation("chief@town-east", "approver@town-east", at(0), at(3))
        incident.offices = dataclasses.replace(incident.offices, delegations=(loan,))
        (deferred,) = incident.do(self.GRANT, at(2), APPROVER).of(e.ClockDeferred)
        assert deferred.post == "chief@town-east"

    def test_the_post_that_the_pack_names_decides(self) -> None:
        rule = RULES["deferral"].model_copy(update={"approved_by": "leader_in_charge"})
        incident = matter(deferral=rule).do(self.DEFER, at(5), HANDLER)
        with pytest.raises(Forbidden, match="approver@town-east decides on the deferral"):
            incident.do(self.GRANT, at(6), CHIEF)
        assert incident.do(self.GRANT, at(6), APPROVER).of(e.ClockDeferred)

    def test_a_refusal_lets_the_limit_run(self) -> None:
        refused = self.GRANT.model_copy(update={"granted": False})
        incident = matter().do(self.DEFER, at(5), HANDLER).do(refused, at(6), CHIEF)
        assert (row(incident)["requested"], started(incident).due) == (None, at(24))
        assert "explanation" in incident.detect(at(25)).breaches()

    def test_one_request_waits_at_a_time(self) -> None:
        incident = matter(**RULES).do(self.DEFER, at(5), HANDLER)
        with pytest.raises(Rejected, match="the deferral of explanation waits"):
            incident.do(ASKED, at(6), HANDLER)
        with pytest.raises(Rejected, match="nobody asked for the extension"):
            incident.do(GRANTED, at(6), APPROVER)

    def test_a_deferral_has_a_plan_and_a_clock_until_its_review(self) -> None:
        incident = self.deferred()
        assert [fact.cause for fact in incident.of(e.ClockCancelled)] == ["deferred"]
        assert started(incident, "explanation.review").due == at(0, day=60)
        again = self.DEFER.model_copy(update={"review": at(0, day=120)})
        incident.do(again, at(0, day=58), HANDLER).do(self.GRANT, at(0, day=59), CHIEF)
        assert incident.state.clocks["explanation.review"].met_at == at(0, day=59)
        assert "explanation.review#2" in incident.detect(at(1, day=120)).breaches()

    def test_a_missed_limit_cannot_be_deferred_and_stays_on_the_ladder(self) -> None:
        incident = matter().detect(at(25))
        assert "explanation" in incident.breaches()
        with pytest.raises(Rejected, match="only before it passes"):
            incident.do(self.DEFER, at(26), HANDLER)
        assert incident.detect(at(26, day=1)).of(e.ClockReminderSent)

    def test_the_review_is_not_later_than_the_pack_says(self) -> None:
        with pytest.raises(Malformed, match="allows at most"):
            matter().do(self.DEFER.model_copy(update={"review": at(0, day=100)}), at(5), HANDLER)
        with pytest.raises(Rejected, match="be deferred"):
            matter(per_case=True).do(self.DEFER, at(5), HANDLER)
        with pytest.raises(Rejected, match="does not run any more"):
            matter().hear(reached("solved", at(3))).do(self.DEFER, at(5), HANDLER)


async def test_over_http(desk: Desk) -> None:
    desk.runtime.packs.update(offices(**RULES).packs)
    id_ = told(desk)
    grade(desk, level="general")
    await desk.consume()
    desk.clock.at = at(1.5)
    path, clock = f"/incidents/{id_}", {"clock": "explanation"}
    asked = {**clock, "due": "2026-03-04T00:00:00Z", "reason": "等待检测"}
    bodies: list[tuple[str, str, dict[str, Any], int]] = [
        ("set-limit", "chief", {**clock, "due": "2026-03-03T10:00:00Z", "reason": "另定"}, 200),
        ("decide-extension", "chief", {"clock": "transfer", "granted": True, "reason": "r", "notice": "n"}, 409),
        ("decide-deferral", "chief", {"clock": "nothing", "granted": True, "reason": "r"}, 409),
        ("request-extension", "handler", asked, 200),
        ("decide-extension", "approver", {**clock, "granted": True, "reason": "同意"}, 422),
        ("decide-extension", "chief", {**clock, "granted": False, "reason": "同意"}, 403),
        ("decide-extension", "approver", {**clock, "granted": True, "reason": "同意", "notice": "延期"}, 200),
        ("pause", "chief", {**clock, "reason": "third_party", "text": "征求意见"}, 200),
        ("resume", "chief", clock, 200),
        ("tell-asker", "handler", {**clock, "way": "letter"}, 200),
        ("request-deferral", "handler", {**clock, "plan": "列入计划", "review": "2026-04-02T00:00:00Z"}, 200),
        ("decide-deferral", "approver", {**clock, "granted": True, "reason": "同意"}, 403),
        ("decide-deferral", "chief", {**clock, "granted": True, "reason": "同意"}, 200),
    ]
    for verb, role, body, status in bodies:
        answer = await desk.ask("POST", f"{path}/{verb}", role, "town-east", body, person=role)
        assert answer.status_code == status, (verb, answer.text)
    read = (await desk.ask("GET", path, "handler", "town-east")).json()
    by_name = {one["clock"]: one for one in read["clocks"]}
    assert by_name["explanation"]["original_due"] == "2026-03-03T10:00:00.000000Z"
    assert by_name["explanation.review"]["due"] == "2026-04-02T00:00:00.000000Z"
    assert "request-deferral" in by_name["explanation"]["may"]
