"""A matter goes to another deployment and comes back: given these events, when this is asked, then that follows."""

from dataclasses import replace
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact, Typed, WordsRef
from schemas.handing import Handed, HandedText, IncidentHandedOver, IncidentPeerHeard, IncidentPeerTold
from schemas.lists import Peer
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.triage import commands as c
from services.triage.decider import DECIDER
from tests.kit import spec
from tests.kit.spec import Given, staff
from tests.triage.test_decider import DISCOVERED, REPORTS

KEY = {"log": ("x",), "keys": ("ab" * 32,), "title": "市平台", "title_en": "City"}
PEERS = {
    "city": Peer(name="city", address="https://city.example", hands=True, **KEY),
    "other": Peer(name="other", address="https://other.example", **KEY),
    "county-one": Peer(name="county-one", address="https://county.example", **KEY),
}
MESSAGE = f"message-{derived('m')}"
CAME = Handed(of="county-one", sent=derived("sent"), matter=f"incident-{derived('there')}")
TEXTS = {REPORTS[0]: ("a" * 64, "b" * 64)}
SAID = WordsRef(ref=derived("words"), digest="c" * 64)


def past(*facts: Fact, role: str = "chief", unit: str = "town-east", handed: Handed | None = None) -> Given:
    opened = triage.IncidentOpened(unit="town-east", report=REPORTS[0], discovered_at=DISCOVERED, handed=handed)
    offices = spec.offices()
    offices = replace(offices, lists=replace(offices.lists, peers=PEERS))
    found = spec.given(DECIDER, opened, *facts, actor=staff(role, unit=unit))
    return replace(found, context=replace(found.context, offices=offices)).seeing(texts=TEXTS)


def over(**more: Any) -> c.HandToPeer:
    return c.HandToPeer(**{"to": "city", "subject": "河道污染", "reason": "涉及两区", "reports": REPORTS[:1], **more})


AWAY = IncidentHandedOver(to="city", subject=Typed(text="河道污染"), reason=Typed(text="涉及两区"))


def said(what: Any, given: Given, **more: Any) -> c.RecordPeerSaid:
    away = given.state.handing.away
    told = {"of": "city", "about": away.sent, "said": what, "message": MESSAGE, "text": SAID, "basis": f"{MESSAGE}@1"}
    return c.RecordPeerSaid(**{**told, **more})


def heard(what: Any, given: Given) -> IncidentPeerHeard:
    return IncidentPeerHeard(of="city", about=given.state.handing.away.sent, said=what, message=MESSAGE, text=SAID)


def after(*whats: str) -> Given:
    """The matter after the other deployment said this."""
    facts: list[Fact] = [AWAY]
    for what in whats:
        facts.append(heard(what, past(AWAY)))
        if what == "accepted":
            facts.append(triage.IncidentClosed(reason=Typed(text="涉及两区")))
    return past(*facts)


def test_the_head_of_the_accountable_unit_hands_it_over_with_the_texts_of_reports() -> None:
    texts = (HandedText(report=REPORTS[0], subject="a" * 64, text="b" * 64),)
    past().when(over()).then(AWAY.model_copy(update={"reports": texts}))
    past().when(over(reports=())).then(AWAY)
    past(role="duty_officer").when(over()).then_raises(Forbidden)
    past(unit="town-west").when(over()).then_raises(Forbidden)


def test_what_is_not_listed_not_open_or_not_its_report_is_refused() -> None:
    past().when(over(to="nowhere")).then_raises(Malformed, "no deployment has the code")
    past().when(over(to="other")).then_raises(Malformed, "does not let matters be handed over to other")
    past().when(over(reports=REPORTS[1:2])).then_raises(Malformed, "is no report of")
    past(AWAY).when(over()).then_raises(Rejected, "which has not answered yet")
    past(triage.IncidentClosed(reason=Typed(text="完"))).when(over()).then_raises(Rejected, "reopen it first")


@pytest.mark.parametrize("what", ["refused", "undelivered"])
def test_what_is_refused_stays_and_can_be_handed_over_again(what: str) -> None:
    given = past(AWAY)
    given.when(said(what, given)).then(heard(what, given))
    after(what).when(over(reports=())).then(AWAY)


def test_what_is_accepted_is_closed_here_and_a_return_opens_it_again() -> None:
    given = past(AWAY)
    closed = triage.IncidentClosed(reason=given.state.handing.away.reason)
    given.when(said("accepted", given)).then(heard("accepted", given), closed)
    gone = after("accepted")
    gone.when(said("answered", gone)).then(heard("answered", gone))
    back = gone.when(said("returned", gone))
    back.then(heard("returned", gone), triage.IncidentReopened(reason=SAID, round=2))
    assert {one.basis for one in back.decided()} == {(f"{MESSAGE}@1",)}, "the record says what it stands on"


def test_what_nobody_who_has_it_said_changes_nothing() -> None:
    given = past(AWAY)
    for lie in (said("accepted", given, of="other"), said("accepted", given, about=derived("x"))):
        given.when(lie).then_nothing()
    refused = after("refused")
    refused.when(said("accepted", refused)).then_nothing()
    nowhere = c.RecordPeerSaid(of="city", about=derived("x"), said="accepted", message=MESSAGE, basis=f"{MESSAGE}@1")
    past().when(nowhere).then_nothing()


def told(what: Any, text: str | None = "办理情况") -> IncidentPeerTold:
    return IncidentPeerTold(
        to="county-one", about=CAME.sent, matter=CAME.matter, said=what, text=Typed(text=text) if text else None
    )


def test_the_other_deployment_is_told_in_order() -> None:
    given = past(handed=CAME)
    given.when(c.TellPeer(said="accepted")).then(told("accepted", None))
    given.when(c.TellPeer(said="answered", text="x")).then_raises(Rejected, "it can be accepted or refused now")
    given.when(c.TellPeer(said="refused")).then_raises(Malformed, "why it gets the matter back")
    ended = triage.IncidentClosed(reason=Typed(text="办理情况"))
    given.when(c.TellPeer(said="refused", text="办理情况")).then(told("refused"), ended)
    had = past(told("accepted", None), handed=CAME)
    had.when(c.TellPeer(said="accepted")).then_raises(Rejected, "it can be answered or returned now")
    had.when(c.TellPeer(said="answered", text="办理情况")).then(told("answered"))
    had.when(c.TellPeer(said="returned", text="办理情况")).then(told("returned"), ended)
    gone = past(told("accepted", None), told("returned"), ended, handed=CAME)
    gone.when(c.TellPeer(said="answered", text="x")).then_raises(Rejected, "that was the last word")


def test_of_a_matter_of_its_own_nobody_is_told() -> None:
    past().when(c.TellPeer(said="accepted")).then_raises(Rejected, "no other deployment handed")
    past(handed=CAME, role="handler").when(c.TellPeer(said="accepted")).then_raises(Forbidden)


def listing(given: Given, *names: str) -> Given:
    """The same matter while the list has only these deployments."""
    lists = replace(given.context.offices.lists, peers={name: PEERS[name] for name in names})
    offices = replace(given.context.offices, lists=lists)
    return replace(given, context=replace(given.context, offices=offices))


def test_without_a_deployment_that_takes_matters_none_is_handed_over() -> None:
    for names in ((), ("other",)):
        listing(past(), *names).when(over()).then_raises(Rejected, "be handed over to none")


def test_a_deployment_that_left_the_list_is_neither_waited_for_nor_told() -> None:
    left = past(IncidentHandedOver(to="gone", subject=Typed(text="河道污染"), reason=Typed(text="涉及两区")))
    left.when(over(reports=())).then(AWAY)
    came = listing(past(handed=CAME), "city")
    came.when(c.TellPeer(said="accepted")).then_raises(Rejected, "no longer in the list")


def test_an_acceptance_after_a_refused_try_counts() -> None:
    """An earlier try had arrived, and its answer was lost."""
    given = after("undelivered")
    closed = triage.IncidentClosed(reason=given.state.handing.away.reason)
    given.when(said("accepted", given)).then(heard("accepted", given), closed)


def test_who_answers_has_accepted_also_if_that_was_not_heard() -> None:
    given = past(AWAY)
    closed = triage.IncidentClosed(reason=given.state.handing.away.reason)
    given.when(said("answered", given)).then(heard("answered", given), closed)
    given.when(said("returned", given)).then(heard("returned", given))


def test_what_is_heard_of_an_earlier_handing_over_is_kept_and_decides_nothing() -> None:
    once = after("accepted")
    open_again = triage.IncidentReopened(reason=Typed(text="又发"), round=2)
    twice = past(AWAY, heard("accepted", once), triage.IncidentClosed(reason=Typed(text="涉及两区")), open_again, AWAY)
    first, last = twice.state.handing.aways
    assert first.sent != last.sent and last.heard is None
    for what in ("answered", "returned"):
        of_first = said(what, twice, about=first.sent)
        twice.when(of_first).then(heard(what, twice).model_copy(update={"about": first.sent}))
    twice.when(over()).then_raises(Rejected, "which has not answered yet")


def test_what_did_not_arrive_can_be_told_again() -> None:
    """Also a return, after which the matter was closed here."""
    ended = triage.IncidentClosed(reason=Typed(text="办理情况"))
    for before, what, facts in (
        ((), "accepted", ()),
        ((told("accepted", None),), "returned", (ended,)),
    ):
        given = past(*before, told(what), *facts, handed=CAME)
        gone = c.RecordPeerSaid(
            of="county-one",
            about=given.state.handing.telling,
            said="undelivered",
            message=MESSAGE,
            basis=f"{MESSAGE}@1",
        )
        lost = IncidentPeerHeard(of="county-one", about=gone.about, said="undelivered", message=MESSAGE)
        given.when(gone).then(lost)
        again = past(*before, told(what), *facts, lost, handed=CAME)
        again.when(c.TellPeer(said=what, text="办理情况")).decided()
        again.when(gone).then_nothing()


MERGED = triage.IncidentMerged(into=f"incident-{derived('into')}", reason=Typed(text="同一事项"))


def test_a_merged_matter_is_answered_and_not_given_back() -> None:
    given = past(told("accepted", None), MERGED, handed=CAME)
    given.when(c.TellPeer(said="answered", text="办理情况")).then(told("answered"))
    given.when(c.TellPeer(said="returned", text="办理情况")).then_raises(Rejected, "goes on there")


def test_a_matter_with_reports_of_others_is_not_given_back() -> None:
    joined = triage.IncidentReportAttached(report=REPORTS[1], unit="town-east", discovered_at=DISCOVERED)
    past(joined, handed=CAME).when(c.TellPeer(said="refused", text="办理情况")).then_raises(Rejected, "split them off")


def test_what_another_deployment_has_is_not_merged_away() -> None:
    into = past().state
    for given in (past(AWAY), past(AWAY, heard("answered", past(AWAY)))):
        merge = c.Merge(into=f"incident-{derived('into')}", reason="同一事项")
        given.seeing(into=into).when(merge).then_raises(Rejected, "which knows it by this number")
