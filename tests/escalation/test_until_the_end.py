"""What is owed until a matter ends, and at its end: growth, bulletins, the written report."""

from typing import Any

import pytest

from schemas import escalation as e
from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule
from services.escalation.clock.clocks import Clock
from services.escalation.commands import Receipt, RecordMilestones, ReportUpward
from services.escalation.upward import obligations
from tests.escalation.incident import OFFICES, PACK, Incident, at, graded, opened, reached
from tests.escalation.test_obligations import SOURCE, UNSET, hop, officer, pack, rule, someone
from tests.kit import spec

GENERAL, MAJOR = graded(at(0.5), "general"), graded(at(0.5), "major")
RESOLVED = reached("resolved", at(30))
TWO_DAYS = {"mode": "elapsed", "duration": "P2D"}
UP = rule(
    "up", hop("to_county", "leading_group", "county"), levels=["major", "extraordinary"], **{"from": "level_known"}
)


def growing(limit: Any = TWO_DAYS, *reports: Any) -> PolicyPack:
    growth = {"levels": ["general"], "follows": "major", "unless_ended": limit, "source": SOURCE}
    return pack(*(reports or (UP,)), growth=growth)


def bulletins(**more: Any) -> PolicyPack:
    every = {"mode": "elapsed", "duration": "P1D"}
    part = {"levels": ["major"], "to": "leading_group", "at": "county", "every": every, "source": SOURCE}
    return pack(bulletin={**part, **more})


def written(**more: Any) -> PolicyPack:
    part = {"to": "principal_leader", "limit": {"mode": "elapsed", "duration": "P3D"}, "source": SOURCE, **more}
    return pack(review={"written_report": part})


def clocks(rules: PolicyPack, *history: RecordMilestones) -> dict[str, Clock]:
    milestones = [one for command in history for one in command.milestones]
    return {clock.name: clock for clock in obligations.derive(milestones, rules, OFFICES)}


def received(hour: float, to: str, unit: str, meant: str | None = None, day: int = 0) -> RecordMilestones:
    return reached("received", at(hour, day), to=to, unit=unit, form="written", hop=meant)


# growth


@pytest.mark.requirement("ESC-04")
def test_a_general_matter_that_does_not_end_follows_the_higher_procedure_and_is_not_late() -> None:
    incident = Incident(offices=spec.under(growing())).hear(opened(at(0)), GENERAL)
    assert incident.detect(at(47)).did == []
    incident.detect(at(50))
    [grown] = [one for one in incident.of(e.ClockMilestoneReached) if one.milestone == "grown"]
    assert (grown.happened_at, grown.unit) == (at(48), "town-east")
    assert e.ClockCancelled(clock="growth", cause="grown") in incident.did
    assert incident.state.clocks["to_county"].started.due == at(49)
    assert incident.breaches() == ["to_county"]
    assert incident.detect(at(51)).did == []


def test_a_matter_grows_at_the_end_of_a_day_and_is_not_late() -> None:
    limit = {"mode": "end_of_day", "duration": "P1D"}
    incident = Incident(offices=spec.under(growing(limit))).hear(opened(at(0)), GENERAL).detect(at(50))
    assert e.ClockCancelled(clock="growth", cause="grown") in incident.did
    assert "growth" not in incident.detect(at(51)).breaches()


def test_a_matter_that_ended_in_time_does_not_grow() -> None:
    incident = Incident(offices=spec.under(growing())).hear(opened(at(0)), GENERAL, RESOLVED).detect(at(99))
    assert (set(incident.state.clocks), incident.breaches()) == ({"growth"}, [])
    assert incident.state.clocks["growth"].met_at == at(30)


def test_an_end_after_the_growth_changes_nothing() -> None:
    history = [opened(at(0)), GENERAL, reached("grown", at(48.5), happened=at(48)), reached("resolved", at(60))]
    found = clocks(growing(), *history)
    assert (found["growth"].cancelled, found["growth"].met_at) == (("grown", at(48)), None)
    assert found["to_county"].since == at(48)


def test_a_matter_that_grew_keeps_its_level_and_may_still_be_graded_higher() -> None:
    incident = Incident(offices=spec.under(growing())).hear(opened(at(0)), GENERAL).detect(at(50))
    incident.do(ReportUpward(), at(51), officer()).do(Receipt(), at(52), officer("county"))
    [report] = incident.of(e.ClockReportedUpward)
    assert (report.hop, report.level) == ("to_county", "general")
    assert incident.state.clocks["to_county"].met_at == at(52)
    incident.do(graded(at(53), "major", "regraded"), at(53))
    assert incident.state.clocks["to_county"].started.since == at(48)


def test_a_matter_of_another_level_does_not_grow_and_an_open_limit_makes_nothing_grow() -> None:
    assert clocks(growing(), opened(at(0)), MAJOR)["growth"].cancelled == ("regraded", at(0.5))
    assert clocks(growing(UNSET), opened(at(0)), GENERAL) == {}


def test_a_general_matter_grows_as_soon_as_facts_show_a_higher_level() -> None:
    known = reached("levels_known", at(6), happened=at(5), levels=[{"level": "major", "known_at": at(5)}])
    found = clocks(growing(), opened(at(0)), GENERAL, known)
    assert (found["to_county"].since, found["to_county"].due) == (at(5), at(6))
    assert found["growth"].cancelled == ("grown", at(6))
    kept = clocks(growing(), opened(at(0)), GENERAL, known, graded(at(7), "general", "regraded"))
    assert kept["to_county"].cancelled is None, "who grew does not shrink by a grading that says general again"


def test_a_matter_that_grew_ungraded_still_owes_its_first_answer_until_a_person_grades() -> None:
    first = next(one for one in PACK.model.clocks if one.name == "explanation")
    rules = growing().model_copy(update={"clocks": (first,)})
    known = reached("levels_known", at(6), happened=at(5), levels=[{"level": "major", "known_at": at(5)}])
    grown = clocks(rules, opened(at(0)), known)
    assert (grown["to_county"].due, grown["explanation"].cancelled) == (at(6), None)
    judged = clocks(rules, opened(at(0)), known, graded(at(7), "major"))
    assert judged["explanation"].cancelled == ("regraded", at(7))


# the bulletin


@pytest.mark.requirement("ESC-12")
def test_a_bulletin_is_owed_again_from_each_receipt_until_the_matter_is_resolved() -> None:
    history = [opened(at(0)), MAJOR, *(received(hour, "leading_group", "county", "bulletin") for hour in (20, 30))]
    found = clocks(bulletins(), *history)
    assert {name: (clock.since, clock.met_at) for name, clock in found.items()} == {
        "bulletin": (at(0), at(20)),
        "bulletin#2": (at(20), at(30)),
        "bulletin#3": (at(30), None),
    }
    assert found["bulletin#3"].due == at(54)
    ended = clocks(bulletins(), *history, reached("resolved", at(40)))
    assert (ended["bulletin#3"].cancelled, ended["bulletin#3"].met_at) == (("closed", at(40)), None)
    again = clocks(bulletins(), *history, reached("resolved", at(40)), reached("reopened", at(90)))
    assert again["bulletin#4"].due == at(114)


def test_a_bulletin_that_was_missed_stays_missed_after_the_end() -> None:
    incident = Incident(offices=spec.under(bulletins())).hear(opened(at(0)), MAJOR).detect(at(25))
    assert incident.hear(reached("resolved", at(30))).breaches() == ["bulletin"]


def test_another_report_to_the_same_addressee_is_no_bulletin() -> None:
    found = clocks(bulletins(), opened(at(0)), MAJOR, received(2, "leading_group", "county", "report_to_county"))
    assert found["bulletin"].met_at is None
    rules = bulletins().model_copy(update={"reports": pack(UP).reports})
    found = clocks(rules, opened(at(0)), MAJOR, received(2, "leading_group", "county", "bulletin"))
    assert (found["bulletin"].met_at, found["to_county"].met_at) == (at(2), None)


def test_the_duty_officer_sends_the_report_first_and_then_the_bulletin() -> None:
    rules = bulletins().model_copy(update={"reports": pack(UP).reports})
    incident = Incident(offices=spec.under(rules)).hear(opened(at(0)), MAJOR)
    for _ in range(2):
        incident.do(ReportUpward(), at(0.6), officer())
        incident.do(Receipt(), at(0.7), officer("county"))
    assert [one.hop for one in incident.of(e.ClockReportedUpward)] == ["to_county", "bulletin"]
    assert incident.state.clocks["bulletin"].met_at == at(0.7)
    assert incident.state.clocks["bulletin#2"].started.due == at(24.7)


# the written report


@pytest.mark.requirement("AUD-04")
def test_the_written_report_is_owed_from_the_resolution_also_after_the_closing() -> None:
    history = [opened(at(0)), GENERAL, RESOLVED, reached("closed", at(31))]
    assert "written_report" not in clocks(written(), *history[:2])
    clock = clocks(written(), *history)["written_report"]
    assert (clock.since, clock.due, clock.cancelled, clock.first_answer) == (at(30), at(30, day=3), None, False)
    given = received(5, "principal_leader", "town-east", "written_report", day=2)
    assert clocks(written(), *history, given)["written_report"].met_at == at(5, day=2)
    other = received(5, "principal_leader", "town-east", "report_to_principal_leader", day=2)
    assert clocks(written(), *history, other)["written_report"].met_at is None


def test_the_written_report_goes_to_the_post_that_the_pack_names() -> None:
    incident = Incident(offices=spec.under(written())).hear(opened(at(0)), GENERAL, RESOLVED)
    incident.do(ReportUpward(text="起因、过程、处置"), at(31), officer())
    [report] = incident.of(e.ClockReportedUpward)
    assert (report.addressee, report.to, report.hop) == ("principal_leader", "town-east", "written_report")
    incident.do(Receipt(), at(32), someone("chief"))
    assert incident.state.clocks["written_report"].met_at == at(32)


@pytest.mark.requirement("AUD-04")
def test_a_report_with_a_review_is_the_written_report_and_no_other() -> None:
    incident = Incident(offices=spec.under(written())).hear(opened(at(0)), GENERAL, RESOLVED)
    sent = ReportUpward(review=f"review-{spec.UUID}", edition=2)
    incident.do(sent, at(31), officer()).do(Receipt(), at(32), someone("chief"))
    [report] = incident.of(e.ClockReportedUpward)
    assert (report.hop, report.addressee, report.review, report.edition) == (
        "written_report", "principal_leader", f"review-{spec.UUID}", 2,
    )  # fmt: skip
    assert incident.state.clocks["written_report"].met_at == at(32)
    upward = Incident(offices=spec.under(pack(UP))).hear(opened(at(0)), MAJOR)
    [free] = upward.do(sent, at(1), officer()).of(e.ClockReportedUpward)
    assert (free.hop, free.addressee, free.to) == (None, "principal_leader", "town-east"), "the other hop stays owed"


def test_county_default_leaves_the_limit_of_the_written_report_open() -> None:
    found = clocks(PACK.model, opened(at(0)), MAJOR, RESOLVED)
    assert "written_report" not in found
    past = [one for command in (opened(at(0)), MAJOR, RESOLVED) for one in command.milestones]
    assert "written_report" in [one.hop.code for one in obligations.owed(past, PACK.model, OFFICES)]


@pytest.mark.parametrize("name", ["bulletin", "written_report", "growth", "notice"])
def test_no_clock_takes_the_name_of_a_section(name: str) -> None:
    with pytest.raises(ValueError, match="names another section"):
        pack(rule("up", hop(name, "office")))


def test_the_chinese_titles_of_all_clocks() -> None:
    titles = {name: timed.title_zh for name, timed in PACK.model.timed.items()}
    assert titles["report_to_county"] == "立即上报（领导小组）"
    assert titles["written_report"] == "书面总结报告"


def test_what_many_bulletins_cost_grows_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, meets = 0, ClockRule.is_met_by

    def counting(*given: Any) -> bool:
        nonlocal asked
        asked += 1
        return meets(*given)

    monkeypatch.setattr(ClockRule, "is_met_by", counting)
    costs = []
    for number in (20, 80):
        asked = 0
        sent = [received(1 + hour, "leading_group", "county", "bulletin") for hour in range(number)]
        found = clocks(bulletins(), opened(at(0)), MAJOR, *sent)
        assert found[f"bulletin#{number + 1}"].since == at(number)
        costs.append(asked)
    assert costs[1] < 5 * costs[0]
