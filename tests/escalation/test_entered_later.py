"""Reports, receipts, the lead, notices and decisions that are entered later than they happened."""

from typing import Any

import pytest

from schemas import escalation as e
from services.escalation.commands import (
    AcceptLead,
    AskLead,
    ConfirmDecision,
    GiveNotice,
    InformOffice,
    Receipt,
    ReportBack,
    ReportUpward,
    TakeLead,
    WritePart,
)
from services.kernel.core.acts import Act
from services.kernel.core.problems import Malformed
from tests.escalation.incident import Incident, at
from tests.escalation.test_decisions import HEAD as WITH_OTHERS
from tests.escalation.test_decisions import MEET, TOGETHER, WATER, deciding, heads
from tests.escalation.test_decisions import matter as deciding_matter
from tests.escalation.test_leads import ASK, HEAD, asking
from tests.escalation.test_leads import matter as led
from tests.escalation.test_notices import GIVE, HANDLER, PARTS, SUPERIOR, answered, noticed
from tests.escalation.test_notices import incident as to_notice
from tests.escalation.test_obligations import hop as hop_to
from tests.escalation.test_obligations import office_with, officer, opened
from tests.escalation.test_obligations import rule as reports

__all__ = ["heads"]
SENT = ReportUpward(to="office")


def late(command: Act, hour: float) -> Any:
    return command.model_copy(update={"happened_at": at(hour), "late_reason": "停电，事后补录"})


def reporting() -> Incident:
    rule = reports("upward", hop_to("to_county", "office", "county"), **{"from": "discovered"})
    return Incident(offices=office_with(rule)).hear(opened(at(0)))


def sent() -> Incident:
    return reporting().do(SENT, at(0.5), officer())


def asked() -> Incident:
    return led(asking()).do(ASK, at(2), officer())


CASES: dict[str, tuple[Any, Act, Any, float]] = {
    "report-upward": (reporting, SENT, officer(), 0),
    "inform-office": (reporting, InformOffice(to="county-roads", text="t"), officer(), 0),
    "receipt": (sent, Receipt(), SUPERIOR, 0.5),
    "refused receipt": (sent, Receipt(accepted=False, reason="不清楚"), SUPERIOR, 0.5),
    "ask-lead": (lambda: led(asking()), AskLead(reason="r"), officer(), 0),
    "accept-lead": (asked, AcceptLead(), HEAD, 2),
    "take-lead": (led, TakeLead(reason="r"), HEAD, 0),
    "give-notice": (to_notice, GIVE, SUPERIOR, 0),
    "write-part": (noticed, WritePart(part=PARTS[0], text="t"), HANDLER, 1),
    "report-back": (answered, ReportBack(), officer(), 1),
    "decide": (lambda: deciding_matter(deciding(["handler"])), MEET, HANDLER, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_an_act_that_is_entered_later_has_its_own_time_and_says_why(case: str) -> None:
    matter, command, actor, _ = CASES[case]
    made = matter()
    before = len(made.events)
    made.do(late(command, 5), at(9), actor)
    event = made.events[before]
    assert (event.time, event.recorded, event.data.late_reason is None) == (at(5), at(9), False)


@pytest.mark.parametrize("case", CASES)
def test_nothing_happened_before_the_act_that_it_answers_or_in_the_future(case: str) -> None:
    matter, command, actor, since = CASES[case]
    with pytest.raises(Malformed, match="what this act follows happened at"):
        matter().do(late(command, since - 0.1), at(9), actor)
    with pytest.raises(Malformed, match="is later than now"):
        matter().do(late(command, 9.1), at(9), actor)
    matter().do(late(command, since), at(9), actor)


@pytest.mark.requirement("ESC-09")
def test_a_receipt_that_is_entered_later_shows_both_figures_and_a_finding_decides() -> None:
    """The county's office confirmed at 0:45 of the hour, and the power failed until 6:00."""
    made = sent().detect(at(1.1)).do(late(Receipt(), 0.75), at(6), SUPERIOR)
    clock = made.state.clocks["to_county"]
    assert (clock.met_at, clock.happened_at) == (at(6), at(0.75))
    assert made.breaches() == ["to_county"], "the recording counts until a reviewer finds otherwise"


def test_the_next_hop_runs_from_when_the_receipt_happened() -> None:
    rule = reports("upward", hop_to("to_county", "office", "county"), hop_to("to_city", "office", "city"))
    made = Incident(offices=office_with(rule)).hear(opened(at(0))).do(SENT, at(0.5), officer())
    made.do(late(Receipt(), 0.75), at(6), SUPERIOR)
    assert made.state.clocks["to_city"].started.since == at(0.75)


def test_the_receipt_of_a_report_back_that_is_entered_later_shows_both_times() -> None:
    made = answered().do(late(ReportBack(), 6), at(50), officer()).do(late(Receipt(), 7), at(51), SUPERIOR)
    clock = made.state.clocks["notice"]
    assert (clock.met_at, clock.happened_at) == (at(51), at(7))


def test_a_notice_that_is_entered_later_runs_from_when_it_was_given_and_ends_in_the_future() -> None:
    made = to_notice().do(late(GIVE, 1), at(9), SUPERIOR)
    assert made.state.clocks["notice"].started.since == at(1)
    passed = late(GiveNotice(text="t", due=at(8)), 1)
    with pytest.raises(Malformed, match="has passed"):
        to_notice().do(passed, at(9), SUPERIOR)


@pytest.mark.parametrize(("hour", "decided"), [(3, 3), (1, None)])
def test_a_decision_of_several_posts_happened_when_the_last_confirmed_it(
    heads: Any, hour: float, decided: float | None
) -> None:
    made = deciding_matter(deciding(["section"], together=2), at_=heads).do(late(TOGETHER, 2), at(9), WITH_OTHERS)
    [proposed] = made.of(e.ClockDecisionProposed)
    confirm = late(ConfirmDecision(decision=proposed.decision), hour)
    if decided is None:
        with pytest.raises(Malformed, match="what this act follows"):
            made.do(confirm, at(10), WATER)
        return
    made.do(confirm, at(10), WATER)
    assert made.events[-1].time == at(decided)
    assert isinstance(made.events[-1].data, e.ClockDecisionRecorded)
